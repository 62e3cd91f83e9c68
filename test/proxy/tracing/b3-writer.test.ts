import t from 'tap';
import { writeB3 } from '../../../proxy/tracing/b3-writer.ts';
import { ParentDecision, TraceContext, TraceFormat, TraceparentAt } from '../../../proxy/tracing/trace-context.ts';
import { linesOf, tableOf } from '../../support/header-lines.ts';

const traceId = '80f198ee56343ba864fe8b2a57d3eff7';
const spanId = 'e457b5a2e4d86bd1';
const parentId = '05e3ac9a4f6e3b90';
const received = ['b3: old', 'X-B3-TraceId: old', 'x-b3-parentspanid: old', 'x-b3-flags: 1', 'x-b3-sampled: '];

function written(change: (context: TraceContext) => void, isAttempt = false): readonly string[] {
  const context = new TraceContext();
  context.line.bytes.set(Buffer.from(traceId), TraceparentAt.traceId);
  context.line.bytes.set(Buffer.from(spanId), TraceparentAt.spanId);
  context.parentSpanId.set(Buffer.from(parentId));
  context.attemptSpanId.set(Buffer.from('a'.repeat(16)));
  change(context);
  const headers = tableOf('Host: a', ...received);
  writeB3(headers, context, isAttempt);
  return linesOf(headers).slice(1);
}

t.test('what arrived leaves, and nothing comes in its place that is not asked for', async (t) => {
  t.same(
    written(() => undefined),
    [],
  );
});

t.test('a span without a parent names none', async (t) => {
  t.same(
    written((context) => {
      context.sentFormats = TraceFormat.b3 | TraceFormat.b3Multi;
    }),
    [`b3: ${traceId}-${spanId}-0`, `x-b3-traceid: ${traceId}`, `x-b3-spanid: ${spanId}`, 'x-b3-sampled: 0'],
  );
});

t.test('debug takes the place of the decision', async (t) => {
  const debug = (context: TraceContext) => {
    context.sentFormats = TraceFormat.b3 | TraceFormat.b3Multi;
    context.parentDecision = ParentDecision.debug;
    context.isSampled = true;
    context.hasParent = true;
    context.has64BitId = true;
  };
  const short = traceId.slice(16);
  t.same(written(debug), [
    `b3: ${short}-${spanId}-d-${parentId}`,
    `x-b3-traceid: ${short}`,
    `x-b3-spanid: ${spanId}`,
    `x-b3-parentspanid: ${parentId}`,
    'x-b3-flags: 1',
  ]);
  t.equal(written(debug, true)[0], `b3: ${short}-${'a'.repeat(16)}-d-${spanId}`);
});

t.test("a span that shares its id with the caller's is not its own parent", async (t) => {
  const shared = (context: TraceContext) => {
    context.sentFormats = TraceFormat.b3 | TraceFormat.b3Multi;
    context.hasParent = true;
    context.parentSpanId.set(Buffer.from(spanId));
  };
  t.same(written(shared), [
    `b3: ${traceId}-${spanId}-0`,
    `x-b3-traceid: ${traceId}`,
    `x-b3-spanid: ${spanId}`,
    'x-b3-sampled: 0',
  ]);
  t.equal(written(shared, true)[0], `b3: ${traceId}-${'a'.repeat(16)}-0-${spanId}`, 'an attempt is below it');
});
