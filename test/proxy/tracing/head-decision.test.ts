import t from 'tap';
import type { RouteTracing, TraceProvider, Tracing } from '../../../config/tracing.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { forwardAction } from '../../support/route-fixtures.ts';
import { allOfRoute, recordsOf, someProvider, tracingOf } from '../../support/trace-fixtures.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-';
const anyId = '01234567-89ab-4def-8123-456789abcdef';

interface Given {
  readonly sampling?: Partial<Tracing['sampling']>;
  readonly route?: RouteTracing;
  readonly provider?: TraceProvider;
  readonly fields?: readonly (readonly [string, string])[];
  /** An address of the mesh by default. */
  readonly remoteIp?: string;
}

/** What became of one request: the reason and threshold of its record, and its id's mark. */
function decide({ sampling, route, provider = someProvider, fields = [], remoteIp = '198.51.100.7' }: Given) {
  const routes = [routeOf('/', forwardAction(), route === undefined ? {} : { tracing: route })];
  const trust = { useRemoteAddress: true, internalAddressRanges: [{ ip: '198.51.100.0', prefixLength: 24 }] };
  const manager = { tracing: tracingOf({ provider }, sampling), ...trust };
  const scene = new Scene({ manager, routes, facts: { remoteIp } });
  const { stream } = scene.request(({ headers }) => {
    headers.append('x-request-id', anyId);
    for (const [name, value] of fields) headers.append(name, value);
  });
  const { isTraced } = stream.info;
  scene.respond(scene.connect(), 200);
  scene.tracing.flush();
  const [record] = recordsOf(scene.tracingMessages);
  const mark = stream.info.requestId[14];
  return { reason: record?.reason ?? SamplingReason.none, threshold: record?.threshold, mark, isTraced };
}

const none = { randomPerTenThousand: 0 };
const all = '0'.repeat(14);

t.test("percentages of a route are in place of its connection manager's", async (t) => {
  t.match(decide({ sampling: none }), { reason: SamplingReason.none, mark: '4' });
  t.match(decide({ sampling: none, route: allOfRoute }), { reason: SamplingReason.head, threshold: all, mark: '9' });
  t.match(decide({ route: { ...allOfRoute, randomPerTenThousand: 0 } }), { reason: SamplingReason.none });
  t.match(decide({ route: { ...allOfRoute, overallPerTenThousand: 0 } }), { reason: SamplingReason.none });
});

t.test('who asks for a trace has it, as far as the overall percentage allows', async (t) => {
  const forced = [['x-envoy-force-trace', '1']] as const;
  const client = [['x-client-trace-id', 'abc']] as const;
  t.same(decide({ sampling: none, fields: forced }), {
    reason: SamplingReason.debug,
    threshold: all,
    mark: 'a',
    isTraced: true,
  });
  t.match(decide({ sampling: none, fields: client }), { reason: SamplingReason.debug, mark: 'b', isTraced: false });
  t.match(decide({ sampling: { ...none, clientPercent: 0 }, fields: client }), { reason: SamplingReason.none });
  t.match(decide({ sampling: { ...none, overallPerTenThousand: 0 }, fields: forced }), { reason: SamplingReason.none });
});

t.test('ids that are not to decide are left alone, and the tracer keeps what it has no reason to refuse', async (t) => {
  t.match(decide({ sampling: { ...none, usesRequestId: false, overallPerTenThousand: 0 } }), {
    reason: SamplingReason.head,
    threshold: all,
    mark: '4',
  });
  t.match(decide({ sampling: { marksIds: false } }), { reason: SamplingReason.head, mark: '4' });
});

t.test('B3 debug is kept with threshold 0; a refusal in any format is obeyed', async (t) => {
  const zipkin: TraceProvider = {
    kind: 'zipkin',
    name: 'envoy.tracers.zipkin',
    service: someProvider.service,
    encoding: 'json',
    traceId128Bit: true,
    sharedSpanContext: true,
    alsoW3c: false,
  };
  t.match(decide({ sampling: none, provider: zipkin, fields: [['x-b3-flags', '1']] }), {
    reason: SamplingReason.debug,
    threshold: all,
  });
  t.match(decide({ provider: zipkin, fields: [['b3', '0']] }), { reason: SamplingReason.none, mark: '4' });
  t.match(decide({ fields: [['traceparent', `${traceparent}00`]] }), { reason: SamplingReason.none });
});

t.test(
  'a sampler of the provider decides in place of percentages, and of the caller unless it follows him',
  async (t) => {
    const sampled = (followsParent: boolean, probability: number, flags?: string) =>
      decide({
        sampling: none,
        provider: { ...someProvider, sampler: { followsParent, probability } },
        fields: flags === undefined ? [] : [['traceparent', `${traceparent}${flags}`]],
      }).reason;
    t.equal(sampled(false, 1), SamplingReason.head);
    t.equal(sampled(false, 0), SamplingReason.none);
    t.equal(sampled(false, 1, '00'), SamplingReason.head);
    t.equal(sampled(false, 0, '01'), SamplingReason.none);
    t.equal(sampled(true, 0, '01'), SamplingReason.parent);
    t.equal(sampled(true, 1, '00'), SamplingReason.none);
  },
);

t.test('a parent whose threshold is not known leaves none in the record', async (t) => {
  const fields = [['traceparent', `${traceparent}01`]] as const;
  t.match(decide({ fields }), { reason: SamplingReason.parent, threshold: null });
  const state = ['tracestate', 'ot=th:2'] as const;
  t.match(decide({ fields: [...fields, state] }), { reason: SamplingReason.parent, threshold: '20000000000000' });
});

t.test("B3's debug from outside of the mesh is a caller's decision like others", async (t) => {
  const debug = [
    ['x-b3-traceid', traceparent.slice(3, 35)],
    ['x-b3-spanid', traceparent.slice(36, 52)],
    ['x-b3-flags', '1'],
  ] as const;
  t.match(decide({ sampling: none, fields: debug }), { reason: SamplingReason.debug, threshold: all });
  const outside = decide({ sampling: none, fields: debug, remoteIp: '203.0.113.9' });
  t.match(outside, { reason: SamplingReason.parent });
  t.not(outside.threshold, all);
});

t.test('a random value that the trace brings is compared in place of its id', async (t) => {
  const provider = { ...someProvider, sampler: { followsParent: false, probability: 0.5 } };
  const withRandom = (rv: string) =>
    decide({
      provider,
      fields: [
        ['traceparent', `${traceparent}01`],
        ['tracestate', `ot=rv:${rv}`],
      ],
    });
  t.match(withRandom('80000000000000'), { reason: SamplingReason.head, threshold: '80000000000000' });
  t.match(withRandom('7fffffffffffff'), { reason: SamplingReason.none });
});
