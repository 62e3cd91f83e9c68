// Reads the records of kept requests that workers send (`proxy/tracing/span-record.ts`). Nothing is copied: spans are views of
// the batch, which lives as long as they are looked at.

import { RecordFlag } from '../tracing/span-record.ts';

export interface SpanRecord {
  /** Index of the provider, as the worker announced it. */
  readonly provider: number;
  /** One of `SamplingReason`. */
  readonly reason: number;
  readonly isHeadKept: boolean;
  readonly isSignatureNew: boolean;
  /** The first span has the id of the caller's. */
  readonly sharesSpanId: boolean;
  readonly keySlot: number;
  /** Of the kind of error; 0 without one. */
  readonly signature: number;
  /** R, 14 lower-case hex digits. */
  readonly random: string;
  /**
   * 14 digits; null when it is not known. Of the head decision; of a request that this did not choose, what of stage 2 it
   * has passed.
   */
  readonly threshold: string | null;
  /** Keys of the `ot` member other than `th`, joined by `;`. */
  readonly ot: string;
  /** Other members of tracestate, joined by commas. */
  readonly otherState: string;
  /** Each an OTLP `Span` without `trace_state`; the first is that of the request. */
  readonly spans: readonly Uint8Array[];
}

/** What is before the text of the state, behind the length of the record. */
const headBytes = 4 + 4 + 4 + 14 + 14 + 2;

/** The records of a batch, oldest first. Damage is a fault of ours and ends the process: there is nobody else to send one. */
export function readSpanRecords(batch: Uint8Array): readonly SpanRecord[] {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  const records: SpanRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + 4;
    const end = start + (start > bytes.length ? 0 : bytes.readUInt32LE(at));
    if (start + headBytes > end || end > bytes.length) throw new RangeError(`a record of spans is cut at byte ${at}`);
    records.push(readRecord(bytes, start, end));
    at = end;
  }
  return records;
}

function readRecord(bytes: Buffer, start: number, end: number): SpanRecord {
  const flags = bytes[start + 2]!;
  const stateAt = start + headBytes;
  const stateEnd = stateAt + bytes.readUInt16LE(stateAt - 2);
  const [ot = '', otherState = ''] = readState(bytes, stateAt, Math.min(stateEnd, end));
  return {
    provider: bytes[start]!,
    reason: bytes[start + 1]!,
    isHeadKept: (flags & RecordFlag.isHeadKept) !== 0,
    isSignatureNew: (flags & RecordFlag.isNewSignature) !== 0,
    sharesSpanId: (flags & RecordFlag.sharesSpanId) !== 0,
    keySlot: bytes.readUInt32LE(start + 4),
    signature: bytes.readUInt32LE(start + 8),
    random: bytes.latin1Slice(start + 12, start + 26),
    threshold: (flags & RecordFlag.knowsThreshold) === 0 ? null : readThreshold(bytes, start + 26),
    ot,
    otherState,
    spans: readSpans(bytes, { from: stateEnd, end, count: bytes[start + 3]! }),
  };
}

// Most have none: two parts that are empty.
function readState(bytes: Buffer, from: number, end: number): readonly string[] {
  return end - from <= 1 ? noState : bytes.latin1Slice(from, end).split('\n');
}

const noState: readonly string[] = [];

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

const thresholdLength = 14;
const lastThreshold = { text: '' };

function readSpans(
  bytes: Buffer,
  { from, end, count }: { readonly from: number; readonly end: number; readonly count: number },
): readonly Uint8Array[] {
  const spans: Uint8Array[] = [];
  let at = from;
  for (let number = 0; number < count; number++) {
    const start = at + 4;
    const stop = start > end ? Number.POSITIVE_INFINITY : start + bytes.readUInt32LE(at);
    if (stop > end) throw new RangeError(`span ${number} of a record is cut`);
    spans.push(bytes.subarray(start, stop));
    at = stop;
  }
  if (at !== end) throw new RangeError(`a record has ${end - at} bytes behind its last span`);
  return spans;
}
