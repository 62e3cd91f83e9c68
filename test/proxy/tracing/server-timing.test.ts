import fc from 'fast-check';
import t from 'tap';
import {
  isTrustedHop,
  takeTraceTiming,
  UpgradeBudget,
  writeTraceTiming,
} from '../../../proxy/tracing/server-timing.ts';
import { TraceContext, TraceparentAt } from '../../../proxy/tracing/trace-context.ts';
import { linesOf, tableOf } from '../../support/header-lines.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

function contextOf(): TraceContext {
  const context = new TraceContext();
  context.line.bytes.set(Buffer.from(traceId), TraceparentAt.traceId);
  context.line.bytes.set(Buffer.from(spanId), TraceparentAt.spanId);
  return context;
}

function taken(...values: readonly string[]) {
  const headers = tableOf(...values.map((value) => `Server-Timing: ${value}`));
  const isKept = takeTraceTiming(headers, contextOf());
  return { isKept, left: linesOf(headers).map((line) => line.slice('Server-Timing: '.length)) };
}

const metric = `trace;desc=00-${traceId}-${spanId}-01`;

t.test('what is written is read by the hop before, and taken out', async (t) => {
  const headers = tableOf('a: 1');
  writeTraceTiming(headers, contextOf());
  t.same(linesOf(headers), ['a: 1', `server-timing: ${metric}`]);
  t.equal(takeTraceTiming(headers, contextOf()), true);
  t.same(linesOf(headers), ['a: 1']);
  t.equal(takeTraceTiming(headers, contextOf()), false);
});

t.test('other metrics stay, in their fields', async (t) => {
  t.same(taken('db;dur=5', `cache;desc="a, b", ${metric} , app;dur=1`), {
    isKept: true,
    left: ['db;dur=5', 'cache;desc="a, b", app;dur=1'],
  });
  t.same(taken('trace;dur=5, tracer'), { isKept: false, left: ['trace;dur=5, tracer'] });
});

t.test('a metric may stand in quotes and with white space', async (t) => {
  t.same(taken(`trace ; desc = "00-${traceId}-${spanId}-03"`), { isKept: true, left: [] });
});

t.test('another trace, or one that is not kept, upgrades nothing and is taken out', async (t) => {
  for (const value of [
    `trace;desc=00-${traceId.replace('4', '5')}-${spanId}-01`,
    `trace;desc=00-${traceId}-${spanId}-00`,
    `trace;desc=01-${traceId}-${spanId}-01`,
    `trace;desc=00-${traceId}-${'0'.repeat(16)}-01`,
  ])
    t.same(taken(value), { isKept: false, left: [] }, value);
});

t.test('what is malformed upgrades nothing and stays', async (t) => {
  for (const value of [
    'trace',
    'trace;desc=',
    `trace;desc=00-${traceId}-${spanId}-1`,
    `trace;desc=00-${traceId.toUpperCase()}-${spanId}-01`,
    `${metric};dur=1`,
    `Trace;desc=00-${traceId}-${spanId}-01`,
    `x;desc="${metric}`,
    `${metric}, x;desc="`,
    `x;desc="\\", ${metric}"`,
    `trace;desc="00-${traceId}-${spanId}-01`,
  ])
    t.same(taken(value), { isKept: false, left: [value] }, value);
});

t.test('whatever a callee says, only its own metric for this trace upgrades', async () => {
  const part = fc.constantFrom(
    'trace',
    ';desc=',
    '"',
    '\\',
    ',',
    ' ',
    metric,
    metric.slice(11),
    traceId,
    '-01',
    'db;dur=1',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const value = parts.join('');
      const { isKept } = taken(value);
      return !isKept || value.includes(`00-${traceId}-${spanId}-01`);
    }),
    { seed: 2, numRuns: 1000 },
  );
});

t.test('a hop is trusted by mutual TLS, or where that is allowed by its address', async (t) => {
  const identity = { issuer: 'ca', spiffeId: 'spiffe://a', certificateSha256: '00' };
  t.same(
    (['mesh', 'internal', 'none'] as const).map((accept) => [
      isTrustedHop(accept, identity, false),
      isTrustedHop(accept, null, true),
      isTrustedHop(accept, null, false),
    ]),
    [
      [true, false, false],
      [true, true, false],
      [false, false, false],
    ],
  );
});

t.test('upgrades are granted so many times a second', async (t) => {
  const budget = new UpgradeBudget(2);
  t.same(
    [5, 6, 7, 1004, 1005, 1006, 1007, 9000].map((nowMs) => budget.take(nowMs)),
    [true, true, false, false, true, true, false, true],
  );
  t.equal(new UpgradeBudget(0).take(0), false);
});
