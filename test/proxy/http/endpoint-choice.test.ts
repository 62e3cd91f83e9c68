// Where an attempt goes: the endpoint, and the pool whose engine can carry the request.

import t from 'tap';
import type { UpstreamConnector } from '../../../proxy/cluster/pooled-connection.ts';
import { chooseEndpoint, choosePool } from '../../../proxy/http/endpoint-choice.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import type { RetryState } from '../../../proxy/http/retry-state.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { forwardAction } from '../../support/route-fixtures.ts';

const offeredProtocols = ['istio-http/1.1', 'istio'];

/** What a pool is asked for, for a request of a cluster with this metadata. */
function asked(metadata: object, hasTransport = true) {
  const connector = {};
  const seen: { authority?: string; offered?: readonly string[] | null; choice?: unknown } = {};
  const variantFor = (authority: string, offered: readonly string[] | null): string => {
    Object.assign(seen, { authority, offered });
    return 'variant';
  };
  const pools = { get: (_context: unknown, priority: string, choice: object) => ({ priority, choice }) };
  const endpoint = { transport: hasTransport ? { variantFor } : null, pools };
  const context = { connector: { carrierOf: () => connector } };
  const stream = { head: { authority: 'an.endpoint' }, manager: { context, offeredProtocols } };
  const cluster = { config: { metadata } };
  const pool: unknown = choosePool(stream as never, { cluster, endpoint, authority: 'shop.example' } as never, 'high');
  return { ...seen, pool };
}

t.test('the pool is that of the connector which carries such a request', async (t) => {
  const scene = new Scene();
  const { stream } = scene.request();
  const { cluster } = scene;
  const endpoint = chooseEndpoint(stream, cluster, null)!;
  endpoint.pools = null;
  const other: UpstreamConnector = { carrierOf: () => other, connect: () => t.fail('nobody asked') as never };
  const own: UpstreamConnector = {
    carrierOf: (head) => (head.method === 'CONNECT' ? other : own),
    connect: () => t.fail('nobody asked') as never,
  };
  Object.assign(scene.manager.context, { connector: own });
  const choice = { cluster, endpoint, authority: 'a' };
  t.equal(choosePool(stream, choice, 'default')?.connector, own);
  t.equal(choosePool(stream, choice, 'default'), choosePool(stream, choice, 'default'), 'made once');
  t.not(choosePool(stream, choice, 'high'), choosePool(stream, choice, 'default'));
  stream.head.method = 'CONNECT';
  t.equal(choosePool(stream, choice, 'default')?.connector, other);
});

t.test('where CONNECT ends the pool is one of plain TCP, for POST only where that is allowed', async (t) => {
  const connector: UpstreamConnector = { carrierOf: () => connector, connect: () => t.fail('nobody asked') as never };
  const raw: UpstreamConnector = { ...connector, isRaw: true };
  for (const allowsPost of [false, true]) {
    const scene = new Scene({ routes: [routeOf('/', forwardAction({ connectTermination: { allowsPost } }))] });
    const { stream } = scene.request();
    const endpoint = chooseEndpoint(stream, scene.cluster, null)!;
    endpoint.pools = null;
    Object.assign(scene.manager.context, { connector, rawConnector: raw });
    const chosen = (method: string) => {
      stream.head.method = method;
      return choosePool(stream, { cluster: scene.cluster, endpoint, authority: 'a' }, 'default')?.connector;
    };
    t.equal(chosen('GET'), connector);
    t.equal(chosen('CONNECT'), raw);
    t.equal(chosen('POST'), allowsPost ? raw : connector);
  }
});

t.test('a retry leaves out the endpoints that it has tried', async (t) => {
  const scene = new Scene({ endpoints: 2 });
  const { stream } = scene.request();
  const first = chooseEndpoint(stream, scene.cluster, null)!;
  const retry = { excluded: [first], policy: { hostSelectionMaxAttempts: 5 } } as unknown as RetryState;
  for (let index = 0; index < 8; index++) t.not(chooseEndpoint(stream, scene.cluster, retry), first);
});

t.test('connections offer what the connection manager says, for the authority of the request', async (t) => {
  const { authority, offered, pool } = asked({});
  t.equal(authority, 'shop.example');
  t.equal(offered, offeredProtocols);
  t.match(pool, { priority: 'high', choice: { variant: 'variant' } });
  t.equal(asked({ istio: { alpn_override: 'true' } }).offered, offeredProtocols);
});

t.test('a cluster that keeps its own protocols is offered those', async (t) => {
  t.equal(asked({ istio: { alpn_override: 'false' } }).offered, null);
});

t.test('plain connections to an endpoint are all alike', async (t) => {
  t.match(asked({}, false), { pool: { choice: { variant: null } } });
});

t.test(
  'a cluster of original destinations is told where the connection was headed, or what a header says',
  async (t) => {
    const choose = (discovery: object, fields: readonly (readonly [string, string])[] = []) => {
      const headers = new HeaderTable();
      for (const [name, value] of fields) headers.append(name, value);
      const chooseContext = { excluded: 'x', hostSelectionMaxAttempts: 0 };
      const manager = { context: { chooseContext } };
      const stream = { head: { headers }, manager, facts: { originalDestination: '10.0.0.1:80' } };
      const cluster = { config: { discovery }, chooseEndpoint: (context: object) => ({ ...context }) };
      return chooseEndpoint(stream as never, cluster as never, null) as unknown as object;
    };
    t.same(choose({ kind: 'static' }), { excluded: null, hostSelectionMaxAttempts: 0 });
    const discovery = { kind: 'original-dst', useHttpHeader: false, httpHeaderName: '' };
    t.match(choose(discovery), { originalDestination: '10.0.0.1:80', originalDestinationHeader: null });
    const byHeader = { ...discovery, useHttpHeader: true };
    t.match(choose(byHeader), { originalDestinationHeader: null });
    t.match(choose(byHeader, [['x-envoy-original-dst-host', '10.0.0.2:81']]), {
      originalDestinationHeader: '10.0.0.2:81',
    });
    const named = { ...byHeader, httpHeaderName: 'X-Where' };
    for (let again = 0; again < 2; again++)
      t.match(choose(named, [['x-where', '10.0.0.3:82']]), { originalDestinationHeader: '10.0.0.3:82' });
  },
);
