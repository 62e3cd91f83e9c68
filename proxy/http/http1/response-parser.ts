// Reads the head of an HTTP/1.1 response (RFC 9112 §4 to §6), as strictly as requests are read: an upstream that can
// make us see another message boundary than it meant can answer somebody else's request.
//
// The same way of working as RequestParser: bytes are judged in place, copied once, and a call that runs out resumes.

import { HeaderId } from '../header-name.ts';
import { BodyFraming, HttpVersion, type ResponseHead } from '../message.ts';
import { Byte, valueClass } from './byte-class.ts';
import { type CodecError, responseErrors, responseFieldErrors } from './codec-error.ts';
import { FieldScanner } from './field-scanner.ts';
import {
  ConnectionOption,
  chunkedBytes,
  connectionOptions,
  decimalValue,
  hasLeadingZero,
  keepAliveTimeoutMs,
} from './field-value.ts';
import { RememberedText } from './remembered-text.ts';

export interface ResponseParserOptions {
  /** Of the whole head with its status line. */
  readonly maxHeadersBytes: number;
  readonly maxHeadersCount: number;
}

const Phase = { start: 0, reason: 1, fields: 2 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** `0` stands for any digit. The status is followed by a space, or by CRLF where the server leaves that space out. */
const statusPattern = Buffer.from('HTTP/1.0 000');
const minorOffset = 7;
const statusOffset = 9;

export class ResponseParser {
  /** Set when `parse` returned -1; nothing more can be read from that connection. */
  error: CodecError | null = null;
  readonly #options: ResponseParserOptions;
  readonly #fields: FieldScanner;
  #phase: Phase = Phase.start;
  /** Offset from the first byte of what the caller offers. */
  #position = 0;
  #reasonEnd = 0;
  readonly #reason = new RememberedText();
  #lengthRow = -1;
  #encodingRow = -1;

  constructor(options: ResponseParserOptions) {
    this.#options = options;
    this.#fields = new FieldScanner({
      errors: responseFieldErrors,
      maxCount: options.maxHeadersCount,
      underscores: 'allow',
    });
  }

  /** Forgets a head that was begun. */
  reset(): void {
    this.error = null;
    this.#phase = Phase.start;
    this.#position = 0;
    this.#fields.reset();
  }

  /** Whether a head was begun and is not complete. */
  get hasPartial(): boolean {
    return this.#position > 0;
  }

  /**
   * Reads a head from `bytes[start, end)` into `head`; `requestMethod` is that of the request it answers. Returns the
   * number of bytes it took, 0 when more are needed (offer the same bytes again, and more), -1 when the response is
   * refused: see `error`. An interim response (1xx) is returned like any other, without a body.
   */
  parse(bytes: Buffer, start: number, end: number, head: ResponseHead, requestMethod: string): number {
    const { maxHeadersBytes } = this.#options;
    const limit = end - start > maxHeadersBytes ? start + maxHeadersBytes : end;
    if (this.#phase !== Phase.fields) {
      if (this.#position === 0) head.headers.clear();
      if (!this.#scanStatusLine(bytes, start, limit)) return this.#suspendOrRefuse(limit < end);
    }
    const base = start + this.#position;
    const length = this.#fields.read(bytes, base, limit, head.headers);
    if (length <= 0) {
      this.error = this.#fields.error;
      return this.#suspendOrRefuse(limit < end);
    }
    this.#readStatusLine(bytes, start, head);
    this.error = this.#readFields(head, requestMethod);
    if (this.error !== null) return -1;
    this.reset();
    return base + length - start;
  }

  #suspendOrRefuse(isOverLimit: boolean): 0 | -1 {
    if (this.error === null && isOverLimit) this.error = responseFieldErrors.tooLarge;
    return this.error === null ? 0 : -1;
  }

  /** True when the line is complete, with `#position` behind it; else more bytes are needed, or there is an error. */
  #scanStatusLine(bytes: Buffer, start: number, limit: number): boolean {
    let at = start + this.#position;
    if (this.#phase === Phase.start) {
      for (; at < limit && at - start < statusPattern.length; at++) {
        const expected = statusPattern[at - start]!;
        const byte = bytes[at]!;
        const isDigit = byte >= Byte.digit0 && byte <= Byte.digit9;
        if (expected === Byte.digit0 ? !isDigit : byte !== expected) return this.#refuseLine();
      }
      this.#position = at - start;
      if (at === limit) return false;
      // Below 100 there is no class of status to handle it as (RFC 9110 §15).
      if (bytes[start + statusOffset] === Byte.digit0) return this.#refuseLine();
      if (bytes[at] !== Byte.space && bytes[at] !== Byte.cr) return this.#refuseLine();
      this.#phase = Phase.reason;
    }
    while (at < limit && valueClass[bytes[at]!] === 1) at++;
    this.#position = at - start;
    if (at === limit) return false;
    if (bytes[at] !== Byte.cr) return this.#refuseLine();
    if (at + 1 === limit) return false;
    if (bytes[at + 1] !== Byte.lf) return this.#refuseLine();
    this.#reasonEnd = this.#position;
    this.#position += 2;
    this.#phase = Phase.fields;
    return true;
  }

  #refuseLine(): false {
    this.error = responseErrors.invalidStatusLine;
    return false;
  }

  #readStatusLine(bytes: Buffer, start: number, head: ResponseHead): void {
    const at = start + statusOffset;
    const status = bytes[at]! * 100 + bytes[at + 1]! * 10 + bytes[at + 2]! - Byte.digit0 * 111;
    head.status = status;
    head.version = bytes[start + minorOffset] === Byte.digit0 ? HttpVersion.http10 : HttpVersion.http11;
    const reasonStart = start + statusPattern.length + 1;
    const reasonEnd = start + this.#reasonEnd;
    head.reason = reasonEnd <= reasonStart ? '' : this.#reason.read(bytes, reasonStart, reasonEnd);
  }

  #readFields(head: ResponseHead, requestMethod: string): CodecError | null {
    const { headers } = head;
    let options = 0;
    this.#lengthRow = -1;
    this.#encodingRow = -1;
    head.keepAliveTimeoutMs = 0;
    for (let row = 0; row < headers.rowCount; row++) {
      switch (headers.id(row)) {
        case HeaderId.contentLength:
          if (this.#lengthRow >= 0) return responseErrors.duplicateContentLength;
          this.#lengthRow = row;
          break;
        case HeaderId.transferEncoding:
          if (this.#encodingRow >= 0) return responseErrors.invalidTransferEncoding;
          this.#encodingRow = row;
          break;
        case HeaderId.connection:
          options |= connectionOptions(headers, row);
          break;
        case HeaderId.keepAlive:
          head.keepAliveTimeoutMs = keepAliveTimeoutMs(headers, row);
          break;
      }
    }
    const isHttp10 = head.version === HttpVersion.http10;
    head.keepAlive =
      (options & ConnectionOption.close) === 0 && (!isHttp10 || (options & ConnectionOption.keepAlive) !== 0);
    return this.#readFraming(head, requestMethod);
  }

  /** RFC 9112 §6.3, in its order of precedence. */
  #readFraming(head: ResponseHead, requestMethod: string): CodecError | null {
    const { headers, status } = head;
    head.framing = BodyFraming.none;
    head.contentLength = 0;
    if (requestMethod === 'CONNECT' && status >= 200 && status < 300) {
      // A tunnel begins: neither field means anything, and neither may be sent on (RFC 9110 §9.3.6).
      if (this.#lengthRow >= 0) headers.removeRow(this.#lengthRow);
      if (this.#encodingRow >= 0) headers.removeRow(this.#encodingRow);
      return null;
    }
    const error = this.#readLength(head) ?? this.#checkEncoding(head);
    if (error !== null) return error;
    if (status < 200 || status === 204) {
      if (this.#encodingRow >= 0) return responseErrors.transferEncodingNotAllowed;
      if (head.contentLength > 0) return responseErrors.contentLengthNotAllowed;
      // Zero says nothing wrong, but it must not be sent (RFC 9110 §8.6); Envoy tolerates and removes it too.
      if (this.#lengthRow >= 0) headers.removeRow(this.#lengthRow);
      return null;
    }
    if (requestMethod === 'HEAD' || status === 304) return null;
    if (this.#encodingRow >= 0) head.framing = BodyFraming.chunked;
    else if (this.#lengthRow < 0) {
      head.framing = BodyFraming.untilClose;
      head.keepAlive = false;
    } else if (head.contentLength > 0) head.framing = BodyFraming.length;
    return null;
  }

  #readLength(head: ResponseHead): CodecError | null {
    const row = this.#lengthRow;
    if (row < 0) return null;
    const { headers } = head;
    const length = decimalValue(headers, row);
    if (length < 0) return responseErrors.invalidContentLength;
    if (hasLeadingZero(headers, row)) headers.replaceValue(row, String(length));
    head.contentLength = length;
    return null;
  }

  #checkEncoding(head: ResponseHead): CodecError | null {
    const row = this.#encodingRow;
    if (row < 0) return null;
    if (this.#lengthRow >= 0) return responseErrors.lengthAndChunked;
    if (head.version === HttpVersion.http10) return responseErrors.transferEncodingNotAllowed;
    return head.headers.valueEquals(row, chunkedBytes) ? null : responseErrors.invalidTransferEncoding;
  }
}
