// What the tables beside this file are made of: a row, the list that takes them, and messages that many of them share.

export interface VectorOptions {
  readonly underscores?: 'allow' | 'reject-request' | 'drop-header';
  readonly allowAbsoluteUrl?: boolean;
  readonly allowCustomMethods?: boolean;
  readonly acceptHttp10?: boolean;
  readonly defaultHostForHttp10?: string;
  readonly rejectPathWithFragment?: boolean;
  /** The method a response answers. */
  readonly requestMethod?: string;
}

export type Expectation =
  | { readonly kind: 'refused'; readonly status: number; readonly details?: string }
  /** Everything given is sound so far, and the message is not complete. */
  | { readonly kind: 'incomplete' }
  | {
      readonly kind: 'accepted';
      /** The head as it is sent on, exactly; not checked when left out. */
      readonly forwarded?: string;
      readonly path?: string;
      readonly authority?: string;
      readonly scheme?: string;
      readonly upgrade?: string;
      readonly keepAlive?: boolean;
      readonly expectsContinue?: boolean;
      readonly status?: number;
      /** Empty when left out. */
      readonly body?: string;
      /** The trailers as they are sent on. */
      readonly trailers?: string;
      /** Bytes behind the message that must not be taken for a part of it. */
      readonly leftover?: string;
      readonly droppedHeaders?: number;
      readonly droppedTrailers?: number;
      /** The response ends with its connection. */
      readonly untilClose?: boolean;
    };

export interface Vector {
  /** Row of the requirements; with a letter where one row has several inputs. */
  readonly row: string;
  readonly name: string;
  readonly direction: 'request' | 'response';
  readonly input: string;
  readonly expect: Expectation;
  readonly options?: VectorOptions;
}

type Accepted = Omit<Extract<Expectation, { kind: 'accepted' }>, 'kind'>;

export class VectorList {
  readonly all: Vector[] = [];

  refuses(row: string, name: string, input: string, status: number, details?: string, options: VectorOptions = {}) {
    const expect =
      details === undefined ? { kind: 'refused' as const, status } : { kind: 'refused' as const, status, details };
    this.all.push({ row, name, direction: directionOf(options), input, expect, options });
  }

  accepts(row: string, name: string, input: string, accepted: Accepted, options: VectorOptions = {}) {
    this.all.push({
      row,
      name,
      direction: directionOf(options),
      input,
      expect: { kind: 'accepted', ...accepted },
      options,
    });
  }

  waits(row: string, name: string, input: string, options: VectorOptions = {}) {
    this.all.push({
      row,
      name,
      direction: directionOf(options),
      input,
      expect: { kind: 'incomplete' },
      options,
    });
  }
}

/** A response is what says which method it answers. */
function directionOf(options: VectorOptions): 'request' | 'response' {
  return options.requestMethod === undefined ? 'request' : 'response';
}

export const answer: VectorOptions = { requestMethod: 'GET' };
export const http10: VectorOptions = { acceptHttp10: true };

/** A POST with these lines, each ended by CRLF here, and what follows the head. */
export function post(lines: string, rest = ''): string {
  return `POST /x HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${rest}`;
}

export function get(line: string): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`;
}

export function chunked(body: string): string {
  return post('Transfer-Encoding: chunked', body);
}

export function ok(lines: string, rest = ''): string {
  return `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n${rest}`;
}

/** Details of refusals. */
export const both = 'http1.content_length_and_chunked_not_allowed';
export const invalidEncoding = 'http1.invalid_transfer_encoding';

/** Of a whole head. */
export const headLimit = 60 * 1024;

export const fields = (count: number) => Array.from({ length: count }, (_, index) => `h${index}: v`).join('\r\n');

/** Behind another request. */
export const next = 'GET /second HTTP/1.1\r\nHost: a\r\n\r\n';
