import t from 'tap';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { recordingSettings } from '../../../proxy/tracing/recording-settings.ts';
import { ContextCounter, KeyCounter, ReachedStratum } from '../../../proxy/tracing/sampling-memory.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { defaultSettings } from '../../../sampler/settings.ts';
import { always } from '../../../sampler/threshold.ts';
import { routeOf } from '../../support/data-plane.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';
import {
  callerTrace,
  memoryOf,
  recordsIn,
  recordsOf,
  sentField,
  tracedScene,
  tracingOf,
  withParent,
} from '../../support/trace-fixtures.ts';

const { traceId, spanId: callerId } = callerTrace;

t.test('a request that is chosen is recorded once, with the ids that the endpoint was told', async (t) => {
  const scene = tracedScene({ randomPerTenThousand: 10_000 });
  scene.request((head) => {
    head.path = '/cart?x=1';
    head.headers.append('user-agent', 'curl/8');
  });
  const connection = scene.connect();
  scene.reactor.advance(12);
  scene.respond(connection, 201);
  const [record, ...others] = recordsIn(scene);
  t.same(others, []);
  const [span] = record!.spans;
  const told = /^00-([0-9a-f]{32})-([0-9a-f]{16})-03$/.exec(sentField(connection.requestHead, 'traceparent') ?? '')!;
  t.same([span!.traceId, span!.spanId, span!.parentSpanId], [told[1], told[2], '']);
  t.equal(sentField(connection.requestHead, 'tracestate'), 'ot=th:0');
  t.equal(record!.reason, SamplingReason.head);
  t.same([record!.isHeadKept, record!.threshold, record!.random], [true, '0'.repeat(14), told[1]!.slice(-14)]);
  t.equal(span!.kind, 2);
  t.equal(span!.name, 'GET /');
  t.equal(span!.endNs - span!.startNs, 12_000_000n);
  t.equal(span!.status, null);
  const { 'guid:x-request-id': requestId, ...attributes } = span!.attributes;
  t.match(requestId, /^[0-9a-f]{8}-[0-9a-f]{4}-9/, 'the id says that the trace is kept');
  t.same(attributes, {
    'http.request.method': 'GET',
    'network.protocol.version': '1.1',
    'url.scheme': 'http',
    'url.path': '/cart',
    'url.query': 'x=1',
    'server.address': 'shop.example',
    'network.peer.address': '198.51.100.7',
    'network.peer.port': 4000,
    'client.address': '198.51.100.7',
    'user_agent.original': 'curl/8',
    downstream_cluster: '-',
    'http.response.status_code': 201,
    'http.request.body.size': 0,
    'http.response.body.size': 0,
    response_flags: '-',
    'trust.transport': 'plain',
    component: 'proxy',
    node_id: 'node-1',
    zone: 'zone-1',
    'http.route': '/',
    upstream_cluster: 'service',
    'upstream_cluster.name': 'service',
    'sampling.reason': 'head',
  });
});

t.test('what is not chosen is told on as such, with ids, and not recorded', async (t) => {
  const scene = tracedScene();
  const { stream } = scene.request();
  const connection = scene.connect();
  t.match(sentField(connection.requestHead, 'traceparent'), /^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/);
  t.equal(sentField(connection.requestHead, 'tracestate'), undefined);
  t.match(stream.info.requestId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  scene.respond(connection, 200);
  t.same(recordsIn(scene), []);
  t.equal(stream.info.trace, null);
});

t.test('the caller has the first word, and its threshold and trace state are told on', async (t) => {
  const scene = tracedScene();
  scene.request(withParent('01', ['tracestate', 'ot=th:8;k:v,other=1']));
  const kept = scene.connect();
  scene.respond(kept, 200);
  scene.request(withParent('00'));
  const dropped = scene.connect();
  scene.respond(dropped, 200);
  t.match(sentField(kept.requestHead, 'traceparent'), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  t.match(sentField(dropped.requestHead, 'traceparent'), new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  const [record, ...others] = recordsIn(scene);
  t.same(others, []);
  t.equal(record!.reason, SamplingReason.parent);
  t.same([record!.spans[0]!.traceId, record!.spans[0]!.parentSpanId], [traceId, callerId]);
  t.equal(record!.spans[0]!.flags, 0x301);
  t.match(record, { isHeadKept: true, ot: 'k:v', otherState: 'other=1' });
});

t.test("a choice in the request id is a caller's, where trace headers have none", async (t) => {
  const scene = tracedScene();
  const withId = (mark: string) => (head: RequestHead) =>
    head.headers.append('x-request-id', `01234567-89ab-${mark}def-8123-456789abcdef`);
  for (const mark of ['9', 'a', 'b', '4']) {
    scene.request(withId(mark));
    scene.respond(scene.connect(), 200);
  }
  t.same(
    recordsIn(scene).map(({ reason }) => reason),
    [SamplingReason.parent, SamplingReason.debug, SamplingReason.debug],
  );
});

t.test('errors, slow requests and retries are kept whatever was chosen, by their outcome', async (t) => {
  const routes = [routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 1 }) }))];
  const scene = tracedScene({}, { routes });
  const serve = (status: number, afterMs: number) => {
    const connection = scene.connect();
    scene.reactor.advance(afterMs);
    scene.respond(connection, status);
  };
  scene.request();
  serve(200, 5);
  scene.request();
  serve(404, 5);
  scene.request();
  serve(200, 1001);
  scene.request();
  serve(503, 5);
  scene.reactor.advance(200);
  serve(200, 5);
  scene.request();
  serve(503, 5);
  scene.reactor.advance(200);
  serve(503, 5);
  t.same(
    recordsIn(scene).map(({ reason, isHeadKept, threshold }) => [reason, isHeadKept, threshold]),
    [
      [SamplingReason.slow, false, always],
      [SamplingReason.retry, false, always],
      [SamplingReason.error, false, always],
    ],
  );
});

t.test(
  'a reply of our own and a response that is cut are errors; a redirect and a direct response are not',
  async (t) => {
    const scene = tracedScene(
      {},
      {
        routes: [
          routeOf('/moved', { kind: 'redirect', status: 301, https: true, stripQuery: false }),
          routeOf('/fixed', { kind: 'direct-response', status: 200, body: Buffer.from('ok') }),
          routeOf('/service', forwardAction()),
        ],
      },
    );
    const get = (path: string) =>
      scene.request((head) => {
        head.path = path;
      });
    get('/moved');
    get('/fixed');
    t.same(recordsIn(scene), []);
    const unknown = get('/nowhere');
    t.equal(unknown.client.status, 404);
    get('/service');
    const connection = scene.connect();
    scene.respond(connection, 200, false);
    scene.lose(connection);
    get('/service');
    scene.refuse();
    const gone = get('/service');
    scene.connect();
    gone.stream.onDownstreamReset(0, 'downstream_remote_disconnect');
    const spans = recordsIn(scene).map(({ reason, spans: [span] }) => {
      t.equal(reason, SamplingReason.error);
      return [
        span!.name,
        span!.attributes['error.type'],
        span!.status?.code,
        span!.attributes['http.response.status_code'],
      ];
    });
    t.same(spans, [
      ['GET', undefined, undefined, 404],
      ['GET /service', 'UC', 'STATUS_CODE_ERROR', 200],
      ['GET /service', 'UF', 'STATUS_CODE_ERROR', 503],
      ['GET /service', '_OTHER', 'STATUS_CODE_ERROR', undefined],
    ]);
  },
);

t.test('gRPC errors are found in the head of a response without body', async (t) => {
  const scene = tracedScene();
  const call = () =>
    scene.request((head) => {
      head.method = 'POST';
      head.path = '/shop.Cart/Add';
      head.headers.append('content-type', 'application/grpc+proto');
    });
  for (const status of ['0', '5', '13', '']) {
    call();
    scene.respond(scene.connect(), 200, true, status === '' ? [] : [['grpc-status', status]]);
  }
  const [record, ...others] = recordsIn(scene);
  t.same(others, [], "NOT_FOUND is the client's fault");
  t.match(record!.spans[0]!.attributes, {
    'rpc.system': 'grpc',
    'rpc.service': 'shop.Cart',
    'rpc.method': 'Add',
    'rpc.grpc.status_code': 13,
    'error.type': '13',
  });
  t.equal(record!.spans[0]!.status?.code, 'STATUS_CODE_ERROR');
});

t.test('with a sampling file the threshold of the key decides, and overall_sampling is its ceiling', async (t) => {
  const counts = { kept: 0, th: new Set<string | undefined>() };
  const run = (overallPerTenThousand: number) => {
    const scene = tracedScene({ overallPerTenThousand });
    scene.tracing.set(recordingSettings(defaultSettings, true));
    scene.request();
    scene.respond(scene.connect(), 200);
    const key = scene.tracingMessages.find(({ kind }) => kind === 'sampling-key');
    if (key?.kind !== 'sampling-key') throw new Error('no key was announced');
    t.same(key.key, { service: 'service', route: '/', method: 'GET', headerRule: -1 });
    memoryOf(scene).setThreshold(key.slot, '80000000000000');
    counts.kept = 0;
    counts.th.clear();
    for (let request = 0; request < 400; request++) {
      scene.request();
      const connection = scene.connect();
      if (sentField(connection.requestHead, 'traceparent')!.endsWith('-03')) {
        counts.kept++;
        counts.th.add(sentField(connection.requestHead, 'tracestate'));
      }
      scene.respond(connection, 200);
    }
    t.equal(memoryOf(scene).counter(key.slot, KeyCounter.arrivals), 401);
  };
  run(10_000);
  // A fair coin is thrown 400 times: five standard deviations are 50.
  t.ok(Math.abs(counts.kept - 200) < 50, `${counts.kept} of 400`);
  t.same([...counts.th], ['ot=th:8']);
  run(2500);
  t.ok(Math.abs(counts.kept - 100) < 45, `${counts.kept} of 400`);
  t.same([...counts.th], ['ot=th:c']);
});

t.test(
  'what passed the threshold that stage 2 had reached says so, and told the next hop the one before',
  async (t) => {
    const scene = tracedScene({ randomPerTenThousand: 10_000 });
    const high = ({ headers }: RequestHead) => {
      headers.append('traceparent', `00-${traceId.slice(0, 18)}f0000000000000-${callerId}-01`);
      headers.append('tracestate', 'ot=th:8');
    };
    scene.request(high);
    scene.respond(scene.connect(), 200);
    memoryOf(scene).setReached(ReachedStratum.head, 'c0000000000000');
    scene.request(high);
    const connection = scene.connect();
    scene.respond(connection, 200);
    t.same(
      recordsIn(scene).map(({ threshold }) => threshold),
      ['80000000000000', 'c0000000000000'],
    );
    t.equal(sentField(connection.requestHead, 'tracestate'), 'ot=th:8');
  },
);

t.test('logs are told the trace and why it is kept, and nothing of it afterwards', async (t) => {
  const seen: unknown[] = [];
  const log = ({ info }: FormatContext) => {
    const { traceIdText, spanIdText, reason } = info.trace!;
    seen.push([traceIdText, spanIdText.length, reason]);
  };
  const scene = tracedScene({}, { accessLoggers: [{ log }] });
  const { stream } = scene.request(withParent('01'));
  scene.respond(scene.connect(), 200);
  scene.request(withParent('00'));
  scene.respond(scene.connect(), 200);
  t.same(seen, [
    [traceId, 16, SamplingReason.parent],
    [traceId, 16, SamplingReason.none],
  ]);
  t.equal(stream.info.trace, null);
});

t.test(
  'a callee that keeps a trace is followed where it is trusted, and its word goes to a trusted caller only',
  async (t) => {
    const inside10 = { internalAddressRanges: [{ ip: '10.0.0.0', prefixLength: 8 }], useRemoteAddress: true };
    const run = (accept: 'mesh' | 'internal', remoteIp: string) => {
      const scene = new Scene({
        manager: { tracing: tracingOf({}, { randomPerTenThousand: 0 }), ...inside10 },
        facts: { remoteIp },
      });
      scene.tracing.set(recordingSettings({ ...defaultSettings, upgrade: { accept, maxPerSecond: 1 } }, false));
      const { client } = scene.request();
      const connection = scene.connect();
      const ids = sentField(connection.requestHead, 'traceparent')!.slice(3, 52);
      scene.respond(connection, 200, true, [['server-timing', `db;dur=3, trace;desc=00-${ids}-01`]]);
      const timing = client.headers.filter((line) => line.toLowerCase().startsWith('server-timing'));
      return { reasons: recordsIn(scene).map(({ reason }) => reason), timing, ids };
    };
    t.match(run('mesh', '10.0.0.9'), { reasons: noItems, timing: onlyItems('server-timing: db;dur=3') });
    t.match(run('internal', '198.51.100.7'), {
      reasons: onlyItems(SamplingReason.upgrade),
      timing: onlyItems('server-timing: db;dur=3'),
    });
    const inside = run('internal', '10.0.0.9');
    t.same(inside.reasons, [SamplingReason.upgrade]);
    t.match(inside.timing[1], new RegExp(`^server-timing: trace;desc=00-${inside.ids.slice(0, 32)}-[0-9a-f]{16}-01$`));
  },
);

t.test('what a trusted caller is told of an error it is not told of what was configured', async (t) => {
  const routes = [
    routeOf('/fixed', { kind: 'direct-response', status: 200, body: Buffer.from('ok') }),
    routeOf('/', forwardAction()),
  ];
  const inside = { internalAddressRanges: [{ ip: '10.0.0.0', prefixLength: 8 }], useRemoteAddress: true };
  const scene = tracedScene({}, { routes, facts: { remoteIp: '10.0.0.9' } });
  const trusting = new Scene({
    routes,
    manager: { tracing: tracingOf({}, { randomPerTenThousand: 0 }), ...inside },
    facts: { remoteIp: '10.0.0.9' },
  });
  const accept = { accept: 'internal', maxPerSecond: 1 } as const;
  for (const each of [scene, trusting]) {
    each.tracing.set(recordingSettings({ ...defaultSettings, upgrade: accept }, false));
  }
  const told = (from: Scene, path: string, status: number) => {
    const { client } = from.request((head) => {
      head.path = path;
    });
    if (path !== '/fixed') from.respond(from.connect(), status);
    return client.headers.some((line) => line.startsWith('server-timing: trace;desc=00-'));
  };
  t.equal(told(trusting, '/service', 500), true);
  t.equal(told(trusting, '/service', 404), false);
  t.equal(told(trusting, '/fixed', 0), false);
  t.equal(told(scene, '/service', 500), false, 'a caller from outside is told nothing');
});

t.test('a tunnel is not slow', async (t) => {
  const scene = tracedScene({}, { manager: { upgrades: { websocket: true } } });
  scene.request((head) => {
    head.upgrade = 'websocket';
  });
  const connection = scene.connect();
  connection.head.status = 101;
  connection.receiver!.onInterimHead(connection.head);
  scene.reactor.advance(2000);
  scene.end(connection);
  t.same(recordsIn(scene), []);
});

t.test('what outlasts its slot is not counted for the key that has it then', async (t) => {
  const scene = tracedScene(
    { randomPerTenThousand: 10_000 },
    { routes: ['/a', '/b'].map((prefix) => routeOf(prefix, forwardAction())) },
  );
  const send = (path: string) => {
    scene.request((head) => {
      head.path = path;
    });
    return scene.connect();
  };
  const long = send('/a');
  scene.respond(send('/a'), 200);
  for (let nowMs = 0; nowMs <= 130_000; nowMs += 1000) scene.tracing.keepHouse(nowMs);
  scene.respond(send('/b'), 200);
  scene.respond(long, 200);
  scene.tracing.flush();
  t.same(routesOfRecords(scene), ['/a', '/b', '*']);
});

/** As the main thread sees it: whose a slot is when the record arrives. */
function routesOfRecords({ tracingMessages }: Scene): readonly string[] {
  const owners = new Map<number, string>();
  return tracingMessages.flatMap((message) => {
    if (message.kind === 'sampling-key') owners.set(message.slot, message.key?.route ?? '*');
    return recordsOf([message]).map(({ keySlot }) => owners.get(keySlot) ?? '*');
  });
}

t.test('requests are counted by their direction, and by whether their caller gave the ids of a trace', async (t) => {
  for (const isOutbound of [false, true]) {
    const scene = tracedScene({}, { isOutbound });
    const send = (prepare?: (head: RequestHead) => void) => {
      scene.request(prepare);
      scene.respond(scene.connect(), 200);
    };
    send();
    send(withParent('00'));
    send(withParent('01'));
    send(({ headers }) => headers.append('b3', '0'));
    send(({ headers }) => headers.append('traceparent', 'no trace'));
    send(({ headers }) => headers.append('x-envoy-force-trace', 'true'));
    const memory = memoryOf(scene);
    const counts = Object.values(ContextCounter).map((counter) => memory.contextCounter(counter));
    t.same(counts, isOutbound ? [0, 0, 2, 4] : [2, 4, 0, 0]);
  }
});
