// Opens what log lines go to. Writes are libuv's, off the main thread.

import { write } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { AccessLogSink } from '../../config/access-log.ts';

export interface LogWriter {
  /** Writes some or all of the bytes; resolves with how many. Rejects with the system's error. */
  write(bytes: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

const standardOutput = 1;
const standardError = 2;
const readableByGroup = 0o644;

/** Opens a sink for appending. Rejects with the system's error. */
export async function openLog(sink: AccessLogSink): Promise<LogWriter> {
  const descriptor = standardDescriptor(sink);
  if (descriptor !== null) return new StandardStream(descriptor);
  if (sink.kind !== 'file') throw new Error(`log sink ${sink.kind} is not a file`);
  const handle = await open(sink.path, 'a', readableByGroup);
  return {
    write: async (bytes) => (await handle.write(bytes)).bytesWritten,
    close: () => handle.close(),
  };
}

// Opening /dev/stdout again fails when it is a socket or belongs to another user (usual in containers); the descriptor
// we were started with always works.
function standardDescriptor(sink: AccessLogSink): number | null {
  if (sink.kind === 'stdout') return standardOutput;
  if (sink.kind === 'stderr') return standardError;
  if (sink.path === '/dev/stdout') return standardOutput;
  return sink.path === '/dev/stderr' ? standardError : null;
}

const writeAsync = promisify(write);
/** Between two attempts at a pipe that is full and does not block. */
const fullPipeDelayMs = 10;

class StandardStream implements LogWriter {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  // A parent may have made the pipe non-blocking; then a full one answers EAGAIN, which is not a failure.
  async write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      try {
        return (await writeAsync(this.#descriptor, bytes)).bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await delay(fullPipeDelayMs, undefined, { ref: false });
      }
    }
  }

  async close(): Promise<void> {}
}
