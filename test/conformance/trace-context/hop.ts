// One hop as the W3C conformance suite sees it: a service that is called with headers and calls on. In its place stand
// the functions that make what the next hop gets out of what arrived.
// https://github.com/w3c/trace-context/tree/main/test

import { beginIds, extract, inject } from '../../../proxy/tracing/propagation.ts';
import { ParentDecision, TraceContext, TraceFormat } from '../../../proxy/tracing/trace-context.ts';
import { tableOf } from '../../support/header-lines.ts';
import { fieldsOf } from '../../support/http-fixtures.ts';
import { seededDigits } from '../../support/trace-digits.ts';
import { type TraceContextCase, traceId } from './cases.ts';

export interface NextHop {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
  /** All lines of tracestate as one list, in order. */
  readonly members: readonly string[];
}

const random = seededDigits(41);

/** What the next hop gets for these lines; throws when it is not exactly one right `traceparent`. */
export function nextHop(...lines: readonly string[]): NextHop {
  const context = new TraceContext();
  const headers = tableOf('Host: shop.example', ...lines);
  extract(headers, context, TraceFormat.w3c);
  beginIds(context, random);
  context.isSampled = context.parentDecision === ParentDecision.sampled;
  inject(context, headers, TraceFormat.w3c);
  return readNextHop(fieldsOf(headers));
}

/** Whether the next hop got what the case says: a new span of the trace that arrived, or of a new one. */
export function isAsExpected(next: NextHop, { lines, isContinued, members }: TraceContextCase): boolean {
  const isNewSpan = !lines.some((line) => line.includes(`-${next.spanId}-`));
  const isInherited = next.traceId === traceId;
  // A new id has nothing to do with one that arrived, be it longer or in part wrong.
  const isBegun = !lines.some((line) => line.includes(next.traceId.slice(4, 28)));
  const isState =
    members.length === 0 ? next.members.length === 0 : members.every((each, at) => next.members[at] === each);
  return isNewSpan && isState && (isContinued ? isInherited : isBegun);
}

/** `fields` are lines `name: value`. */
export function readNextHop(fields: readonly string[]): NextHop {
  const valuesOf = (name: string) =>
    fields.filter((field) => field.toLowerCase().startsWith(`${name}: `)).map((field) => field.slice(name.length + 2));
  const parents = valuesOf('traceparent');
  if (parents.length !== 1) throw new Error(`${parents.length} fields traceparent`);
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(parents[0]!);
  if (match === null || /^0+$/.test(match[1]!) || /^0+$/.test(match[2]!)) throw new Error(parents[0]);
  return {
    traceId: match[1]!,
    spanId: match[2]!,
    flags: Number.parseInt(match[3]!, 16),
    members: valuesOf('tracestate')
      .flatMap((value) => value.split(','))
      .map((member) => member.trim())
      .filter((member) => member !== ''),
  };
}
