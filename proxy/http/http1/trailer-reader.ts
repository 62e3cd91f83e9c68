// Reads the trailers of one chunked body into a table of their own (RFC 9112 §7.1.2): they are never merged into the
// header. Made only when a body has trailers, which few have.

import { type HeaderName, headerName } from '../header-name.ts';
import { HeaderTable } from '../header-table.ts';
import type { CodecError, FieldErrors } from './codec-error.ts';
import { FieldScanner } from './field-scanner.ts';

// RFC 9110 §6.5.1: what frames, routes, authenticates or controls a message was decided on before trailers came; what
// belongs to one connection cannot be sent on at all.
const forbiddenNames: HeaderName[] = [];
for (const name of [
  'content-length',
  'transfer-encoding',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'http2-settings',
  'te',
  'trailer',
  'expect',
  'max-forwards',
  'range',
  'cache-control',
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
]) {
  forbiddenNames.push(headerName(name));
}

export class TrailerReader {
  readonly trailers = new HeaderTable();
  isDone = false;
  error: CodecError | null = null;
  /** Fields left out because they must not come in trailers. */
  droppedFields = 0;
  readonly #errors: FieldErrors;
  readonly #maxBytes: number;
  readonly #scanner: FieldScanner;

  constructor(errors: FieldErrors, maxBytes: number, maxCount: number) {
    this.#errors = errors;
    this.#maxBytes = maxBytes;
    this.#scanner = new FieldScanner({ errors, maxCount, underscores: 'allow' });
  }

  /** Takes `bytes[position, end)` up to the end of the trailers; returns the offset behind what it took. */
  read(bytes: Buffer, position: number, end: number): number {
    const { trailers } = this;
    const before = trailers.used;
    const taken = Math.min(end - position, this.#maxBytes - before);
    trailers.reserve(taken);
    bytes.copy(trailers.bytes, before, position, position + taken);
    const length = this.#scanner.scan(trailers.bytes, 0, before + taken, trailers);
    if (length > 0) {
      // Without the empty line: whoever writes the trailers ends them.
      trailers.used = length - 2;
      this.isDone = true;
      this.#dropForbidden();
      return position + length - before;
    }
    trailers.used = before + taken;
    this.error = this.#scanner.error;
    if (this.error === null && position + taken < end) this.error = this.#errors.tooLarge;
    return position + taken;
  }

  #dropForbidden(): void {
    for (const name of forbiddenNames) {
      for (let row = this.trailers.find(name); row >= 0; row = this.trailers.find(name, row + 1)) {
        this.trailers.removeRow(row);
        this.droppedFields++;
      }
    }
  }
}
