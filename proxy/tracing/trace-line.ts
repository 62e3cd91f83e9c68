// The trace of a request that brought none and was not chosen, which most are: the line `traceparent` that the next hop gets,
// written behind the headers of the request. There it stays until the request is over, whatever becomes of them (an edit moves no
// bytes), so that nothing else need be kept of such a trace: whoever wants to know more reads the ids there. It has a
// `RequestTrace` once something happens that spans tell of: an error, a second attempt, a name from the other side.

import { HeaderId } from '../http/header-name.ts';
import { type HeaderTable, headerIdSet } from '../http/header-table.ts';
import type { LoggedTrace } from '../http/stream-info.ts';
import type { RandomDigits } from './random-digits.ts';
import { SamplingReason } from './sampling-reason.ts';
import { spanIdLength, type TraceContext, TraceparentAt, traceIdLength } from './trace-context.ts';

/** Draws ids, and writes the line without making it a field of the headers. Returns where it begins. */
export function writeTraceLine(headers: HeaderTable, random: RandomDigits): number {
  headers.reserve(lineLength);
  const at = headers.used;
  headers.used = at + lineLength;
  const { view } = headers;
  view.setInt32(at, wordTrac);
  view.setInt32(at + 4, wordEpar);
  view.setInt32(at + 8, wordEnt);
  view.setInt32(at + 12, wordVersion);
  random.write(view, at + TraceparentAt.traceId, traceIdLength);
  view.setInt8(at + TraceparentAt.spanId - 1, dash);
  random.write(view, at + TraceparentAt.spanId, spanIdLength);
  view.setInt32(at + TraceparentAt.flags - 1, wordFlags);
  view.setInt8(at + lineLength - 1, lineFeed);
  return at;
}

/** Makes the line at `at` the field that it is. */
export function addTraceLine(headers: HeaderTable, at: number): void {
  const valueAt = at + nameLength + 2;
  headers.addIdentifiedRow(HeaderId.traceparent, at, at + nameLength, valueAt, at + lineLength - 2, at + lineLength);
}

/** Makes the context that of the line at `at`. */
export function readTraceLine({ bytes }: HeaderTable, at: number, context: TraceContext): void {
  const line = context.line.bytes;
  for (let index = TraceparentAt.traceId; index < TraceparentAt.flags; index++) line[index] = bytes[at + index]!;
  context.hasRandomFlag = true;
}

/** Where the line of such a trace is, for whoever asks in passing: a log, or a format in a header. Of a head, for all its requests. */
export class LineTrace implements LoggedTrace {
  readonly reason = SamplingReason.none;
  at = 0;
  /** As those of a `RequestTrace`. */
  keySlot = 0;
  keyEpoch = 0;
  readonly #headers: HeaderTable;

  constructor(headers: HeaderTable) {
    this.#headers = headers;
  }

  get traceIdText(): string {
    return this.#digits(TraceparentAt.traceId, traceIdLength);
  }

  get spanIdText(): string {
    return this.#digits(TraceparentAt.spanId, spanIdLength);
  }

  #digits(from: number, length: number): string {
    return this.#headers.bytes.latin1Slice(this.at + from, this.at + from + length);
  }
}

/** What makes of the trace more than such a line, or is taken out where the line is told. */
export const propagationFields = headerIdSet([
  HeaderId.traceparent,
  HeaderId.tracestate,
  HeaderId.b3,
  HeaderId.xB3Traceid,
  HeaderId.xB3Spanid,
  HeaderId.xB3Parentspanid,
  HeaderId.xB3Sampled,
  HeaderId.xB3Flags,
]);

const nameLength = 11;
const lineLength = TraceparentAt.flags + 4;
const dash = 0x2d;
const lineFeed = 0x0a;

const wordTrac = wordOf('trac');
const wordEpar = wordOf('epar');
const wordEnt = wordOf('ent:');
const wordVersion = wordOf(' 00-');
/** Random ids, not chosen. */
const wordFlags = wordOf('-02\r');

function wordOf(text: string): number {
  return Buffer.from(text, 'latin1').readInt32BE();
}
