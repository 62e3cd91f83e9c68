// Every decision in every format, alone, together and malformed, against a model that is slow and obvious.

import fc from 'fast-check';
import t from 'tap';
import { beginIds, extract, inject } from '../../../proxy/tracing/propagation.ts';
import { ParentDecision, TraceContext, TraceFormat } from '../../../proxy/tracing/trace-context.ts';
import { tableOf } from '../../support/header-lines.ts';
import { fieldsOf } from '../../support/http-fixtures.ts';
import { seededDigits } from '../../support/trace-digits.ts';
import { type Fields, modelB3, modelParent, modelTraceparent, valuesOf } from '../../support/trace-model.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const otherTraceId = 'aaf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const decisions = ['absent', 'sampled', 'notSampled', 'debug'] as const;
type Decision = (typeof decisions)[number];

const single = { absent: '', sampled: '-1', notSampled: '-0', debug: '-d' };
const multi: Record<Decision, Fields> = {
  absent: [],
  sampled: [['X-B3-Sampled', '1']],
  notSampled: [['X-B3-Sampled', '0']],
  debug: [['X-B3-Flags', '1']],
};
const write = {
  // W3C has neither: whoever has no decision says 00, and debug is only sampled.
  w3c: (decision: Decision): Fields => [
    ['traceparent', `00-${traceId}-${spanId}-${decision === 'sampled' || decision === 'debug' ? '01' : '00'}`],
  ],
  b3: (decision: Decision): Fields => [['b3', `${traceId}-${spanId}${single[decision]}`]],
  b3multi: (decision: Decision): Fields => [['X-B3-TraceId', traceId], ['X-B3-SpanId', spanId], ...multi[decision]],
};
const formats = Object.keys(write) as (keyof typeof write)[];
const random = seededDigits(8);

/** What this hop makes of the fields, and tells on. */
function passed(fields: Fields, provider: number) {
  const context = new TraceContext();
  const headers = tableOf(...fields.map(([name, value]) => `${name}: ${value}`));
  extract(headers, context, provider);
  beginIds(context, random);
  context.isSampled =
    context.parentDecision === ParentDecision.sampled || context.parentDecision === ParentDecision.debug;
  const decision = decisions[context.parentDecision]!;
  const { hasParent } = context;
  inject(context, headers, provider);
  const sent: Fields = fieldsOf(headers).map((field) => field.split(': ') as [string, string]);
  return { context, decision, hasParent, sent };
}

t.test('each decision in each format is taken, and told on in it', async (t) => {
  for (const provider of [TraceFormat.w3c, TraceFormat.b3, TraceFormat.b3Multi]) {
    for (const format of formats) {
      for (const decision of decisions) {
        const name = `${decision} in ${format} with provider format ${provider}`;
        const { context, decision: taken, sent } = passed(write[format](decision), provider);
        const expected =
          format !== 'w3c'
            ? decision
            : decision === 'debug'
              ? 'sampled'
              : decision === 'absent'
                ? 'notSampled'
                : decision;
        t.equal(taken, expected, name);
        t.equal(context.traceId, traceId, name);
        t.equal(Buffer.from(context.parentSpanId).toString(), spanId, name);
        for (const next of told(sent)) t.same(next.ids, { traceId, spanId: context.spanId }, name);
        const kept = expected === 'sampled' || expected === 'debug';
        if (format === 'w3c') t.equal(modelTraceparent(sent)!.decision, kept ? 'sampled' : 'notSampled', name);
        else t.equal(modelB3(sent)!.decision, expected === 'absent' ? 'notSampled' : expected, name);
      }
    }
  }
});

t.test('a decision without ids begins a trace with that decision', async (t) => {
  for (const fields of [[['b3', '0']], [['x-b3-sampled', '0']], [['x-b3-sampled', 'false']]] as Fields[]) {
    const { context, decision, hasParent, sent } = passed(fields, TraceFormat.w3c);
    t.same([hasParent, decision], [false, 'notSampled']);
    t.same(modelB3(sent), { decision: 'notSampled', ids: { traceId: context.traceId, spanId: context.spanId } });
  }
});

t.test('the one field wins over the several, and the format of the provider over others', async (t) => {
  const b3 = ['b3', `${traceId}-${spanId}-1`] as const;
  const several = [
    ['x-b3-traceid', otherTraceId],
    ['x-b3-spanid', spanId],
    ['x-b3-sampled', '0'],
  ] as const;
  const w3c = ['traceparent', `00-${otherTraceId}-${spanId}-00`] as const;
  t.equal(passed([...several, b3], TraceFormat.b3Multi).context.traceId, traceId);
  t.equal(passed([['b3', 'nonsense'], ...several], TraceFormat.b3Multi).context.traceId, otherTraceId);
  const preferred = passed([w3c, b3], TraceFormat.w3c);
  t.same([preferred.context.traceId, preferred.decision], [otherTraceId, 'notSampled']);
  const zipkin = passed([w3c, b3, ['tracestate', 'a=1']], TraceFormat.b3);
  t.same([zipkin.context.traceId, zipkin.decision, zipkin.context.otherState], [traceId, 'sampled', '']);
  t.same(valuesOf(zipkin.sent, 'traceparent'), [`00-${traceId}-${zipkin.context.spanId}-01`]);
});

t.test("B3's debug counts beside another format that gives the ids", async (t) => {
  const w3c = ['traceparent', `00-${traceId}-${spanId}-00`] as const;
  for (const debug of [
    ['b3', 'd'],
    ['b3', `${otherTraceId}-${spanId}-d`],
    ['x-b3-flags', '1'],
  ] as const) {
    const { context, decision, sent } = passed([w3c, debug], TraceFormat.w3c);
    t.same([context.traceId, decision], [traceId, 'debug']);
    t.same([modelTraceparent(sent)?.decision, modelB3(sent)?.decision], ['sampled', 'debug']);
  }
});

t.test('a 64-bit id is padded, and told on in B3 as it came', async (t) => {
  const short = traceId.slice(16);
  const one = passed([['b3', `${short}-${spanId}-1`]], TraceFormat.w3c);
  t.equal(one.context.traceId, short.padStart(32, '0'));
  t.same(valuesOf(one.sent, 'b3'), [`${short}-${one.context.spanId}-1-${spanId}`]);
  t.same(valuesOf(one.sent, 'traceparent'), [`00-${'0'.repeat(16)}${short}-${one.context.spanId}-01`]);
  const several = passed(
    [
      ['x-b3-traceid', short],
      ['x-b3-spanid', spanId],
    ],
    TraceFormat.b3Multi,
  );
  t.same(valuesOf(several.sent, 'x-b3-traceid'), [short]);
});

const ids = fc.constantFrom(
  traceId,
  traceId,
  traceId,
  otherTraceId,
  traceId.slice(16),
  traceId.toUpperCase(),
  '0'.repeat(32),
  '',
  '12',
  `${traceId}0`,
);
const spans = fc.constantFrom(
  spanId,
  spanId,
  spanId,
  spanId.toUpperCase(),
  '0'.repeat(16),
  '',
  'x0f067aa0ba902b7',
  `${spanId}0`,
);
const states = fc.constantFrom('', '1', '0', 'd', 'true', 'False', '2', '01');
const field = fc.oneof(
  fc
    .record({
      version: fc.constantFrom('00', '00', 'cc', 'ff', '0'),
      ids,
      spans,
      flags: fc.constantFrom('00', '01', '03', 'fe', '1'),
      rest: fc.constantFrom('', '', '-x', 'x'),
    })
    .map((of) => ['Traceparent', `${of.version}-${of.ids}-${of.spans}-${of.flags}${of.rest}`] as const),
  fc
    .tuple(ids, spans, fc.constantFrom('', '-', '-1', '-0', '-d', '-2', '-1-', `-1-${spanId}`, `-0-${spanId}0`))
    .map(([trace, span, rest]) => ['b3', `${trace}-${span}${rest}`] as const),
  states.map((state) => ['B3', state] as const),
  ids.map((id) => ['x-b3-traceid', id] as const),
  spans.map((id) => ['X-B3-SpanId', id] as const),
  spans.map((id) => ['x-b3-parentspanid', id] as const),
  states.map((state) => ['x-b3-sampled', state] as const),
  fc.constantFrom('0', '1', '', '11').map((flags) => ['x-b3-flags', flags] as const),
);

t.test('any mixture is read as the model reads it, and what is told on is right and says one thing', async () => {
  const providers = fc.constantFrom(
    TraceFormat.w3c,
    TraceFormat.b3,
    TraceFormat.b3Multi,
    TraceFormat.w3c | TraceFormat.b3,
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 7 }), providers, (fields, provider) => {
      const parent = modelParent(fields, provider === TraceFormat.w3c);
      const { context, decision, hasParent, sent } = passed(fields, provider);
      if (decision !== parent.decision || hasParent !== (parent.ids !== undefined)) return false;
      if (parent.ids !== undefined && context.traceId !== parent.ids.traceId) return false;
      if (hasParent && Buffer.from(context.parentSpanId).toString() !== parent.ids!.spanId) return false;
      const names = sent.map(([name]) => name.toLowerCase());
      if (new Set(names).size !== names.length || sent.some(([, value]) => value === '')) return false;
      if (names.includes('x-b3-flags') && names.includes('x-b3-sampled')) return false;
      const expected = formatNames(provider | context.formats);
      if (expected.some((name) => !names.includes(name))) return false;
      return told(sent).every((next) => next.ids?.traceId === context.traceId && next.ids.spanId === context.spanId);
    }),
    { seed: 8, numRuns: 5000 },
  );
});

/** What each format tells the next hop. */
function told(sent: Fields) {
  const several = sent.filter(([name]) => name !== 'b3');
  return [modelTraceparent(sent), modelB3(sent), modelB3(several)].filter(
    (next) => next !== null && (next.ids !== undefined || next.decision !== 'absent'),
  ) as NonNullable<ReturnType<typeof modelB3>>[];
}

function formatNames(formats: number): string[] {
  const names = [];
  if ((formats & TraceFormat.w3c) !== 0) names.push('traceparent');
  if ((formats & TraceFormat.b3) !== 0) names.push('b3');
  if ((formats & TraceFormat.b3Multi) !== 0) names.push('x-b3-traceid', 'x-b3-spanid');
  return names;
}
