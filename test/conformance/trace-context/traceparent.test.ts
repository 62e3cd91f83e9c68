// The cases of the W3C conformance suite about `traceparent`, levels 1 and 2, under the names they have there.

import t from 'tap';
import { nextHop, parentId, traceId } from './hop.ts';

const ids = `${traceId}-${parentId}`;

/** Name of the suite → values of `traceparent` that are right, and continue the trace. */
const right: Readonly<Record<string, readonly string[]>> = {
  traceparent_included_tracestate_missing: [`00-${ids}-01`],
  traceparent_version_0xcc: [`cc-${ids}-01`, `cc-${ids}-01-what-the-future-will-be-like`],
  traceparent_ows_handling: [
    ` 00-${ids}-01`,
    `\t00-${ids}-01`,
    `00-${ids}-01 `,
    `00-${ids}-01\t`,
    `\t 00-${ids}-01 \t`,
  ],
};

/** Likewise values that are wrong: a new trace begins. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  traceparent_version_0x00: [`00-${ids}-01.`, `00-${ids}-01-what-the-future-will-be-like`],
  traceparent_version_0xcc: [`cc-${ids}-01.what-the-future-will-be-like`],
  traceparent_version_0xff: [`ff-${ids}-01`],
  traceparent_version_illegal_characters: [`.0-${ids}-01`, `0.-${ids}-01`],
  traceparent_version_too_long: [`000-${ids}-01`, `0000-${ids}-01`],
  traceparent_version_too_short: [`0-${ids}-01`],
  traceparent_trace_id_all_zero: [`00-${'0'.repeat(32)}-${parentId}-01`],
  traceparent_trace_id_illegal_characters: [
    `00-.${traceId.slice(1)}-${parentId}-01`,
    `00-${traceId.slice(0, -1)}.-${parentId}-01`,
  ],
  traceparent_trace_id_too_long: [`00-${traceId}3-${parentId}-01`],
  traceparent_trace_id_too_short: [`00-${traceId.slice(0, -1)}-${parentId}-01`],
  traceparent_parent_id_all_zero: [`00-${traceId}-${'0'.repeat(16)}-01`],
  traceparent_parent_id_illegal_characters: [
    `00-${traceId}-.${parentId.slice(1)}-01`,
    `00-${traceId}-${parentId.slice(0, -1)}.-01`,
  ],
  traceparent_parent_id_too_long: [`00-${ids}7-01`],
  traceparent_parent_id_too_short: [`00-${ids.slice(0, -1)}-01`],
  traceparent_trace_flags_illegal_characters: [`00-${ids}-.0`, `00-${ids}-0.`],
  traceparent_trace_flags_too_long: [`00-${ids}-001`],
  traceparent_trace_flags_too_short: [`00-${ids}-1`],
};

for (const [name, values] of Object.entries(right)) {
  t.test(name, async (t) => {
    for (const value of values) {
      const next = nextHop(`traceparent: ${value}`);
      t.equal(next.traceId, traceId, value);
      t.not(next.spanId, parentId, value);
      t.equal(next.flags & 1, 1, value);
    }
  });
}

for (const [name, values] of Object.entries(wrong)) {
  t.test(name, async (t) => {
    for (const value of values) {
      const next = nextHop(`traceparent: ${value}`, 'tracestate: foo=1');
      t.notOk(value.includes(next.traceId), value);
      t.not(next.traceId.slice(1), traceId.slice(1), value);
      t.same(next.members, [], value);
    }
  });
}

t.test('both_traceparent_and_tracestate_missing', async (t) => {
  t.match(nextHop().traceId, /^[0-9a-f]{32}$/);
});

t.test('traceparent_duplicated', async (t) => {
  const second = traceId.replace(/2$/, '1');
  const next = nextHop(`traceparent: 00-${second}-${parentId}-01`, `traceparent: 00-${ids}-01`);
  t.not(next.traceId, traceId);
  t.not(next.traceId, second);
});

t.test('traceparent_header_name', async (t) => {
  for (const name of ['trace-parent', 'trace.parent']) t.not(nextHop(`${name}: 00-${ids}-01`).traceId, traceId);
});

t.test('traceparent_header_name_valid_casing', async (t) => {
  for (const name of ['TraceParent', 'TrAcEpArEnT', 'TRACEPARENT'])
    t.equal(nextHop(`${name}: 00-${ids}-01`).traceId, traceId);
});

t.test('multiple_requests_with_valid_traceparent', async (t) => {
  const next = [1, 2, 3].map(() => nextHop(`traceparent: 00-${ids}-01`));
  t.ok(next.every((hop) => hop.traceId === traceId));
  t.equal(new Set(next.map((hop) => hop.spanId)).size, 3);
});

t.test('multiple_requests_without_traceparent', async (t) => {
  t.equal(new Set([1, 2, 3].map(() => nextHop().spanId)).size, 3);
});

t.test('multiple_requests_with_illegal_traceparent', async (t) => {
  const next = [1, 2, 3].map(() => nextHop(`traceparent: 00-${'0'.repeat(32)}-${parentId}-01`));
  t.equal(new Set(next.map((hop) => hop.spanId)).size, 3);
});

t.test('propagates_random_flag', async (t) => {
  const next = nextHop(`traceparent: 00-${ids}-02`);
  t.equal(next.traceId, traceId);
  t.equal(next.flags & 2, 2);
});
