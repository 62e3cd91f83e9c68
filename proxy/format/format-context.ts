// What a format string can speak of. One object per worker, refilled for each line or header, so that writing a line
// allocates the line only.

import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import { toByteString } from './byte-string.ts';

export interface FormatContext {
  info: StreamInfo;
  /** As it was sent upstream: after rewrites. Null for a TCP connection. */
  request: RequestHead | null;
  response: ResponseHead | null;
  responseTrailers: HeaderTable | null;
  localReplyBody: string;
  /** What kind of log is written; absent where the format is none of a log, or of a listener's. */
  readonly logType?: LogType;
}

/** When a line is written, in Envoy's words (`data.accesslog.v3.AccessLogType`). */
export type LogType = 'DownstreamEnd' | 'TcpUpstreamConnected' | 'TcpPeriodic' | 'TcpConnectionEnd';

/**
 * What one command has to say: text as a byte string (each character one byte), a number or a structure where Envoy has
 * one, null when there is nothing to say.
 */
export type Operator = (context: FormatContext) => FormatValue | null;

export type FormatValue = string | number | JsonText;

/** JSON as a byte string: its characters in a line of text, what it says in a line of JSON. */
export class JsonText {
  readonly text: string;
  readonly #plain: string;
  readonly #maxLength: number;

  /** `plain` is what a line of text says in place of the characters. */
  constructor(text: string, { plain = text, maxLength = Number.POSITIVE_INFINITY } = {}) {
    this.text = text;
    this.#plain = plain;
    this.#maxLength = maxLength;
  }

  static of(value: unknown): JsonText {
    // A line may hold no control character, and JSON leaves this one.
    const text = JSON.stringify(value, sorted).replaceAll('\x7f', '\\u007f');
    return new JsonText(toByteString(text));
  }

  /** So many characters of it in a line of text; a line of JSON has all of it, as in Envoy. */
  upTo(maxLength: number): JsonText {
    return new JsonText(this.text, { plain: this.#plain, maxLength });
  }

  toString(): string {
    return this.#plain.slice(0, this.#maxLength);
  }
}

/** As Envoy has it: fields in order. */
function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
}
