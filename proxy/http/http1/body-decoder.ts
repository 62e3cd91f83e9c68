// Finds the end of a body (RFC 9112 §6 and §7). Bodies are not looked into beyond their framing: a step hands out at
// most one range of the bytes it was given, and the caller forwards that range from where it lies.
//
// Chunked coding is read strictly: CRLF only, hexadecimal digits only, nothing between a chunk and its CRLF. Lenient
// readings of chunk lines are how requests are smuggled. Chunk extensions belong to one hop and are dropped (§7.1.1).

import type { HeaderTable } from '../header-table.ts';
import { BodyFraming } from '../message.ts';
import { Byte, hexValue, valueClass } from './byte-class.ts';
import { type BodyErrors, type CodecError, requestBodyErrors, responseBodyErrors } from './codec-error.ts';
import { TrailerReader } from './trailer-reader.ts';

export interface BodyLimits {
  readonly maxTrailersBytes: number;
  readonly maxTrailersCount: number;
}

const State = {
  done: 0,
  /** `remaining` bytes, or a whole chunk's rest when the framing is chunked. */
  data: 1,
  untilClose: 2,
  sizeStart: 3,
  size: 4,
  /** White space that only a chunk extension may follow. */
  beforeExtension: 5,
  extension: 6,
  sizeLineFeed: 7,
  dataCarriageReturn: 8,
  dataLineFeed: 9,
  trailersStart: 10,
  endLineFeed: 11,
  trailers: 12,
} as const;
type State = (typeof State)[keyof typeof State];

/** Of all extensions of one message. Nobody uses them but to waste memory and time. */
const maxExtensionBytes = 16 * 1024;
/** 2^64 has 16; leading zeros count, so that a size cannot go on forever. */
const maxSizeDigits = 16;

export class BodyDecoder {
  /** The body's data that the last step found: a range of the bytes it was given, empty when it found none. */
  dataStart = 0;
  dataEnd = 0;
  /** The whole body was read, with its trailers. Never set for a body that ends with its connection. */
  isDone = true;
  error: CodecError | null = null;
  /** Set when the body is done and had trailers. Valid until the next `begin`. */
  trailers: HeaderTable | null = null;
  /** Trailer fields left out because they must not come in trailers, over the life of the decoder. */
  droppedTrailers = 0;
  readonly #errors: BodyErrors;
  #state: State = State.done;
  #framing: BodyFraming = BodyFraming.none;
  #remaining = 0;
  #digits = 0;
  #extensionBytes = 0;
  #limits: BodyLimits = { maxTrailersBytes: 0, maxTrailersCount: 0 };
  #trailerReader: TrailerReader | null = null;

  /** `message` decides whose fault an error is. */
  constructor(message: 'request' | 'response' = 'request') {
    this.#errors = message === 'request' ? requestBodyErrors : responseBodyErrors;
  }

  begin(framing: BodyFraming, contentLength: number, limits: BodyLimits): void {
    this.dataStart = 0;
    this.dataEnd = 0;
    this.error = null;
    this.trailers = null;
    this.#trailerReader = null;
    this.#framing = framing;
    this.#remaining = contentLength;
    this.#extensionBytes = 0;
    this.#limits = limits;
    if (framing === BodyFraming.chunked) this.#state = State.sizeStart;
    else if (framing === BodyFraming.untilClose) this.#state = State.untilClose;
    else this.#state = framing === BodyFraming.length && contentLength > 0 ? State.data : State.done;
    this.isDone = this.#state === State.done;
  }

  /** Bytes that are known to be missing: of the whole body with a length, of the current chunk when chunked. */
  get remaining(): number {
    return this.#state === State.data ? this.#remaining : 0;
  }

  /**
   * Reads on in `bytes[position, end)` and returns the new position. Call it while the position is below `end` and
   * neither `isDone` nor `error` is set; after each call forward `bytes[dataStart, dataEnd)`. Every byte given is
   * taken, and none behind the body's end.
   */
  step(bytes: Buffer, position: number, end: number): number {
    this.dataStart = position;
    this.dataEnd = position;
    if (this.#state === State.data) return this.#stepData(position, end);
    if (this.#state === State.untilClose) {
      this.dataEnd = end;
      return end;
    }
    if (this.#state === State.trailers) return this.#stepTrailers(bytes, position, end);
    return this.#stepChunkLine(bytes, position, end);
  }

  /** `length` bytes of data, at most `remaining` and above 0, went past this decoder. */
  skip(length: number): void {
    this.#stepData(0, length);
  }

  #stepData(position: number, end: number): number {
    const available = end - position;
    if (available < this.#remaining) {
      this.#remaining -= available;
      this.dataEnd = end;
      return end;
    }
    this.dataEnd = position + this.#remaining;
    this.#remaining = 0;
    if (this.#framing === BodyFraming.chunked) this.#state = State.dataCarriageReturn;
    else this.#finish();
    return this.dataEnd;
  }

  /** Reads what is between chunks, up to the next chunk's first byte of data. */
  #stepChunkLine(bytes: Buffer, position: number, end: number): number {
    let at = position;
    while (at < end) {
      const next = this.#transition(bytes[at]!);
      if (this.error !== null) return at;
      this.#state = next;
      at++;
      if (next === State.data || next === State.done) break;
      if (next === State.trailers) {
        this.#beginTrailers();
        // The byte belongs to the first trailer: the reader takes it again.
        return this.#stepTrailers(bytes, at - 1, end);
      }
    }
    if (this.#state === State.done) this.#finish();
    this.dataStart = at;
    this.dataEnd = at;
    return at;
  }

  /** The state behind one byte of the chunked coding's lines; the state of an error does not matter. */
  #transition(byte: number): State {
    const errors = this.#errors;
    switch (this.#state) {
      case State.sizeStart:
        this.#remaining = 0;
        this.#digits = 0;
        return hexValue[byte] === 255 ? this.#refuse(errors.invalidChunkSize) : this.#addDigit(byte);
      case State.size:
        if (hexValue[byte] !== 255) return this.#addDigit(byte);
        if (byte === Byte.cr) return State.sizeLineFeed;
        if (byte === Byte.semicolon) return State.extension;
        if (byte === Byte.space || byte === Byte.tab) return State.beforeExtension;
        return this.#refuse(errors.invalidChunkSize);
      case State.beforeExtension:
        if (byte === Byte.semicolon) return State.extension;
        if (byte !== Byte.space && byte !== Byte.tab) return this.#refuse(errors.invalidChunkSize);
        return this.#countExtensionByte(State.beforeExtension);
      case State.extension:
        if (byte === Byte.cr) return State.sizeLineFeed;
        if (valueClass[byte] === 0) return this.#refuse(errors.invalidChunkExtension);
        return this.#countExtensionByte(State.extension);
      case State.sizeLineFeed:
        if (byte !== Byte.lf) return this.#refuse(errors.invalidChunkSize);
        return this.#remaining === 0 ? State.trailersStart : State.data;
      case State.dataCarriageReturn:
        return byte === Byte.cr ? State.dataLineFeed : this.#refuse(errors.strayBytesAfterChunk);
      case State.dataLineFeed:
        return byte === Byte.lf ? State.sizeStart : this.#refuse(errors.strayBytesAfterChunk);
      case State.trailersStart:
        return byte === Byte.cr ? State.endLineFeed : State.trailers;
      default:
        return byte === Byte.lf ? State.done : this.#refuse(errors.trailers.bareCarriageReturn);
    }
  }

  #addDigit(byte: number): State {
    this.#remaining = this.#remaining * 16 + hexValue[byte]!;
    this.#digits++;
    const isTooLarge = this.#digits > maxSizeDigits || this.#remaining > Number.MAX_SAFE_INTEGER;
    return isTooLarge ? this.#refuse(this.#errors.chunkTooLarge) : State.size;
  }

  #countExtensionByte(next: State): State {
    this.#extensionBytes++;
    return this.#extensionBytes > maxExtensionBytes ? this.#refuse(this.#errors.chunkExtensionsTooLarge) : next;
  }

  #refuse(error: CodecError): State {
    this.error = error;
    return this.#state;
  }

  #beginTrailers(): void {
    const { maxTrailersBytes, maxTrailersCount } = this.#limits;
    this.#trailerReader = new TrailerReader(this.#errors.trailers, maxTrailersBytes, maxTrailersCount);
  }

  #stepTrailers(bytes: Buffer, position: number, end: number): number {
    const reader = this.#trailerReader!;
    const next = reader.read(bytes, position, end);
    this.error = reader.error;
    if (reader.isDone) {
      this.trailers = reader.trailers;
      this.droppedTrailers += reader.droppedFields;
      this.#finish();
    }
    return next;
  }

  #finish(): void {
    this.#state = State.done;
    this.isDone = true;
  }
}
