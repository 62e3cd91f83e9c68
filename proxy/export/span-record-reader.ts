// Reads the records of kept requests that workers send (`proxy/tracing/span-record.ts`). Nothing is copied: a record is a view of
// the batch that it came in, which lives as long as it is looked at.
//
// Texts and views of spans are made when they are asked for. Where all traces are kept nobody asks for most of them, and each is
// a call out of V8.

import { RecordFlag } from '../tracing/span-record.ts';

/** What is before the text of the state, behind the length of the record. */
const headBytes = 4 + 4 + 4 + 14 + 14 + 2;
const randomAt = 12;
const thresholdAt = 26;
const thresholdLength = 14;

export class SpanRecord {
  /** Those of the batch. */
  readonly bytes: Buffer;
  /** Behind the length of the record. */
  readonly start: number;
  readonly end: number;
  readonly #stateEnd: number;

  /** Of bytes that `readSpanRecords` has found to be whole. */
  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#stateEnd = start + headBytes + bytes.readUInt16LE(start + headBytes - 2);
  }

  /** Index of the provider, as the worker announced it. */
  get provider(): number {
    return this.bytes[this.start]!;
  }

  /** One of `SamplingReason`. */
  get reason(): number {
    return this.bytes[this.start + 1]!;
  }

  get isHeadKept(): boolean {
    return this.#has(RecordFlag.isHeadKept);
  }

  get isSignatureNew(): boolean {
    return this.#has(RecordFlag.isNewSignature);
  }

  /** The first span has the id of the caller's. */
  get sharesSpanId(): boolean {
    return this.#has(RecordFlag.sharesSpanId);
  }

  get spanCount(): number {
    return this.bytes[this.start + 3]!;
  }

  get keySlot(): number {
    return this.bytes.readUInt32LE(this.start + 4);
  }

  /** Of the kind of error; 0 without one. */
  get signature(): number {
    return this.bytes.readUInt32LE(this.start + 8);
  }

  /** R, 14 lower-case hex digits. */
  get random(): string {
    const at = this.start + randomAt;
    return this.bytes.latin1Slice(at, at + thresholdLength);
  }

  /** Where its digits stand in `bytes`. */
  get randomStart(): number {
    return this.start + randomAt;
  }

  /**
   * 14 digits; null when it is not known. Of the head decision; of a request that this did not choose, what of stage 2 it
   * has passed.
   */
  get threshold(): string | null {
    return this.#has(RecordFlag.knowsThreshold) ? readThreshold(this.bytes, this.start + thresholdAt) : null;
  }

  /** Keys of the `ot` member other than `th`, joined by `;`. */
  get ot(): string {
    return this.#state()[0] ?? '';
  }

  /** Other members of tracestate, joined by commas. */
  get otherState(): string {
    return this.#state()[1] ?? '';
  }

  /** Where the length of the first span stands. Behind each length is an OTLP `Span`, behind that the next length. */
  get spansStart(): number {
    return this.#stateEnd;
  }

  /** Each an OTLP `Span` without `trace_state`; the first is that of the request. */
  get spans(): readonly Uint8Array[] {
    const spans: Uint8Array[] = [];
    for (let at = this.#stateEnd; at < this.end; ) {
      const stop = at + 4 + this.bytes.readUInt32LE(at);
      spans.push(this.bytes.subarray(at + 4, stop));
      at = stop;
    }
    return spans;
  }

  /** The same without the batch that it came in, of which the rest may be dropped: in `room`, of `end - start` bytes. */
  copyTo(room: Buffer): SpanRecord {
    this.bytes.copy(room, 0, this.start, this.end);
    return new SpanRecord(room, 0, room.length);
  }

  #has(flag: number): boolean {
    return (this.bytes[this.start + 2]! & flag) !== 0;
  }

  // Most have none: two parts that are empty.
  #state(): readonly string[] {
    const from = this.start + headBytes;
    return this.#stateEnd - from <= 1 ? noState : this.bytes.latin1Slice(from, this.#stateEnd).split('\n');
  }
}

const noState: readonly string[] = [];

/** The records of a batch, oldest first. Damage is a fault of ours and ends the process: there is nobody else to send one. */
export function readSpanRecords(batch: Uint8Array): readonly SpanRecord[] {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  const records: SpanRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + 4;
    const end = start + (start > bytes.length ? 0 : bytes.readUInt32LE(at));
    if (start + headBytes > end || end > bytes.length) throw new RangeError(`a record of spans is cut at byte ${at}`);
    const record = new SpanRecord(bytes, start, end);
    checkSpans(record);
    records.push(record);
    at = end;
  }
  return records;
}

// Those of a batch are few, and a text is made by a call out of V8.
function readThreshold(bytes: Buffer, from: number): string {
  const { text } = lastThreshold;
  for (let index = 0; index < thresholdLength; index++) {
    if (text.charCodeAt(index) === bytes[from + index]) continue;
    lastThreshold.text = bytes.latin1Slice(from, from + thresholdLength);
    break;
  }
  return lastThreshold.text;
}

const lastThreshold = { text: '' };

function checkSpans({ bytes, spansStart, spanCount, end }: SpanRecord): void {
  let at = spansStart;
  for (let number = 0; number < spanCount; number++) {
    const stop = at + 4 > end ? Number.POSITIVE_INFINITY : at + 4 + bytes.readUInt32LE(at);
    if (stop > end) throw new RangeError(`span ${number} of a record is cut`);
    at = stop;
  }
  if (at !== end) throw new RangeError(`a record has ${end - at} bytes behind its last span`);
}
