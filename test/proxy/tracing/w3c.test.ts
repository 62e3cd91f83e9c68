import fc from 'fast-check';
import t from 'tap';
import { ParentDecision, TraceContext } from '../../../proxy/tracing/trace-context.ts';
import { findTraceparent, isSameTrace, takeTraceparent, writeTraceparent } from '../../../proxy/tracing/w3c.ts';
import { linesOf, tableOf } from '../../support/header-lines.ts';
import { modelTraceparent } from '../../support/trace-model.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

t.test('a value with any one byte changed is read as the model reads it', async () => {
  const right = fc.constantFrom(
    `00-${traceId}-${spanId}-01`,
    `cc-${traceId}-${spanId}-02-more`,
    `00-${traceId}-${spanId}-01-`,
  );
  fc.assert(
    fc.property(right, fc.nat(60), fc.constantFrom(...'0fFg-.\u00e9'), fc.nat(70), (value, at, byte, length) => {
      const changed = (value.slice(0, at) + byte + value.slice(at + 1)).slice(0, length);
      const headers = tableOf(`traceparent: ${changed}`);
      const model = modelTraceparent([['traceparent', changed]]);
      const found = findTraceparent(headers);
      const context = new TraceContext();
      const isTaken = found >= 0 && takeTraceparent(headers, found, context);
      if (!isTaken || model === null) return !isTaken && model === null && !context.hasParent;
      const decision = context.parentDecision === ParentDecision.sampled ? 'sampled' : 'notSampled';
      return (
        isSameTrace(headers, found, context) &&
        context.traceId === model.ids!.traceId &&
        Buffer.from(context.parentSpanId).toString() === model.ids!.spanId &&
        decision === model.decision
      );
    }),
    { seed: 3, numRuns: 3000 },
  );
});

t.test('a field is of the same trace when both of its ids are right', async (t) => {
  const context = new TraceContext();
  const own = tableOf(`traceparent: 00-${traceId}-${spanId}-00`);
  takeTraceparent(own, findTraceparent(own), context);
  const isSame = (value: string) => {
    const headers = tableOf(`traceparent: ${value}`);
    return isSameTrace(headers, findTraceparent(headers), context);
  };
  t.equal(isSame(`00-${traceId}-${'a'.repeat(16)}-01`), true);
  t.equal(isSame(`00-${traceId}-${'0'.repeat(16)}-01`), false);
  t.equal(isSame(`00-${traceId.replace('4', '5')}-${spanId}-01`), false);
});

t.test('a field whose ids were taken keeps its trace id and gets our version', async (t) => {
  const headers = tableOf(`traceparent: cc-${traceId}-${spanId}-01`);
  const context = new TraceContext();
  takeTraceparent(headers, findTraceparent(headers), context);
  writeTraceparent(headers, context);
  t.same(linesOf(headers), [`traceparent: 00-${traceId}-${'0'.repeat(16)}-00`]);
  headers.replaceValue(0, `00-${'f'.repeat(32)}-${'f'.repeat(16)}-ff`);
  writeTraceparent(headers, context);
  t.same(linesOf(headers), [`traceparent: 00-${traceId}-${'0'.repeat(16)}-00`], 'whoever changed the field between');
});

t.test('a field of our length is written over where it stands, any other is replaced', async (t) => {
  const context = new TraceContext();
  context.isSampled = true;
  const written = `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`;
  const change = (...lines: string[]) => {
    const headers = tableOf(...lines);
    writeTraceparent(headers, context);
    return linesOf(headers);
  };
  t.same(change('a: 1', `TraceParent: 00-${traceId}-${spanId}-00`, 'b: 2'), [
    'a: 1',
    `TraceParent: ${written}`,
    'b: 2',
  ]);
  for (const value of ['', 'x', `cc-${traceId}-${spanId}-00-more`])
    t.same(change(`traceparent: ${value}`, 'b: 2'), ['b: 2', `traceparent: ${written}`]);
  t.same(change(`traceparent: 00-${traceId}-${spanId}-00`, `traceparent: 00-${traceId}-${spanId}-00`), [
    `traceparent: ${written}`,
  ]);
  t.same(change(), [`traceparent: ${written}`]);
});
