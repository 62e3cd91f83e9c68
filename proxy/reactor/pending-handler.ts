import type { ByteStreamHandler } from './byte-stream.ts';

/** Of an adopted stream until its own handler is made. No event can arrive before: both happen in one callback. */
export const pendingHandler: ByteStreamHandler = {
  onConnected(): void {},
  onData: (): number => 0,
  onEnd(): void {},
  onDrained(): void {},
  onClosed(): void {},
};
