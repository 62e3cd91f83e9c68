// What a table of cases is made of.

import type { Json } from './bootstrap.ts';
import type { OriginStep } from './recording-origin.ts';

export interface Case {
  /** Unique in its suite. */
  readonly name: string;
  /** `main` when left out. */
  readonly listener?: string;
  /** What the client writes; a second piece when a response, interim ones included, answered the first. */
  readonly send: string | readonly string[];
  /** Final responses to wait for, 1 when left out; `end` waits until the proxy closes the connection. */
  readonly expects?: number | 'end';
  /** What the origin does, request by request; the last for all others. It says hello when left out. */
  readonly origin?: string | readonly OriginStep[];
  /** The client resets its connection when the origin has the request. */
  readonly clientResets?: true;
  readonly clientHalfCloses?: true;
  readonly isTcp?: true;
}

export interface Suite {
  readonly name: string;
  readonly bootstrap: (originPort: number) => Json;
  readonly cases: readonly Case[];
  /** What its log lines hold besides `logFields`, in their order. */
  readonly moreLogFields?: readonly string[];
}

/** A request of HTTP/1.1 without a body. */
export function get(path: string, ...headers: readonly string[]): string {
  return requestOf('GET', path, headers);
}

export function post(path: string, body: string, ...headers: readonly string[]): string {
  return requestOf('POST', path, [...headers, `Content-Length: ${body.length}`]) + body;
}

export function requestOf(method: string, path: string, headers: readonly string[]): string {
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: a.example'];
  return [`${method} ${path} HTTP/1.1`, ...host, ...headers, '', ''].join('\r\n');
}

/** A response of HTTP/1.1 with a length. */
export function answer(status: string, body = '', ...headers: readonly string[]): string {
  return [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${body.length}`, '', body].join('\r\n');
}
