// The expectations are what Envoy 1.40 sends and logs with the same sampling, the same ids and no collector of traces.

import t from 'tap';
import type { RouteTracing, TraceSampling } from '../../../config/tracing.ts';
import { requestedReason, TraceReason } from '../../../proxy/http/trace-choice.ts';
import { routeOf } from '../../support/data-plane.ts';
import { fieldsOf, Scene } from '../../support/http-fixtures.ts';
import { forwardAction, noMutations } from '../../support/route-fixtures.ts';
import { allOfRoute, tracedScene, tracingOf } from '../../support/trace-fixtures.ts';

const { provider: _recordsNothing, ...tracing } = tracingOf();
const all = tracing.sampling;
const none = { ...all, randomPerTenThousand: 0 };

/** The id that the next hop gets, and whether the request counts as traced. */
function sent(sampling: TraceSampling | undefined, id: string, ...more: readonly (readonly [string, string])[]) {
  const { stream, client } = new Scene({
    manager: sampling === undefined ? {} : { tracing: { ...tracing, sampling } },
  }).request((head) => {
    if (id !== '') head.headers.append('x-request-id', id);
    for (const [name, value] of more) head.headers.append(name, value);
  });
  const lines = fieldsOf(client.head.headers).filter((field) => field.startsWith('x-request-id: '));
  if (lines.length !== 1 || lines[0] !== `x-request-id: ${stream.info.requestId}`) throw new Error(lines.join());
  return { id: stream.info.requestId, isTraced: stream.info.isTraced };
}

const id = (reason: string, digits = '11111111') => `${digits}-1111-${reason}111-8111-111111111111`;
const fromClient = ['x-client-trace-id', 'z'] as const;

t.test('without tracing an id stays as it came', async (t) => {
  t.equal(sent(undefined, id('4'), fromClient).id, id('4'));
  t.equal(sent(undefined, id('9')).id, id('9'));
});

t.test('a request that is sampled has a 9 in its id, also in one that is made here', async (t) => {
  t.same(sent(all, id('4')), { id: id('9'), isTraced: false });
  t.match(sent(all, '').id, /^[0-9a-f]{8}-[0-9a-f]{4}-9/);
  t.match(sent(none, '').id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
});

t.test('a choice that an id brings is kept, unless the overall share is used up', async (t) => {
  for (const reason of ['9', 'a', 'b']) {
    t.equal(sent(none, id(reason)).id, id(reason));
    t.equal(sent({ ...all, overallPerTenThousand: 0 }, id(reason)).id, id('4'));
  }
  t.equal(sent(none, id('a')).isTraced, true);
});

t.test('a request with x-client-trace-id is chosen by its own share', async (t) => {
  t.equal(sent(none, id('4'), fromClient).id, id('b'));
  t.equal(sent({ ...none, clientPercent: 0 }, id('4'), fromClient).id, id('4'));
});

t.test('the first digits of an id decide, so that all hops decide alike', async (t) => {
  const half = { ...all, randomPerTenThousand: 5_000 };
  // 4999 and 5000 in hexadecimal.
  t.equal(sent(half, id('4', '00001387')).id, id('9', '00001387'));
  t.equal(sent(half, id('4', '00001388')).id, id('4', '00001388'));
  t.equal(sent(half, id('4', 'FFFFFFFF')).id, id('4', 'FFFFFFFF'), '4294967295 % 10000 is 7295');
});

t.test('an id that is no UUID is left as it is', async (t) => {
  for (const other of ['abc', '11111111', 'zzzzzzzz-1111-4111-8111-111111111111']) t.equal(sent(all, other).id, other);
});

t.test('with marking off an id stays as it came', async (t) => {
  t.same(sent({ ...all, marksIds: false }, id('4')), { id: id('4'), isTraced: false });
  t.same(sent({ ...none, marksIds: false }, id('a')), { id: id('a'), isTraced: true });
});

t.test('a route that says something of tracing speaks for itself', async (t) => {
  const sentBy = (route: Partial<RouteTracing>, sampling: TraceSampling, ...more: (readonly [string, string])[]) => {
    const own: RouteTracing = { ...allOfRoute, ...route };
    const { stream } = new Scene({
      manager: { tracing: { ...tracing, sampling } },
      routes: [{ ...routeOf('/', forwardAction()), tracing: own }],
    }).request((head) => {
      head.headers.append('x-request-id', id('4'));
      for (const [name, value] of more) head.headers.append(name, value);
    });
    return stream.info.requestId;
  };
  t.equal(sentBy({}, none), id('9'));
  t.equal(sentBy({ randomPerTenThousand: 0 }, all), id('4'));
  t.equal(sentBy({ overallPerTenThousand: 0 }, all), id('4'));
  t.equal(sentBy({}, { ...all, overallPerTenThousand: 0 }), id('9'));
  t.equal(sentBy({ randomPerTenThousand: 0 }, { ...none, clientPercent: 0 }, fromClient), id('b'));
  t.equal(sentBy({ randomPerTenThousand: 0, clientPerTenThousand: 0 }, all, fromClient), id('4'));
});

t.test('a request that no route matches is chosen for by its connection manager', async (t) => {
  const { stream } = new Scene({ routes: [], manager: { tracing: { ...tracing, sampling: all } } }).request((head) => {
    head.headers.append('x-request-id', id('4'));
  });
  t.equal(stream.info.requestId, id('9'));
});

t.test('what a request asks for is known without its share of all', async (t) => {
  const asked = (mark: string, sampling: TraceSampling, ...more: (readonly [string, string])[]) => {
    const { stream } = new Scene({ manager: { tracing: { ...tracing, sampling } } }).request((head) => {
      head.headers.append('x-request-id', id(mark));
      for (const [name, value] of more) head.headers.append(name, value);
    });
    // As it arrived: the scene has chosen already.
    stream.info.requestId = id(mark);
    return requestedReason(stream, null);
  };
  const untold = { ...all, marksIds: false };
  t.equal(asked('4', untold), TraceReason.none);
  t.equal(asked('9', untold), TraceReason.sampled);
  t.equal(asked('4', untold, fromClient), TraceReason.client);
  t.equal(asked('a', { ...untold, usesRequestId: false }), TraceReason.none);
});

t.test('a request from inside may force its trace, one from outside may not', async (t) => {
  const forced = (remoteIp: string) => {
    const { stream } = new Scene({
      manager: {
        useRemoteAddress: true,
        internalAddressRanges: [{ ip: '10.0.0.0', prefixLength: 8 }],
        preserveExternalRequestId: true,
        tracing: { ...tracing, sampling: none },
      },
      facts: { remoteIp },
    }).request((head) => {
      head.headers.append('x-request-id', id('4'));
      head.headers.append('x-envoy-force-trace', 'true');
    });
    return { id: stream.info.requestId, isTraced: stream.info.isTraced };
  };
  t.same(forced('10.0.0.7'), { id: id('a'), isTraced: true });
  t.same(forced('198.51.100.7'), { id: id('4'), isTraced: false });
});

t.test('an id that is kept from outside brings no choice, and tells none on', async (t) => {
  const kept = (manager: object, remoteIp = '198.51.100.7') => {
    const { stream } = new Scene({
      manager: {
        useRemoteAddress: true,
        internalAddressRanges: [{ ip: '10.0.0.0', prefixLength: 8 }],
        preserveExternalRequestId: true,
        ...manager,
      },
      facts: { remoteIp },
    }).request((head) => head.headers.append('x-request-id', id('a')));
    return { id: stream.info.requestId, isTraced: stream.info.isTraced };
  };
  const traced = { tracing: { ...tracing, sampling: none } };
  t.same(kept(traced), { id: id('4'), isTraced: false });
  t.same(kept(traced, '10.0.0.7'), { id: id('a'), isTraced: true });
  t.equal(kept({}).id, id('4'), 'without tracing too');
  t.equal(kept({ generateRequestId: false }).id, id('a'), 'ids are left alone');
  t.equal(kept({ tracing: { ...tracing, sampling: { ...none, marksIds: false } } }).id, id('a'));
});

t.test('a route that takes the request id away costs its redirects nothing', async (t) => {
  const internalRedirect = {
    maxRedirects: 30,
    statuses: [302],
    predicates: [],
    allowCrossScheme: false,
    headersToCopy: [],
  };
  const headers = { ...noMutations, requestRemove: ['x-request-id'] };
  const scene = tracedScene(
    { randomPerTenThousand: 10_000 },
    {
      routes: [{ ...routeOf('/', forwardAction({ internalRedirect })), headers }],
      manager: { useRemoteAddress: true, generateRequestId: true, tracing: tracingOf() },
    },
  );
  const { stream } = scene.request();
  for (let pass = 0; pass < 20; pass++)
    scene.respond(scene.connect(), 302, true, [['Location', 'http://shop.example/a']]);
  t.ok(stream.head.headers.bytes.length < 20_000, `${stream.head.headers.bytes.length} bytes`);
});
