import t from 'tap';
import { beginIds, extract, inject, renewSpanId } from '../../../proxy/tracing/propagation.ts';
import { ParentDecision, TraceContext, TraceFormat } from '../../../proxy/tracing/trace-context.ts';
import { linesOf, tableOf } from '../../support/header-lines.ts';
import { seededDigits } from '../../support/trace-digits.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const parent = (flags: string) => `traceparent: 00-${traceId}-${parentId}-${flags}`;

const random = seededDigits(1);

/** What the next hop gets for what arrived, when the decision is the parent's or no. */
function told(lines: readonly string[], formats: number, change: (context: TraceContext) => void = () => undefined) {
  const context = new TraceContext();
  const headers = tableOf('Host: a', ...lines);
  extract(headers, context, formats);
  beginIds(context, random);
  context.isSampled =
    context.parentDecision === ParentDecision.sampled || context.parentDecision === ParentDecision.debug;
  change(context);
  inject(context, headers, formats);
  const sent = linesOf(headers).filter((line) => line !== 'Host: a');
  return { context, headers, sent };
}

t.test('a request that brings nothing begins a trace with random ids', async (t) => {
  const { context, sent } = told([], TraceFormat.w3c);
  t.equal(context.hasParent, false);
  t.match(context.traceId, /^[0-9a-f]{32}$/);
  t.same(sent, [`traceparent: 00-${context.traceId}-${context.spanId}-02`]);
  t.not(told([], TraceFormat.w3c).context.traceId, context.traceId);
});

t.test('a new trace of Zipkin has a 64-bit id where it is told to', async (t) => {
  const context = new TraceContext();
  const headers = tableOf();
  extract(headers, context, TraceFormat.b3Multi);
  beginIds(context, random, true);
  inject(context, headers, TraceFormat.b3Multi);
  t.match(context.traceId, /^0{16}[0-9a-f]{16}$/);
  t.same(linesOf(headers), [
    `x-b3-traceid: ${context.traceId.slice(16)}`,
    `x-b3-spanid: ${context.spanId}`,
    'x-b3-sampled: 0',
  ]);
});

t.test('a trace that arrived is told on in place, with a span id of our own', async (t) => {
  const { context, sent } = told([`TraceParent: ${parent('01').slice(13)}`], TraceFormat.w3c);
  t.same([context.traceId, Buffer.from(context.parentSpanId).toString()], [traceId, parentId]);
  t.same(sent, [`TraceParent: 00-${traceId}-${context.spanId}-01`]);
});

t.test('the random flag is told on as it came', async (t) => {
  for (const flags of ['00', '01', '02', '03'])
    t.match(told([parent(flags)], TraceFormat.w3c).sent[0], new RegExp(`-${flags}$`));
  t.match(told([parent('ff')], TraceFormat.w3c).sent[0], /-03$/, 'flags that nobody knows are not');
});

t.test('every format that arrived is written, and the one of the provider', async (t) => {
  const { context, sent } = told([parent('01'), 'b3: 0', 'x-b3-sampled: 1'], TraceFormat.w3c);
  const { spanId } = context;
  t.same(sent, [
    `traceparent: 00-${traceId}-${spanId}-01`,
    `b3: ${traceId}-${spanId}-1-${parentId}`,
    `x-b3-traceid: ${traceId}`,
    `x-b3-spanid: ${spanId}`,
    `x-b3-parentspanid: ${parentId}`,
    'x-b3-sampled: 1',
  ]);
});

t.test('an attempt is a span of its own, below that of the request', async (t) => {
  const { context, headers } = told([parent('01'), 'b3: 0', 'x-b3-sampled: 1'], TraceFormat.w3c);
  const seen = new Set([context.spanId]);
  for (let attempt = 0; attempt < 3; attempt++) {
    renewSpanId(context, headers, random);
    const spanId = Buffer.from(context.attemptSpanId).toString();
    t.match(spanId, /^[0-9a-f]{16}$/);
    t.notOk(seen.has(spanId));
    seen.add(spanId);
    t.same(linesOf(headers).slice(1), [
      `traceparent: 00-${traceId}-${spanId}-01`,
      `b3: ${traceId}-${spanId}-1-${context.spanId}`,
      `x-b3-traceid: ${traceId}`,
      `x-b3-spanid: ${spanId}`,
      `x-b3-parentspanid: ${context.spanId}`,
      'x-b3-sampled: 1',
    ]);
  }
});

t.test('the threshold of our own decision is told, and nobody else loses a member', async (t) => {
  const { sent } = told([parent('02'), 'tracestate: a=1', 'tracestate: b=2'], TraceFormat.w3c, (context) => {
    context.isSampled = true;
    context.sentThreshold = 'fd70a4';
  });
  t.equal(sent[1], 'tracestate: ot=th:fd70a4,a=1,b=2');
});

t.test('a tracestate without a right traceparent is dropped', async (t) => {
  for (const format of [TraceFormat.w3c, TraceFormat.b3])
    t.notOk(told(['tracestate: a=1'], format).sent.some((line) => line.startsWith('tracestate')));
  t.same(told(['traceparent: x', 'tracestate: a=1'], TraceFormat.w3c).sent.length, 1);
});
