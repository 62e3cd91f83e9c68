// The trace that one request belongs to. Ids live as the bytes that go to the wire, so that a request which is not kept
// makes no strings. Objects are pooled by worker: `reset` makes one new.
// https://www.w3.org/TR/trace-context-2/

import { type EncodedLine, encodeLine } from '../http/header-table.ts';

/** What the caller decided. */
export const ParentDecision = {
  /** Nothing arrived, or ids without a decision (B3 "defer"): the decision is ours. */
  absent: 0,
  sampled: 1,
  notSampled: 2,
  /** B3 debug: kept, whatever the rates. */
  debug: 3,
} as const;
export type ParentDecision = (typeof ParentDecision)[keyof typeof ParentDecision];

/** Formats of headers, a bit each. */
export const TraceFormat = { w3c: 1, b3: 2, b3Multi: 4 } as const;

/** Where ids lie in the line `traceparent: 00-<32 hex>-<16 hex>-<2 hex>`. */
export const TraceparentAt = { traceId: 16, spanId: 49, flags: 66 } as const;
export const traceIdLength = 32;
export const spanIdLength = 16;
/** The last 14 digits of a trace id are its random value R (56 bits). */
export const randomLength = 14;
/** Where R lies in that line. */
export const randomAt = TraceparentAt.traceId + traceIdLength - randomLength;

// Ids are Buffers, as the line is: loops over ids that see one kind of array only take a fifth less time.
export class TraceContext {
  /** The line as it is sent; lower-case hex. The ids of this request are in it and nowhere else. */
  readonly line: EncodedLine = encodeLine('traceparent', '00-00000000000000000000000000000000-0000000000000000-00');
  /** 16 digits of the caller's span; meaningful when `hasParent`. */
  readonly parentSpanId: Uint8Array = Buffer.alloc(spanIdLength);
  /** 16 digits of the attempt that `renewSpanId` told the endpoint of; the id in `line` is then its parent's. */
  readonly attemptSpanId: Uint8Array = Buffer.alloc(spanIdLength);
  // The same bytes, for whoever writes ids by words.
  readonly lineView: DataView = viewOf(this.line.bytes);
  readonly attemptView: DataView = viewOf(this.attemptSpanId);
  hasParent = false;
  /** Where in the bytes of the headers the `traceparent` stands that the ids were taken from; -1 when from elsewhere. */
  traceparentAt = -1;
  parentDecision: ParentDecision = ParentDecision.absent;
  /** Formats that arrived, bits of `TraceFormat`. */
  formats = 0;
  /** The random flag (0x02) as received, or set by us on a trace that begins here with random ids. */
  hasRandomFlag = false;
  /** 14 digits of `ot=rv:`; empty when R is taken from the trace id. */
  randomValue = '';
  /** `ot=th:` of the parent, zeros cut; empty when it is not known or was found inconsistent with its decision. */
  threshold = '';
  /** Other keys of the `ot` member, as received and without `th` and `rv`; empty when there are none. */
  otherOt = '';
  /** Members of tracestate other than `ot` and our own, as received; empty when there are none. */
  otherState = '';
  /** Value of our own member of tracestate, `trust.chain` of the hop before; empty when there was none. */
  receivedChain = '';
  /** Lines of tracestate arrived, and none of their members is to be dropped. */
  keepsState = false;
  /** B3 extracts a 64-bit trace id: it is padded in `line`, and told on as it came where B3 is written. */
  has64BitId = false;

  /** Formats that `inject` wrote. */
  sentFormats = 0;
  /** What is told on, set by whoever decides, before `inject`. `extract` leaves the parent's threshold in it. */
  isSampled = false;
  /** Zeros cut; empty when the probability is not known. */
  sentThreshold = '';
  /** `trust.chain` of our span, told on when `isSampled`; empty tells none. */
  sentChain = '';

  // Its bytes once more: a text is cut out of a Buffer at once, out of other arrays digit by digit.
  readonly #lineText = Buffer.from(this.line.bytes.buffer, this.line.bytes.byteOffset, this.line.bytes.length);

  get traceId(): string {
    return this.#lineText.latin1Slice(TraceparentAt.traceId, TraceparentAt.traceId + traceIdLength);
  }

  get spanId(): string {
    return this.#lineText.latin1Slice(TraceparentAt.spanId, TraceparentAt.spanId + spanIdLength);
  }

  /** Ids are left as they are: whoever takes the object writes them. */
  reset(): void {
    this.hasParent = false;
    this.traceparentAt = -1;
    this.parentDecision = ParentDecision.absent;
    this.formats = 0;
    this.hasRandomFlag = false;
    this.randomValue = '';
    this.threshold = '';
    this.otherOt = '';
    this.otherState = '';
    this.receivedChain = '';
    this.keepsState = false;
    this.has64BitId = false;
    this.sentFormats = 0;
    this.isSampled = false;
    this.sentThreshold = '';
    this.sentChain = '';
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
