// Finding and loading uWebSockets.js, and the part of it that is used. It is loaded only when asked for (`--engine uws`): an
// installation without it, or a system it cannot run on, serves with our own engine.
//
// An official `uWebSockets.js` (it is not in the registry; https://github.com/uNetworking/uWebSockets.js says how to
// install it) comes first; the optional dependency is a copy of it that somebody else has published.

import { createRequire } from 'node:module';

/** Binary strings are given as bytes: text would be taken for UTF-8. */
export interface UwsResponse {
  writeStatus(statusAndFields: Uint8Array): UwsResponse;
  writeHeader(name: Uint8Array, value: Uint8Array): UwsResponse;
  /** A chunk; false when it had to be kept. */
  write(chunk: Uint8Array): boolean;
  /** Bytes of a body of `totalBytes`: whether all of them were taken, and whether the body is complete. */
  tryEnd(chunk: Uint8Array, totalBytes: number): [isTaken: boolean, isComplete: boolean];
  /** With the last chunk, or with the whole of a body, which then has a length. */
  end(body?: Uint8Array): UwsResponse;
  endWithoutBody(reportedLength?: number): UwsResponse;
  /** Bytes of the body that were taken. */
  getWriteOffset(): number;
  onAborted(handler: () => void): UwsResponse;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse;
  cork(write: () => void): UwsResponse;
}

/** The response object that the library makes for an open connection: usable until the filter says that it is gone. */
export interface UwsSocket {
  pause(): void;
  resume(): void;
  close(): void;
  cork(write: () => void): void;
}

export interface UwsApp {
  any(pattern: string, handler: (response: UwsResponse) => void): UwsApp;
  /** `change` is 1 for a connection that opens, -1 for one that is gone. */
  filter(handler: (socket: UwsSocket, change: number) => void): UwsApp;
  adoptSocket(descriptor: number): UwsApp;
  /** All its connections, at once. */
  close(): UwsApp;
  /** Seconds; 0 is none. */
  setIdleTimeout(seconds: number): UwsApp;
  setResponseTimeout(seconds: number): UwsApp;
}

export interface UwsLibrary {
  App(): UwsApp;
  /** `silent` leaves the library's name out of responses. */
  _cfg(option: string): void;
}

/** Throws an error that says what is missing and what helps. */
export function loadUws(load: (name: string) => unknown = createRequire(import.meta.url)): UwsLibrary {
  for (const name of ['uWebSockets.js', '@btc-vision/uwebsockets.js']) {
    const found = tryLoad(load, name);
    if (found === undefined) continue;
    const problem = missingPart(found);
    if (problem !== undefined) throw new Error(`${name} has no ${problem}: version 20.50 or newer is needed`);
    const library = found as UwsLibrary;
    library._cfg('silent');
    return library;
  }
  throw new Error('--engine uws needs uWebSockets.js, which is not installed: npm install @btc-vision/uwebsockets.js');
}

/** Undefined when the package is not there. */
function tryLoad(load: (name: string) => unknown, name: string): unknown {
  try {
    return load(name);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'MODULE_NOT_FOUND') return undefined;
    throw new Error(describeFailure(name, message));
  }
}

function describeFailure(name: string, message: string): string {
  const wanted = /GLIBC_(\d+\.\d+)' not found/.exec(message)?.[1];
  if (wanted === undefined) return `${name} cannot be loaded: ${message}`;
  return (
    `${name} needs glibc ${wanted}, this system has ${glibcVersion()}: run on Debian 13 or a system as new, such as our ` +
    'image, or leave out --engine uws'
  );
}

function glibcVersion(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime ?? 'none';
}

function missingPart(library: unknown): string | undefined {
  const { App, _cfg } = library as Partial<UwsLibrary>;
  if (typeof App !== 'function' || typeof _cfg !== 'function') return 'App';
  return undefined;
}
