import t from 'tap';
import type { CustomTag, TraceProvider, Tracing } from '../../../config/tracing.ts';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { Stream } from '../../../proxy/http/stream.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { routeOf } from '../../support/data-plane.ts';
import { anyConnection, FakeClient, Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { forwardAction } from '../../support/route-fixtures.ts';
import { recordsOf, someProvider, tracingOf } from '../../support/trace-fixtures.ts';

/** The record of one request that is kept. */
function record(tracing: Partial<Tracing>, options: SceneOptions = {}, fill: (head: RequestHead) => void = () => {}) {
  const scene = new Scene({ ...options, manager: { ...options.manager, tracing: tracingOf(tracing) } });
  scene.request(fill);
  const connection = scene.connect();
  scene.reactor.advance(3);
  scene.respond(connection, 200);
  scene.tracing.flush();
  const [only] = recordsOf(scene.tracingMessages);
  return { ...only!, sent: connection.requestHead };
}

const literal = (tag: string, value: string): CustomTag => ({ tag, source: { kind: 'literal', value } });

t.test(
  'custom tags of the route come before those of the connection manager, and empty ones are left out',
  async (t) => {
    const customTags: CustomTag[] = [
      literal('a', 'manager'),
      literal('mesh', 'mesh-ä'),
      literal('nothing', ''),
      { tag: 'user', source: { kind: 'request-header', name: 'X-User', defaultValue: 'nobody' } },
      { tag: 'agent', source: { kind: 'request-header', name: 'x-agent', defaultValue: '' } },
      { tag: 'code', source: { kind: 'format', format: '%RESPONSE_CODE%/%REQ(:METHOD)%' } },
      { tag: 'home', source: { kind: 'environment', name: 'NO_SUCH_VARIABLE', defaultValue: 'default' } },
      {
        tag: 'version',
        source: { kind: 'metadata', of: 'route', namespace: 'n', path: ['k', 'v'], defaultValue: 'none' },
      },
    ];
    const tracing = {
      clientPerTenThousand: 10_000,
      randomPerTenThousand: 10_000,
      overallPerTenThousand: 10_000,
      customTags: [literal('a', 'route')],
      operation: '',
      upstreamOperation: '',
    };
    const routes = [routeOf('/', forwardAction(), { tracing, metadata: { n: { k: { v: 'v7' } } } })];
    const { spans } = record({ customTags, spawnUpstreamSpan: true }, { routes }, ({ headers }) =>
      headers.append('x-user', 'alice'),
    );
    t.equal(spans.length, 2, 'spans of attempts have them too');
    for (const { attributes } of spans) {
      t.match(attributes, {
        a: 'route',
        mesh: 'mesh-ä',
        user: 'alice',
        code: '200/GET',
        home: 'default',
        version: 'v7',
      });
      t.notOk('nothing' in attributes || 'agent' in attributes);
    }
  },
);

t.test("names: an operation that is configured, the route's first; else method and path template", async (t) => {
  const tracing = {
    clientPerTenThousand: 10_000,
    randomPerTenThousand: 10_000,
    overallPerTenThousand: 10_000,
    customTags: [],
    operation: 'route %REQ(:METHOD)%',
    upstreamOperation: 'up %UPSTREAM_CLUSTER%',
  };
  const names = (fields: Partial<Tracing>, route: boolean) =>
    record(
      { spawnUpstreamSpan: true, ...fields },
      { routes: [routeOf('/', forwardAction(), route ? { tracing } : {})] },
    ).spans.map(({ name }) => name);
  t.same(names({}, false), ['GET /', 'GET /']);
  t.same(names({ operation: 'own', upstreamOperation: 'own up' }, false), ['own', 'own up']);
  t.same(names({ operation: 'own' }, true), ['route GET', 'up service']);
});

t.test('paths are cut, and bytes that are no text are replaced', async (t) => {
  const { spans } = record({ maxPathTagLength: 8, spawnUpstreamSpan: true }, {}, (head) => {
    head.path = '/abc?defghijk';
    head.method = 'BREW';
    head.headers.append('user-agent', 'caf\xe9');
  });
  t.match(spans[0]!.attributes, {
    'url.path': '/abc',
    'url.query': 'def',
    'user_agent.original': 'caf\ufffd',
    'http.request.method': '_OTHER',
    'http.request.method_original': 'BREW',
  });
  t.equal(spans[0]!.name, 'HTTP /');
  t.equal(spans[1]!.attributes['url.full'], 'http://shop.example/abc?def');
});

t.test('an attempt tells where it went and what it got, in the words of a client', async (t) => {
  const attemptOf = (status: number, grpcStatus = '') => {
    const scene = new Scene({ manager: { tracing: tracingOf({ spawnUpstreamSpan: true }) }, isOutbound: true });
    scene.request((head) => {
      head.path = '/shop.Cart/Add';
      if (grpcStatus !== '') head.headers.append('content-type', 'application/grpc');
    });
    const connection = scene.connect();
    scene.respond(connection, status, true, grpcStatus === '' ? [] : [['grpc-status', grpcStatus]]);
    scene.tracing.flush();
    return recordsOf(scene.tracingMessages)[0]!.spans[1]!;
  };
  const { attributes, status } = attemptOf(200);
  t.match(attributes, {
    'http.request.method': 'GET',
    'url.full': 'http://shop.example/shop.Cart/Add',
    'server.address': '10.0.0.1',
    'server.port': 80,
    'network.peer.address': '10.0.0.1',
    'network.peer.port': 80,
    'network.protocol.version': '1.1',
    'http.response.status_code': 200,
  });
  t.notOk('error.type' in attributes);
  t.equal(status, null);
  for (const [failed, type] of [
    [attemptOf(404), '404'],
    [attemptOf(503), '503'],
    [attemptOf(200, '14'), '14'],
  ] as const) {
    t.equal(failed.attributes['error.type'], type);
    t.equal(failed.status?.code, 'STATUS_CODE_ERROR');
  }
  t.match(attemptOf(200, '14').attributes, { 'rpc.system': 'grpc', 'rpc.grpc.status_code': 14 });
});

t.test('verbose spans tell when each stage was reached', async (t) => {
  const { spans } = record({ verbose: true });
  t.same(
    spans[0]!.events.map(({ name }) => name),
    [
      'last_downstream_rx_byte_received',
      'first_upstream_tx_byte_sent',
      'last_upstream_tx_byte_sent',
      'first_upstream_rx_byte_received',
      'last_upstream_rx_byte_received',
      'first_downstream_tx_byte_sent',
      'last_downstream_tx_byte_sent',
    ],
  );
});

t.test("a Zipkin span may share the caller's id, and a trace id of 64 bits has zeros before it", async (t) => {
  const provider: TraceProvider = {
    kind: 'zipkin',
    name: 'envoy.tracers.zipkin',
    service: someProvider.service,
    encoding: 'json',
    traceId128Bit: false,
    sharedSpanContext: true,
    alsoW3c: false,
  };
  const received = ({ headers }: RequestHead) => {
    headers.append('x-b3-traceid', '8448eb211c80319c');
    headers.append('x-b3-spanid', 'b7ad6b7169203331');
    headers.append('x-b3-sampled', '1');
  };
  const shared = record({ provider }, {}, received);
  t.equal(shared.sharesSpanId, true);
  t.match(shared.spans[0], {
    traceId: '00000000000000008448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentSpanId: '',
  });
  const outbound = record({ provider }, { isOutbound: true }, received);
  t.equal(outbound.sharesSpanId, false);
  t.equal(outbound.spans[0]!.parentSpanId, 'b7ad6b7169203331');
  t.match(record({ provider }).spans[0]!.traceId, /^0{16}[0-9a-f]{16}$/);
  t.match(shared.sent, /x-b3-traceid: 8448eb211c80319c/i);
  t.notMatch(shared.sent, /traceparent/);
});

t.test('a head that the codec refused has a span without what the request before had', async (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf() } });
  const client = new FakeClient(scene.reactor as unknown as Reactor);
  client.head.path = '/of-the-request-before';
  const stream = new Stream(scene.manager, anyConnection, client);
  stream.onRefusedHead({ status: 431, body: '', details: 'headers_too_large', flags: 0 }, 'too large');
  scene.tracing.flush();
  const [record] = recordsOf(scene.tracingMessages);
  t.equal(client.status, 431);
  t.equal(record!.spans[0]!.name, 'HTTP');
  t.match(record!.spans[0]!.attributes, { 'sampling.reason': 'error', 'http.response.status_code': 431 });
  t.notOk('url.path' in record!.spans[0]!.attributes);
});
