// Writes one response after another through uWebSockets.js. The library writes the framing and `Date` itself, so these
// fields are left out of the head, which is otherwise given to it in one piece: its own fields cost a call each.
//
// A head leaves with the first bytes of its body, because the library ends no head before.

import type { NativeBuffer } from '../../../native/native-buffer.ts';
import { HeaderId } from '../../http/header-name.ts';
import type { HeaderTable } from '../../http/header-table.ts';
import { Byte } from '../../http/http1/byte-class.ts';
import { standardReason } from '../../http/http1/reason-phrase.ts';
import { announceFraming } from '../../http/http1/response-framing.ts';
import { BodyFraming, type ResponseHead } from '../../http/message.ts';
import type { Deferred, Reactor } from '../../reactor/reactor.ts';
import type { UwsResponse } from './library.ts';

export interface ResponseWriterOwner {
  /** Something was written that the client may not have had room for. */
  onResponseSlow(): void;
  /** The client takes bytes again. */
  onResponseDrained(): void;
  /** All of the response was taken, and the library is done with it. */
  onResponseComplete(): void;
}

const Step = { whole: 0, piece: 1, chunk: 2, lastChunk: 3, head: 4 } as const;
type Step = (typeof Step)[keyof typeof Step];

export class ResponseWriter implements Deferred {
  /** The library is calling us, and corks what it is given meanwhile: that cork is not ours to empty. */
  isInCall = false;
  readonly #owner: ResponseWriterOwner;
  readonly #reactor: Reactor;
  #response: UwsResponse | null = null;
  #framing: BodyFraming = BodyFraming.none;
  /** Of the body; -1 in a response without one that reports no length. */
  #totalBytes = 0;
  /** Not sent yet. */
  #head: Buffer | null = null;
  /** The first chunk, for as long as the whole response may still leave at once. */
  #held: Uint8Array | null = null;
  /** Copies of the body of a response that begins when the library is not calling us; null when there is none. */
  #late: Uint8Array[] | null = null;
  /** What the client has not taken of a body with a length, up to `#restEnd`; of the pool. */
  #rest: NativeBuffer | null = null;
  #restStart = 0;
  #restEnd = 0;
  #isBlocked = false;
  #wasBlocked = false;
  #isTaken = false;
  #isEnded = false;
  // What `#write` is to do.
  #step: Step = Step.head;
  #bytes: Uint8Array = nothing;

  constructor(owner: ResponseWriterOwner, reactor: Reactor) {
    this.#owner = owner;
    this.#reactor = reactor;
  }

  /** The next response is written to this. */
  begin(response: UwsResponse): void {
    this.#response = response;
    this.#isBlocked = false;
    this.#wasBlocked = false;
    this.#isTaken = false;
    this.#isEnded = false;
    this.#head = null;
    this.#held = null;
    this.#late = null;
  }

  /** The connection is gone: what is written from now on is dropped. */
  forget(): void {
    this.#response = null;
    this.#late = null;
    this.#dropRest();
  }

  /** The library has all of the response, perhaps before its end was told. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** The client may not have taken this response at once: since then the library reads, though it was told not to (20.57). */
  get wasBlocked(): boolean {
    return this.#wasBlocked;
  }

  /** Returns how many bytes of it are ours. A request with HEAD is answered without a body. */
  head(head: ResponseHead, isHeadRequest: boolean): number {
    if (head.framing === BodyFraming.untilClose) head.framing = BodyFraming.chunked;
    if (head.framing === BodyFraming.none && isHeadRequest) announceFraming(head);
    const { framing, contentLength } = head;
    const hasNoBody = framing === BodyFraming.length && (contentLength === 0 || isHeadRequest);
    this.#framing = hasNoBody ? BodyFraming.none : framing;
    this.#totalBytes = framing === BodyFraming.none ? reportedLength(head.headers) : contentLength;
    this.#head = encodeHead(head);
    if (this.isInCall && this.#head.length > maxCorkedBytes) this.#putOff();
    return this.#head.length;
  }

  /** `bytes` are read before it returns. */
  data(bytes: Uint8Array): void {
    if (this.#response === null || bytes.length === 0) return;
    if (this.#late !== null) {
      this.#late.push(Buffer.from(bytes));
      return;
    }
    if (this.#framing === BodyFraming.length) {
      if (this.#head !== null && bytes.length === this.#totalBytes && bytes.length <= this.#corkRoom)
        this.#cork(Step.whole, bytes);
      else if (this.#rest === null) this.#cork(Step.piece, bytes);
      else this.#keepRest(bytes);
    } else if (this.#head !== null && this.#held === null && bytes.length <= this.#corkRoom) {
      this.#held = Buffer.from(bytes);
      this.#reactor.defer(this);
    } else {
      this.#corkChunks(bytes);
    }
  }

  #corkChunks(bytes: Uint8Array): void {
    if (this.#held !== null) this.#cork(Step.chunk, nothing);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + this.#corkRoom);
      this.#cork(Step.chunk, bytes.subarray(at, end));
      at = end;
    }
  }

  /** Of a chunk beside what leaves in front of it. */
  get #corkRoom(): number {
    return this.#head === null ? maxCorkedBytes : Math.max(1, maxCorkedBytes - this.#head.length);
  }

  /** For the reactor: the response goes on in a later turn. */
  run(): void {
    if (this.#late !== null) this.#writeLate(this.#late);
    else if (this.#held !== null && this.#response !== null) this.#cork(Step.chunk, nothing);
  }

  /** Of a head that fits into no cork the library would lose a part where the client has no room (20.57). */
  #putOff(): void {
    this.#late ??= [];
    this.#reactor.deferToNextTurn(this);
  }

  #writeLate(pieces: readonly Uint8Array[]): void {
    if (this.isInCall) {
      this.#putOff();
      return;
    }
    this.#late = null;
    for (let index = 0; index < pieces.length; index++) this.data(pieces[index]!);
    if (this.#isEnded) this.end();
  }

  end(): void {
    this.#isEnded = true;
    if (this.#response === null || this.#late !== null) return;
    if (this.#framing === BodyFraming.none) this.#cork(Step.head, nothing);
    // What is written behind a full buffer is nobody's to wait for: the library calls back no more.
    else if (this.#framing === BodyFraming.chunked && !this.#isBlocked) this.#cork(Step.lastChunk, nothing);
    this.#completeIfTaken();
  }

  #completeIfTaken(): void {
    if (!this.#isEnded || !this.#isTaken) return;
    this.#response = null;
    this.#owner.onResponseComplete();
  }

  #cork(step: Step, bytes: Uint8Array): void {
    if (this.#head !== null && this.#head.length > maxCorkedBytes) this.#writeLargeHead(this.#response!, this.#head);
    this.#step = step;
    this.#bytes = bytes;
    this.#response!.cork(this.#write);
    this.#bytes = nothing;
    if (this.#wasBlocked) this.#owner.onResponseSlow();
  }

  /** One step; what it writes leaves together. */
  readonly #write = (): void => {
    const response = this.#response!;
    this.#writeHead();
    switch (this.#step) {
      // What fits into its cork the library takes in any case: asking how much of it would cost two calls more.
      case Step.whole:
        response.end(this.#bytes);
        this.#isTaken = true;
        return;
      case Step.piece:
        this.#writePiece(response, this.#bytes);
        return;
      case Step.chunk:
        // The library takes what fits into its cork, and does not say when the socket then has no room for that.
        this.#wasBlocked = true;
        this.#writeHeld(response);
        if (this.#bytes.length > 0 && !response.write(this.#bytes)) this.#awaitRoom();
        return;
      case Step.lastChunk:
        this.#writeHeld(response);
        response.end();
        this.#isTaken = true;
        return;
      case Step.head:
        if (this.#totalBytes < 0) response.endWithoutBody();
        else response.endWithoutBody(this.#totalBytes);
        this.#isTaken = true;
    }
  };

  #writeHead(): void {
    if (this.#head === null) return;
    this.#response!.writeStatus(this.#head);
    this.#head = null;
  }

  /**
   * In parts that fit: what does not fit into the library's cork is lost like a chunk. A part is a field and those behind it. A
   * field that fits into no cork goes past it: then the library keeps what the client has no room for. It does not say so.
   */
  #writeLargeHead(response: UwsResponse, head: Buffer): void {
    this.#head = null;
    this.#wasBlocked = true;
    let end = partEnd(head, 0);
    response.cork(() => response.writeStatus(head.subarray(0, end)));
    while (end < head.length) {
      const start = end + lineEnd.length;
      end = partEnd(head, start);
      const colon = head.indexOf(Byte.colon, start);
      const valueStart = head[colon + 1] === Byte.space ? colon + 2 : colon + 1;
      const write = () => response.writeHeader(head.subarray(start, colon), head.subarray(valueStart, end));
      if (end - start > maxCorkedBytes) write();
      else response.cork(write);
    }
  }

  #writeHeld(response: UwsResponse): void {
    if (this.#held === null) return;
    if (!response.write(this.#held)) this.#awaitRoom();
    this.#held = null;
  }

  #writePiece(response: UwsResponse, bytes: Uint8Array): void {
    const takenBytes = this.#offer(response, bytes);
    if (takenBytes === bytes.length) return;
    this.#keepRest(bytes.subarray(takenBytes));
    this.#awaitRoom();
  }

  /** Returns how many were taken. */
  #offer(response: UwsResponse, bytes: Uint8Array): number {
    const before = response.getWriteOffset();
    const [isTaken, isComplete] = response.tryEnd(bytes, this.#totalBytes);
    this.#isTaken = isComplete;
    return isTaken || isComplete ? bytes.length : response.getWriteOffset() - before;
  }

  /**
   * Behind what is kept already. From the pool: buffers that were made and dropped for each piece left 10 to 24 MB more
   * resident, with 64 large bodies under way (measured).
   */
  #keepRest(bytes: Uint8Array): void {
    const { buffers } = this.#reactor;
    const earlier = this.#rest;
    const keptBytes = this.#restEnd - this.#restStart;
    const rest = buffers.take(keptBytes + bytes.length);
    if (earlier !== null) {
      earlier.bytes.copy(rest.bytes, 0, this.#restStart, this.#restEnd);
      buffers.release(earlier);
    }
    rest.bytes.set(bytes, keptBytes);
    this.#rest = rest;
    this.#restStart = 0;
    this.#restEnd = keptBytes + bytes.length;
  }

  /** In a cork: for what is written outside of one the library writes a line to the error output. */
  readonly #writeRest = (): void => {
    const rest = this.#rest;
    if (rest === null) return;
    const response = this.#response!;
    const takenBytes = this.#offer(response, rest.bytes.subarray(this.#restStart, this.#restEnd));
    this.#restStart += takenBytes;
    if (this.#restStart === this.#restEnd) this.#dropRest();
  };

  #dropRest(): void {
    if (this.#rest === null) return;
    this.#reactor.buffers.release(this.#rest);
    this.#rest = null;
    this.#restStart = 0;
    this.#restEnd = 0;
  }

  #awaitRoom(): void {
    this.#isBlocked = true;
    this.#wasBlocked = true;
  }

  /** The client's socket has room. */
  onRoom(): void {
    const response = this.#response;
    if (response === null || !this.#wasBlocked) return;
    // An empty write takes with it what the library keeps of chunks, and of heads.
    response.cork(this.#writeRest);
    if (this.#rest !== null || !this.#isBlocked) return;
    this.#isBlocked = false;
    if (this.#isEnded && this.#framing === BodyFraming.chunked) this.#cork(Step.lastChunk, nothing);
    this.#completeIfTaken();
    if (!this.#isEnded) this.#owner.onResponseDrained();
  }
}

const nothing = new Uint8Array(0);

/**
 * The library's cork takes 16 KiB, of which its own fields and the lines of chunks need some. A chunk that does not fit beside
 * what is in there is lost when the socket has no room for that, though its line says that it follows (uWebSockets.js 20.57).
 */
const maxCorkedBytes = 15 * 1024;

/** Where the last line ends that fits into one part with those from `start` on; a line that does not is a part of its own. */
function partEnd(head: Buffer, start: number): number {
  if (head.length - start <= maxCorkedBytes) return head.length;
  const fitting = head.lastIndexOf(lineEnd, start + maxCorkedBytes);
  const end = fitting > start ? fitting : head.indexOf(lineEnd, start);
  return end < 0 ? head.length : end;
}

const lineEnd = '\r\n';

/** Status and fields, without the first `HTTP/1.1 ` and the last line end: what `writeStatus` adds them to. */
function encodeHead({ status, reason, headers, framing }: ResponseHead): Buffer {
  const phrase = reason === '' ? standardReason(status) : reason;
  const bytes = Buffer.allocUnsafe(headers.used + phrase.length + 8);
  let at = bytes.latin1Write(`${status} ${phrase}\r\n`, 0);
  for (let row = 0; row < headers.rowCount; row++) {
    const id = headers.id(row);
    if (headers.isRemoved(row) || id === HeaderId.date || id === HeaderId.contentLength) continue;
    if (id === HeaderId.transferEncoding && framing === BodyFraming.chunked) continue;
    at += headers.bytes.copy(bytes, at, headers.lineStart(row), headers.lineEnd(row));
  }
  return bytes.subarray(0, at - 2);
}

/** What a response without a body says of the one it stands for (HEAD, 304). */
function reportedLength(headers: HeaderTable): number {
  const row = headers.findId(HeaderId.contentLength);
  return row < 0 ? -1 : Number(headers.value(row));
}
