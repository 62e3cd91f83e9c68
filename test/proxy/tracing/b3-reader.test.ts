import t from 'tap';
import { findB3, takeB3Ids } from '../../../proxy/tracing/b3-reader.ts';
import { ParentDecision, TraceContext } from '../../../proxy/tracing/trace-context.ts';
import { tableOf } from '../../support/header-lines.ts';

const traceId = '80f198ee56343ba864fe8b2a57d3eff7';
const spanId = 'e457b5a2e4d86bd1';
const parentId = '05e3ac9a4f6e3b90';

/** Ids and decision, as in a single field; a decision alone without ids. */
function read(...lines: readonly string[]): string {
  const headers = tableOf(...lines);
  const found = findB3(headers);
  const decision = ['', '1', '0', 'd'][found.decision]!;
  if (found.traceIdAt < 0) return decision;
  const context = new TraceContext();
  takeB3Ids(headers, found, context);
  const id = context.has64BitId ? `short ${context.traceId.slice(16)}` : context.traceId;
  return `${id}-${Buffer.from(context.parentSpanId)}${decision === '' ? '' : `-${decision}`}`;
}

t.test('one field has ids, a state behind them, and a parent behind that', async (t) => {
  const ids = `${traceId}-${spanId}`;
  t.equal(read(`b3: ${ids}`), ids);
  for (const state of ['0', '1', 'd']) {
    t.equal(read(`b3: ${ids}-${state}`), `${ids}-${state}`);
    t.equal(read(`B3: ${ids}-${state}-${parentId}`), `${ids}-${state}`);
    t.equal(read(`b3: ${state}`), state, 'the state alone');
  }
  t.equal(read(`b3: ${traceId.slice(16)}-${spanId}-1`), `short ${traceId.slice(16)}-${spanId}-1`);
  t.equal(read(`b3: ${ids.toUpperCase()}-1`), `${ids}-1`);
});

t.test('one field that is malformed counts for nothing', async (t) => {
  for (const value of [
    '',
    '-',
    '2',
    '--',
    traceId,
    `${traceId}-`,
    `${traceId}-${spanId}-`,
    `${traceId}-${spanId}-2`,
    `${traceId}-${spanId}-1-`,
    `${traceId}-${spanId}-1-${parentId}0`,
    `${traceId}-${spanId}-1-${'0'.repeat(16)}`,
    `${traceId}-${spanId}-${parentId}`,
    `${traceId}-${spanId}1`,
    `${traceId.slice(1)}-${spanId}-1`,
    `${'0'.repeat(32)}-${spanId}-1`,
    `${traceId}-${'0'.repeat(16)}-1`,
    `x${traceId.slice(1)}-${spanId}-1`,
    `${traceId}.${spanId}-1`,
    `${traceId}-${spanId}.1`,
  ])
    t.equal(read(`b3: ${value}`), '', value);
  t.equal(read('b3: 1', 'b3: 1'), '', 'two are none');
});

t.test('several fields may be empty, and are then not there', async (t) => {
  const ids = [`X-B3-TraceId: ${traceId}`, `X-B3-SpanId: ${spanId}`];
  t.equal(read(...ids), `${traceId}-${spanId}`);
  t.equal(read(...ids, 'X-B3-Sampled: 1'), `${traceId}-${spanId}-1`);
  t.equal(read(...ids, 'X-B3-Sampled: True', 'X-B3-Flags: 0'), `${traceId}-${spanId}-1`);
  t.equal(read(...ids, 'X-B3-Sampled: false'), `${traceId}-${spanId}-0`);
  t.equal(read(...ids, 'X-B3-Sampled: '), `${traceId}-${spanId}`);
  t.equal(read(...ids, 'X-B3-Sampled: 0', 'X-B3-Flags: 1'), `${traceId}-${spanId}-d`);
  t.equal(read(...ids, 'X-B3-TraceId: '), `${traceId}-${spanId}`);
  t.equal(read(`X-B3-TraceId: ${traceId}`, 'X-B3-SpanId: ', 'X-B3-Sampled: 1'), '1', 'an id without the other is none');
  t.equal(read('X-B3-ParentSpanId: x'), '');
});

t.test('several fields with one that is malformed count for nothing', async (t) => {
  const sampled = 'X-B3-Sampled: 1';
  t.equal(read(`X-B3-TraceId: x${traceId.slice(1)}`, `X-B3-SpanId: ${spanId}`, sampled), '');
  t.equal(read(`X-B3-TraceId: ${traceId}`, `X-B3-SpanId: ${spanId}0`, sampled), '');
  t.equal(read(`X-B3-TraceId: ${traceId}0`, `X-B3-SpanId: ${spanId}`, sampled), '');
  t.equal(read(`X-B3-TraceId: ${traceId}`, `X-B3-SpanId: ${spanId}`, `X-B3-SpanId: ${parentId}`), '');
  t.equal(read(`X-B3-TraceId: ${traceId}`, `X-B3-SpanId: ${spanId}`, 'X-B3-Sampled: 2'), `${traceId}-${spanId}`);
});

t.test('what one request said does not reach the next', async (t) => {
  read(`b3: ${traceId}-${spanId}-1`);
  t.equal(read('Host: a'), '');
  t.equal(findB3(tableOf('b3: 0')).decision, ParentDecision.notSampled);
  t.equal(findB3(tableOf()).decision, ParentDecision.absent);
});
