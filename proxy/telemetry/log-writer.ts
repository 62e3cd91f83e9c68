// Opens what log lines go to. Writes are libuv's, off the main thread, and never block on a reader that stands still: a
// write that blocks in libuv's thread pool also blocks the exit of the process (measured: 5 s of 5 s).

import { close, constants, open, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import type { AccessLogSink } from '../../config/access-log.ts';

export interface LogWriter {
  /** Writes some or all of the bytes; resolves with how many, 0 when a pipe is full. Rejects with the system's error. */
  write(bytes: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

const standardOutput = 1;
const standardError = 2;
const mode = 0o644;
/** Files ignore O_NONBLOCK; a pipe answers EAGAIN when it is full, and ENXIO at open when nobody reads it. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;

/** Opens a sink for appending. Rejects with the system's error. */
export async function openLog(sink: AccessLogSink): Promise<LogWriter> {
  const descriptor = standardDescriptor(sink);
  if (descriptor !== null) return openStandard(descriptor);
  if (sink.kind !== 'file') throw new Error(`log sink ${sink.kind} is not a file`);
  return fileWriter(await openAsync(sink.path, flags | constants.O_CREAT, mode));
}

/**
 * Opens the file of a sink before anything is served; null where there is nothing to open before the first line: a standard
 * stream, or a pipe that nobody reads yet. Throws the system's error.
 */
export function openLogNow(sink: AccessLogSink): LogWriter | null {
  if (sink.kind !== 'file' || standardDescriptor(sink) !== null) return null;
  try {
    return fileWriter(openSync(sink.path, flags | constants.O_CREAT, mode));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return null;
    throw error;
  }
}

function standardDescriptor(sink: AccessLogSink): number | null {
  if (sink.kind === 'stdout') return standardOutput;
  if (sink.kind === 'stderr') return standardError;
  if (sink.path === '/dev/stdout') return standardOutput;
  return sink.path === '/dev/stderr' ? standardError : null;
}

// Opened anew, because O_NONBLOCK on the descriptor we were started with would reach everybody who shares it. A socket
// cannot be opened (ENXIO), nor can what belongs to another user (EACCES, usual in containers): then that descriptor is
// what there is, and a reader that stands still holds up one thread of libuv's.
async function openStandard(descriptor: number): Promise<LogWriter> {
  try {
    return fileWriter(await openAsync(`/proc/self/fd/${descriptor}`, flags, mode));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENXIO' && code !== 'EACCES' && code !== 'ENOENT') throw error;
    return {
      write: (bytes) => orZeroWhenFull(writeAsync(descriptor, bytes)),
      close: async () => {},
    };
  }
}

const openAsync = promisify(open);
const writeAsync = promisify(write);
const closeAsync = promisify(close);

function fileWriter(descriptor: number): LogWriter {
  return {
    write: (bytes) => orZeroWhenFull(writeAsync(descriptor, bytes)),
    close: () => closeAsync(descriptor),
  };
}

async function orZeroWhenFull(writing: Promise<{ readonly bytesWritten: number }>): Promise<number> {
  try {
    return (await writing).bytesWritten;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
