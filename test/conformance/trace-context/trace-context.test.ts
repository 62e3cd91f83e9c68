// The W3C conformance suite's cases against the functions that make the next hop's headers. The same through a running
// proxy: `test/integration/tracing-propagation.test.ts`. The suite itself, with a service between an inbound and an
// outbound listener, passes whole (41 of 41; STRICT_LEVEL=2, SPEC_LEVEL=2).

import t from 'tap';
import { cases, parentId, traceId } from './cases.ts';
import { isAsExpected, nextHop } from './hop.ts';

for (const [name, group] of Map.groupBy(cases, (each) => each.name)) {
  t.test(name, async (t) => {
    for (const each of group) {
      const next = nextHop(...each.lines);
      t.ok(isAsExpected(next, each), each.lines.join(' | '), { next });
    }
  });
}

t.test('traceparent_included_tracestate_missing: the flag is told on', async (t) => {
  t.equal(nextHop(`traceparent: 00-${traceId}-${parentId}-01`).flags & 1, 1);
  t.equal(nextHop(`traceparent: 00-${traceId}-${parentId}-00`).flags & 1, 0);
});

const several = {
  multiple_requests_with_valid_traceparent: [`traceparent: 00-${traceId}-${parentId}-01`],
  multiple_requests_without_traceparent: [],
  multiple_requests_with_illegal_traceparent: [`traceparent: 00-${'0'.repeat(32)}-${parentId}-01`],
};
for (const [name, lines] of Object.entries(several)) {
  t.test(name, async (t) => {
    const next = [1, 2, 3].map(() => nextHop(...lines));
    t.equal(new Set(next.map((hop) => hop.spanId)).size, 3);
    t.equal(next.filter((hop) => hop.traceId === traceId).length, name.endsWith('with_valid_traceparent') ? 3 : 0);
  });
}

t.test('propagates_random_flag', async (t) => {
  const next = nextHop(`traceparent: 00-${traceId}-${parentId}-02`);
  t.equal(next.traceId, traceId);
  t.equal(next.flags & 2, 2);
});
