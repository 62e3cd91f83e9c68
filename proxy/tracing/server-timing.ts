// What a callee says on the way back: it keeps this trace, though the caller had decided against it. The caller may then
// keep its part too, and say so in turn, so that the way of an error is whole up to where it was swallowed.
//
//   server-timing: trace;desc=00-<trace id>-<span id>-01
//
// Said only between hops that trust each other, and taken out where a response leaves them.
// https://www.w3.org/TR/server-timing/ and the trace context recommendation's deferred sampling

import { HeaderId } from '../http/header-name.ts';
import { encodeLine, type HeaderTable } from '../http/header-table.ts';
import { isHexText } from './hex-digits.ts';
import { spanIdLength, type TraceContext, TraceparentAt, traceIdLength } from './trace-context.ts';
import type { PeerIdentity } from './trust.ts';

/**
 * Whether what a neighbour says of a trace is believed, and it is told: `mesh` asks for mutual TLS, `internal` also takes
 * an internal address.
 */
export function isTrustedHop(
  accept: 'mesh' | 'internal' | 'none',
  identity: PeerIdentity | null,
  isInternal: boolean,
): boolean {
  if (accept === 'none') return false;
  return identity !== null || (accept === 'internal' && isInternal);
}

/**
 * Takes what a callee said of a trace out of the headers of its response. True when it keeps the trace of this context.
 * Other metrics of the field stay, and so does a field that is malformed.
 */
export function takeTraceTiming(headers: HeaderTable, context: TraceContext): boolean {
  let isKept = false;
  for (
    let row = headers.findId(HeaderId.serverTiming);
    row >= 0;
    row = headers.findId(HeaderId.serverTiming, row + 1)
  ) {
    const value = headers.value(row);
    if (!value.includes('trace')) continue;
    const metrics = splitMetrics(value);
    if (metrics === null) continue;
    const others = metrics.filter((metric) => !isTraceMetric(metric));
    if (others.length === metrics.length) continue;
    isKept ||= metrics.some((metric) => isTraceMetric(metric) && saysKept(metric, context));
    if (others.length === 0) headers.removeRow(row);
    else headers.replaceValue(row, others.join(', '));
  }
  return isKept;
}

/** Says that this hop keeps the trace, to a caller for whom `isTrustedHop` holds. */
export function writeTraceTiming(headers: HeaderTable, context: TraceContext): void {
  const from = TraceparentAt.traceId;
  const length = TraceparentAt.flags - from;
  for (let index = 0; index < length; index++) {
    keptLine.bytes[idsInLine + index] = context.line.bytes[from + index]!;
  }
  headers.appendLine(keptLine);
}

/** How many upgrades a worker grants in a second: a callee must not decide what a caller spends. */
export class UpgradeBudget {
  readonly #maxPerSecond: number;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond;
  }

  /** `nowMs` is of a clock that does not go back. */
  take(nowMs: number): boolean {
    if (nowMs - this.#startedAtMs >= 1000) {
      this.#startedAtMs = nowMs;
      this.#left = this.#maxPerSecond;
    }
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

const opening = 'server-timing: trace;desc=00-';
const keptLine = encodeLine(
  'server-timing',
  `trace;desc=00-${'0'.repeat(traceIdLength)}-${'0'.repeat(spanIdLength)}-01`,
);
const idsInLine = opening.length;

/** Metrics between commas that are in no quotes; null when quotes do not end. */
function splitMetrics(value: string): string[] | null {
  const metrics: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (isQuoted && character === '\\') at++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) {
      metrics.push(value.slice(start, at).trim());
      start = at + 1;
    }
  }
  if (isQuoted) return null;
  metrics.push(value.slice(start).trim());
  return metrics;
}

const traceMetric = /^trace[ \t]*;[ \t]*desc[ \t]*=[ \t]*("?)([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})\1$/;

function isTraceMetric(metric: string): boolean {
  return traceMetric.test(metric);
}

function saysKept(metric: string, context: TraceContext): boolean {
  const [version, traceId, spanId, flags] = traceMetric.exec(metric)![2]!.split('-');
  if (version !== '00' || /^0+$/.test(spanId!)) return false;
  return traceId === context.traceId && isHexText(flags!, 2, 2) && Number.parseInt(flags!, 16) % 2 === 1;
}
