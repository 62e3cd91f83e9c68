// Reads the head of an HTTP/1.1 request (RFC 9112 §2 to §6), strictly: what two parsers could take for different
// messages is refused, because a proxy stands between two parsers.
//
// Bytes are judged where they were received and copied once, when the head is complete. A call that runs out of bytes
// remembers where; the caller offers the same bytes again with more behind them.

import { isValidAuthority } from '../authority.ts';
import { HeaderId } from '../header-name.ts';
import { BodyFraming, HttpVersion, type RequestHead } from '../message.ts';
import { Byte, nameClass, targetClass } from './byte-class.ts';
import { type CodecError, requestErrors, requestFieldErrors } from './codec-error.ts';
import { FieldScanner } from './field-scanner.ts';
import {
  ConnectionOption,
  chunkedBytes,
  connectionOptions,
  continueBytes,
  decimalValue,
  firstListItem,
  hasLeadingZero,
} from './field-value.ts';
import { knownMethod, longestMethod } from './method-name.ts';
import { RememberedText } from './remembered-text.ts';
import { readTarget } from './target-form.ts';

export interface RequestParserOptions {
  /** Of the whole head with its request line; more is refused with 431. */
  readonly maxHeadersBytes: number;
  readonly maxHeadersCount: number;
  readonly underscores: 'allow' | 'reject-request' | 'drop-header';
  readonly allowAbsoluteUrl: boolean;
  readonly allowCustomMethods: boolean;
  readonly acceptHttp10: boolean;
  /** Host of HTTP/1.0 requests that have none; empty refuses them. */
  readonly defaultHostForHttp10: string;
  /** Whether a `#` in the target is refused or cut off with what follows. */
  readonly rejectPathWithFragment: boolean;
}

const Phase = { start: 0, method: 1, target: 2, version: 3, fields: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** Any digit may stand where the two digits are; nearly always it is these. */
const versionPattern = Buffer.from('HTTP/1.1\r\n');
const majorOffset = 5;
const minorOffset = 7;

const hostName = 'Host';

export class RequestParser {
  /** Set when `parse` returned -1; nothing more can be read from that connection. */
  error: CodecError | null = null;
  readonly #options: RequestParserOptions;
  readonly #fields: FieldScanner;
  #phase: Phase = Phase.start;
  // Offsets from the first byte of what the caller offers.
  #position = 0;
  #methodStart = 0;
  #targetStart = 0;
  #targetEnd = 0;
  #version: HttpVersion = HttpVersion.http11;
  readonly #target = new RememberedText();
  readonly #host = new RememberedText();
  /** The last host that was found valid; the same string again needs no look. */
  #validHost = '';

  constructor(options: RequestParserOptions) {
    this.#options = options;
    this.#fields = new FieldScanner({
      errors: requestFieldErrors,
      maxCount: options.maxHeadersCount,
      underscores: options.underscores,
    });
  }

  /** Forgets a head that was begun. */
  reset(): void {
    this.error = null;
    this.#phase = Phase.start;
    this.#position = 0;
    this.#fields.reset();
  }

  /** Whether a head was begun and is not complete. Empty lines before a request line begin nothing. */
  get hasPartial(): boolean {
    return this.#phase !== Phase.start;
  }

  /** Fields left out because of an underscore in their name, since the parser was made. */
  get droppedHeaders(): number {
    return this.#fields.droppedFields;
  }

  /**
   * Reads a head from `bytes[start, end)` into `head`. Returns the number of bytes it took, 0 when more are needed
   * (offer the same bytes again, and more), -1 when the request is refused: see `error`.
   */
  parse(bytes: Buffer, start: number, end: number, head: RequestHead): number {
    const { maxHeadersBytes } = this.#options;
    const limit = end - start > maxHeadersBytes ? start + maxHeadersBytes : end;
    if (this.#phase !== Phase.fields) {
      if (this.#phase === Phase.start) head.headers.clear();
      if (!this.#scanRequestLine(bytes, start, limit)) return this.#suspendOrRefuse(limit < end);
    }
    const base = start + this.#position;
    const length = this.#fields.read(bytes, base, limit, head.headers);
    if (length <= 0) {
      this.error = this.#fields.error;
      return this.#suspendOrRefuse(limit < end);
    }
    this.error = this.#readRequestLine(bytes, start, head) ?? this.#readFields(head);
    if (this.error !== null) return -1;
    this.reset();
    return base + length - start;
  }

  #suspendOrRefuse(isOverLimit: boolean): 0 | -1 {
    if (this.error === null && isOverLimit) this.error = requestFieldErrors.tooLarge;
    return this.error === null ? 0 : -1;
  }

  /** True when the line is complete, with `#position` behind it; else more bytes are needed, or there is an error. */
  #scanRequestLine(bytes: Buffer, start: number, limit: number): boolean {
    let at = start + this.#position;
    if (this.#phase === Phase.start) {
      at = this.#skipEmptyLines(bytes, at, limit);
      this.#position = at - start;
      if (at === limit || bytes[at] === Byte.cr || this.error !== null) return false;
      this.#methodStart = this.#position;
      this.#phase = Phase.method;
    }
    if (this.#phase === Phase.method) {
      while (at < limit && nameClass[bytes[at]!] !== 0) at++;
      this.#position = at - start;
      const isUnknown = this.#position - this.#methodStart > longestMethod && !this.#options.allowCustomMethods;
      if (isUnknown) this.error = requestErrors.invalidMethod;
      if (at === limit || isUnknown) return false;
      if (bytes[at] !== Byte.space || this.#position === this.#methodStart) {
        return this.#refuseLine(requestErrors.invalidMethod);
      }
      this.#targetStart = ++at - start;
      this.#phase = Phase.target;
    }
    if (this.#phase === Phase.target) {
      while (at < limit && targetClass[bytes[at]!] === 1) at++;
      this.#position = at - start;
      if (at === limit) return false;
      if (bytes[at] !== Byte.space) return this.#refuseLine(this.#targetFault(bytes[at]!));
      if (this.#position === this.#targetStart) return this.#refuseLine(requestErrors.invalidRequestLine);
      this.#targetEnd = this.#position++;
      this.#phase = Phase.version;
    }
    return this.#scanVersion(bytes, start, limit);
  }

  /** A client may send empty lines after a body (RFC 9112 §2.2); they count towards the limit of the head. */
  #skipEmptyLines(bytes: Buffer, start: number, limit: number): number {
    let at = start;
    while (at < limit && bytes[at] === Byte.cr) {
      if (at + 1 === limit) return at;
      if (bytes[at + 1] !== Byte.lf) {
        this.error = requestFieldErrors.bareCarriageReturn;
        return at;
      }
      at += 2;
    }
    return at;
  }

  #scanVersion(bytes: Buffer, start: number, limit: number): boolean {
    const versionStart = start + this.#targetEnd + 1;
    let at = start + this.#position;
    for (; at < limit && at - versionStart < versionPattern.length; at++) {
      const offset = at - versionStart;
      if (bytes[at] === versionPattern[offset]) continue;
      const byte = bytes[at]!;
      const isDigit = byte >= Byte.digit0 && byte <= Byte.digit9;
      if (!isDigit || (offset !== majorOffset && offset !== minorOffset)) {
        return this.#refuseLine(requestErrors.invalidVersion);
      }
    }
    this.#position = at - start;
    if (at - versionStart < versionPattern.length) return false;
    if (bytes[versionStart + majorOffset] !== versionPattern[majorOffset]) {
      return this.#refuseLine(requestErrors.unsupportedVersion);
    }
    // A later minor version is read as the highest one we know (RFC 9110 §2.5).
    const isHttp10 = bytes[versionStart + minorOffset] === Byte.digit0;
    if (isHttp10 && !this.#options.acceptHttp10) return this.#refuseLine(requestErrors.http10);
    this.#version = isHttp10 ? HttpVersion.http10 : HttpVersion.http11;
    this.#phase = Phase.fields;
    return true;
  }

  #targetFault(byte: number): CodecError {
    return byte === Byte.cr || byte === Byte.lf || byte === Byte.tab
      ? requestErrors.invalidRequestLine
      : requestErrors.invalidTarget;
  }

  #refuseLine(error: CodecError): false {
    this.error = error;
    return false;
  }

  #readRequestLine(bytes: Buffer, start: number, head: RequestHead): CodecError | null {
    const methodStart = start + this.#methodStart;
    const methodEnd = start + this.#targetStart - 1;
    head.method = knownMethod(bytes, methodStart, methodEnd);
    if (head.method === '') {
      if (!this.#options.allowCustomMethods) return requestErrors.invalidMethod;
      head.method = bytes.latin1Slice(methodStart, methodEnd);
    }
    head.version = this.#version;
    const target = this.#target.read(bytes, start + this.#targetStart, start + this.#targetEnd);
    return readTarget(target, head, this.#options);
  }

  #readFields(head: RequestHead): CodecError | null {
    const { headers } = head;
    let hostRow = -1;
    let lengthRow = -1;
    let encodingRow = -1;
    let upgradeRow = -1;
    let options = 0;
    head.expectsContinue = false;
    for (let row = 0; row < headers.rowCount; row++) {
      switch (headers.id(row)) {
        case HeaderId.host:
          if (hostRow >= 0) return requestErrors.duplicateHost;
          hostRow = row;
          break;
        case HeaderId.contentLength:
          if (lengthRow >= 0) return requestErrors.duplicateContentLength;
          lengthRow = row;
          break;
        case HeaderId.transferEncoding:
          if (encodingRow >= 0) return requestErrors.invalidTransferEncoding;
          encodingRow = row;
          break;
        case HeaderId.connection:
          options |= connectionOptions(headers, row);
          break;
        case HeaderId.upgrade:
          if (upgradeRow < 0) upgradeRow = row;
          break;
        case HeaderId.expect:
          if (headers.valueEquals(row, continueBytes)) head.expectsContinue = head.version !== HttpVersion.http10;
          break;
      }
    }
    readPersistence(head, options, upgradeRow);
    return readFraming(head, lengthRow, encodingRow) ?? this.#readAuthority(head, hostRow);
  }

  #readAuthority(head: RequestHead, hostRow: number): CodecError | null {
    if (hostRow < 0) return this.#supplyHost(head);
    const { headers } = head;
    const host = this.#host.read(headers.bytes, headers.valueStart(hostRow), headers.valueEnd(hostRow));
    // Empty is what a client sends whose target has no authority (RFC 9112 §3.2).
    if (host !== this.#validHost && host !== '' && !isValidAuthority(host)) return requestErrors.invalidAuthority;
    this.#validHost = host;
    if (head.authority === '') head.authority = host;
    // The target's host wins, and the origin must see no other (RFC 9112 §3.2.2).
    else if (head.authority !== host) headers.replaceValue(hostRow, head.authority);
    return null;
  }

  #supplyHost(head: RequestHead): CodecError | null {
    if (head.version !== HttpVersion.http10) return requestErrors.missingHost;
    if (head.authority === '') head.authority = this.#options.defaultHostForHttp10;
    if (head.authority === '') return requestErrors.missingHost;
    head.headers.append(hostName, head.authority);
    return null;
  }
}

function readPersistence(head: RequestHead, options: number, upgradeRow: number): void {
  const isHttp10 = head.version === HttpVersion.http10;
  head.keepAlive =
    (options & ConnectionOption.close) === 0 && (!isHttp10 || (options & ConnectionOption.keepAlive) !== 0);
  // RFC 9110 §7.8: only when Connection says so, and never in HTTP/1.0.
  const isUpgrade = upgradeRow >= 0 && (options & ConnectionOption.upgrade) !== 0 && !isHttp10;
  head.upgrade = isUpgrade ? firstListItem(head.headers, upgradeRow) : '';
}

function readFraming(head: RequestHead, lengthRow: number, encodingRow: number): CodecError | null {
  const { headers } = head;
  head.framing = BodyFraming.none;
  head.contentLength = 0;
  if (encodingRow >= 0) {
    if (lengthRow >= 0) return requestErrors.lengthAndChunked;
    if (head.version === HttpVersion.http10) return requestErrors.transferEncodingInHttp10;
    if (head.method === 'CONNECT') return requestErrors.transferEncodingWithConnect;
    if (!headers.valueEquals(encodingRow, chunkedBytes)) return requestErrors.invalidTransferEncoding;
    head.framing = BodyFraming.chunked;
    return null;
  }
  if (lengthRow < 0) return null;
  const length = decimalValue(headers, lengthRow);
  if (length < 0) return requestErrors.invalidContentLength;
  if (head.method === 'CONNECT') {
    if (length > 0) return requestErrors.bodyWithConnect;
    headers.removeRow(lengthRow);
    return null;
  }
  // `0003` is legal, but not everybody reads it as 3.
  if (hasLeadingZero(headers, lengthRow)) headers.replaceValue(lengthRow, String(length));
  head.contentLength = length;
  if (length > 0) head.framing = BodyFraming.length;
  return null;
}
