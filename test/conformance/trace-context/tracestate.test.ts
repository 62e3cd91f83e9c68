// The cases of the W3C conformance suite about `tracestate`, strict, under the names they have there.

import t from 'tap';
import { nextHop, rightParent, traceId } from './hop.ts';

/** The list that the next hop gets for these lines of a request with a right parent. */
function membersOf(...values: readonly string[]): readonly string[] {
  const next = nextHop(rightParent, ...values.map((value) => `tracestate: ${value}`));
  if (next.traceId !== traceId) throw new Error('the trace was not continued');
  return next.members;
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(2, '0'))
    .map((number) => `bar${number}=${number}`)
    .join(',');

t.test('tracestate_included_traceparent_missing', async (t) => {
  t.same(nextHop('tracestate: foo=1').members, []);
  t.same(nextHop('tracestate: foo=1,bar=2').members, []);
});

t.test('tracestate_included_traceparent_included', async (t) => {
  t.same(membersOf('foo=1,bar=2'), ['foo=1', 'bar=2']);
});

t.test('tracestate_header_name', async (t) => {
  for (const name of ['trace-state', 'trace.state']) t.same(nextHop(rightParent, `${name}: foo=1`).members, []);
});

t.test('tracestate_header_name_valid_casing', async (t) => {
  for (const name of ['TraceState', 'TrAcEsTaTe', 'TRACESTATE'])
    t.same(nextHop(rightParent, `${name}: foo=1`).members, ['foo=1']);
});

t.test('tracestate_empty_header', async (t) => {
  t.same(membersOf(''), []);
  t.same(membersOf('foo=1', ''), ['foo=1']);
  t.same(membersOf('', 'foo=1'), ['foo=1']);
});

t.test('tracestate_multiple_headers_different_keys', async (t) => {
  t.same(membersOf('foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'), ['foo=1', 'bar=2', 'rojo=1', 'congo=2', 'baz=3']);
});

t.test('tracestate_duplicated_keys', async (t) => {
  for (const values of [['foo=1,foo=1'], ['foo=1,foo=2'], ['foo=1', 'foo=1'], ['foo=1', 'foo=2']])
    t.ok(membersOf(...values).includes('foo=1'));
});

t.test('tracestate_all_allowed_characters', async (t) => {
  const key = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/';
  const value = Array.from({ length: 0x7e - 0x20 + 1 }, (_, index) => String.fromCharCode(0x20 + index))
    .filter((character) => character !== ',' && character !== '=')
    .join('');
  t.same(membersOf(`${key}=${value}`), [`${key}=${value}`]);
  t.same(membersOf(`${key}@a-z0-9_-*/=${value}`), [`${key}@a-z0-9_-*/=${value}`]);
});

t.test('tracestate_ows_handling', async (t) => {
  t.same(membersOf('foo=1 \t , \t bar=2, \t baz=3'), ['foo=1', 'bar=2', 'baz=3']);
  t.same(membersOf('foo=1\t \t,\t \tbar=2,\t \tbaz=3'), ['foo=1', 'bar=2', 'baz=3']);
  for (const value of [' foo=1', '\tfoo=1', 'foo=1 ', 'foo=1\t', '\t foo=1 \t']) t.same(membersOf(value), ['foo=1']);
});

t.test('tracestate_key_illegal_characters', async (t) => {
  for (const value of ['foo =1', 'FOO=1', 'foo.bar=1']) t.same(membersOf(value), []);
});

t.test('tracestate_key_illegal_vendor_format', async (t) => {
  t.same(membersOf('@foo=1,bar=2'), []);
  for (const key of ['foo@', 'foo@@bar', 'foo@bar@baz']) t.same(membersOf(`${key}=1,bar=2`), [`${key}=1`, 'bar=2']);
});

t.test('tracestate_member_count_limit', async (t) => {
  t.equal(membersOf(numbered(1, 10), numbered(11, 20), numbered(21, 30), numbered(31, 32)).length, 32);
  t.same(membersOf(numbered(1, 10), numbered(11, 20), numbered(21, 30), numbered(31, 33)), []);
});

t.test('tracestate_key_length_limit', async (t) => {
  for (const key of [
    'z'.repeat(256),
    `${'t'.repeat(241)}@${'v'.repeat(14)}`,
    `${'t'.repeat(242)}@v`,
    `t@${'v'.repeat(15)}`,
  ])
    t.same(membersOf('foo=1', `${key}=1`), ['foo=1', `${key}=1`]);
  t.same(membersOf('foo=1', `${'z'.repeat(257)}=1`), []);
});

t.test('tracestate_value_illegal_characters', async (t) => {
  t.same(membersOf('foo=bar=baz'), []);
  t.same(membersOf('foo=,bar=3'), []);
});
