// A byte stream without a socket: what was written is text, what its owner did is a list.

import { NativeBuffer } from '../../native/native-buffer.ts';
import type { ByteStream, ByteStreamHandler } from '../../proxy/reactor/byte-stream.ts';

export class FakeStream implements ByteStream {
  handler!: ByteStreamHandler;
  isClosed = false;
  readonly isPlain = true;
  pendingWriteBytes = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** Whether a look into the kernel finds something. */
  input = false;
  text = '';
  /** One a call of `write`. */
  readonly writes: string[] = [];
  /** `pause`, `resume`, `end`, `close`, `reset`, `closeGracefully`. */
  readonly calls: string[] = [];

  hasInput(): boolean {
    return this.input;
  }
  write(buffer: NativeBuffer, start: number, end: number): void {
    const text = buffer.bytes.latin1Slice(start, end);
    this.writes.push(text);
    this.text += text;
  }
  writeFrom(): void {
    throw new Error('nothing is relayed here');
  }
  relayTo(): void {}
  pauseReading(): void {
    this.calls.push('pause');
  }
  resumeReading(): void {
    this.calls.push('resume');
  }
  endWriting(): void {
    this.calls.push('end');
  }
  closeGracefully(): void {
    this.calls.push('closeGracefully');
    this.isClosed = true;
  }
  close(): void {
    this.calls.push('close');
    this.isClosed = true;
  }
  reset(): void {
    this.calls.push('reset');
    this.isClosed = true;
  }
  remoteAddress(): undefined {
    return undefined;
  }
  localAddress(): undefined {
    return undefined;
  }

  /** Offers bytes to the handler as the reactor does; returns how many it took. */
  receive(text: string): number {
    const buffer = nativeText(text);
    return this.handler.onData(buffer, 0, text.length);
  }
}

export function nativeText(text: string): NativeBuffer {
  const buffer = new NativeBuffer(Math.max(1, text.length));
  buffer.bytes.latin1Write(text);
  return buffer;
}
