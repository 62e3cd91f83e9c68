// Two proxies as sidecars of Istio that carry TCP: what each tells the other in front of the bytes, and peers that agreed to
// tell and don't, or never agreed.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import t, { type Test } from 'tap';
import { readPreamble } from '../../proxy/istio/peer-preamble.ts';
import { clusterAt, type Sidecar, socketAddress, startSidecar, tcpFilterChain } from '../support/sidecar.ts';
import { dial, downstreamTlsSocket, over, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';

// Each test starts one or two processes, which takes seconds on a busy machine.
t.setTimeout(900_000);

const ALPN = 'istio-peer-exchange';
const TYPES = 'type.googleapis.com';
const IDS = { web: 'spiffe://mesh.test/ns/shop/sa/web', app: 'spiffe://mesh.test/ns/stock/sa/app' };
const exchange = {
  name: 'istio.metadata_exchange',
  typed_config: {
    '@type': `${TYPES}/udpa.type.v1.TypedStruct`,
    type_url: `${TYPES}/envoy.tcp.metadataexchange.config.MetadataExchange`,
    value: { protocol: ALPN, enable_discovery: true },
  },
};
const stats = { name: 'istio.stats', typed_config: { '@type': `${TYPES}/stats.PluginConfig` } };

class Mesh {
  readonly authority: Authority;
  readonly web: IssuedIdentity;
  readonly app: IssuedIdentity;

  constructor(t: Test) {
    this.authority = Authority.make(t.testdir({}), 'mesh');
    this.web = this.authority.issue({ subjectAltName: `URI:${IDS.web}` });
    this.app = this.authority.issue({ subjectAltName: `URI:${IDS.app}` });
  }

  /** A sidecar in front of an application. */
  startInbound(t: Test, application: number): Promise<Sidecar> {
    const common = { alpn_protocols: [ALPN, 'h2', 'http/1.1'] };
    const socket = downstreamTlsSocket({ identity: this.app, roots: this.authority.certificate, common });
    return start(t, 'app', 'stock', {
      listeners: [listener('INBOUND', over(socket, withFilters('local', exchange, stats)))],
      clusters: [clusterAt('local', application)],
    });
  }

  /** A client's sidecar. */
  startOutbound(t: Test, port: number, protocols: readonly string[] = [ALPN, 'istio']): Promise<Sidecar> {
    const common = { alpn_protocols: protocols };
    const socket = upstreamTlsSocket({ identity: this.web, roots: this.authority.certificate, common });
    return start(t, 'web', 'shop', {
      listeners: [listener('OUTBOUND', withFilters('app', stats))],
      clusters: [over(socket, clusterAt('app', port, { filters: [exchange] }))],
    });
  }

  /** A client of the mesh that is no proxy. */
  dial(t: Test, port: number, protocols: readonly string[]) {
    const { certificateChain: cert, privateKey: key } = this.web;
    const ca = this.authority.certificate;
    return dial(t, port, { cert, key, ca, ALPNProtocols: [...protocols], checkServerIdentity: () => undefined });
  }
}

function listener(direction: string, chain: object): object {
  return { name: 'tcp', address: socketAddress(0), traffic_direction: direction, filter_chains: [chain] };
}

function withFilters(cluster: string, ...before: readonly object[]): object {
  const { filters } = tcpFilterChain(cluster) as { readonly filters: readonly object[] };
  return { filters: [...before, ...filters] };
}

function start(t: Test, name: string, namespace: string, resources: object): Promise<Sidecar> {
  const metadata = {
    WORKLOAD_NAME: name,
    NAMESPACE: namespace,
    LABELS: { app: name, 'service.istio.io/canonical-name': `${name}-service` },
  };
  return startSidecar(t, {
    flags: ['--concurrency', '1'],
    bootstrap: {
      node: { id: `sidecar~10.0.0.1~${name}.${namespace}~d`, cluster: name, metadata },
      static_resources: resources,
    },
  });
}

/** Answers with what it was told, after a greeting; ends with its client. */
async function startApplication(t: Test, greeting = ''): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.write(greeting);
    socket.pipe(socket);
    socket.on('error', () => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function talk(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.end(text);
  return (await buffer(socket)).toString('latin1');
}

/** The labels of the one series of a metric. */
async function tagsOf(sidecar: Sidecar, metric: string): Promise<{ readonly [tag: string]: string }> {
  const lines = (await sidecar.admin('/stats/prometheus')).split('\n').filter((line) => line.startsWith(`${metric}{`));
  if (lines.length !== 1) throw new Error(`${lines.length} series of ${metric}`);
  return Object.fromEntries([...lines[0]!.matchAll(/(\w+)="([^"]*)"/g)].map(([, tag, value]) => [tag!, value!]));
}

const countsOf = async (sidecar: Sidecar) =>
  Object.fromEntries(
    [...(await sidecar.admin('/stats?filter=metadata_exchange')).matchAll(/metadata_exchange\.(\w+): (\d+)/g)]
      .filter(([, , value]) => value !== '0')
      .map(([, name, value]) => [name!, Number(value)]),
  );

t.test('both sides tell of themselves, and nothing of it is in the bytes', async (t) => {
  const mesh = new Mesh(t);
  for (const greeting of ['', 'welcome ']) {
    const app = await mesh.startInbound(t, await startApplication(t, greeting));
    const web = await mesh.startOutbound(t, app.port('tcp'));
    t.equal(await talk(web.port('tcp'), 'hello'), `${greeting}hello`);
    const both = {
      source_workload: 'web',
      source_workload_namespace: 'shop',
      source_canonical_service: 'web-service',
      source_principal: IDS.web,
      destination_workload: 'app',
      destination_workload_namespace: 'stock',
      destination_canonical_service: 'app-service',
      destination_principal: IDS.app,
      request_protocol: 'tcp',
    };
    for (const metric of ['istio_tcp_connections_opened_total', 'istio_tcp_connections_closed_total']) {
      t.match(await tagsOf(web, metric), { reporter: 'source', ...both }, metric);
      t.match(await tagsOf(app, metric), { reporter: 'destination', ...both }, metric);
    }
    for (const sidecar of [web, app]) t.same(await countsOf(sidecar), { alpn_protocol_found: 1, metadata_added: 1 });
  }
});

t.test('a client that agreed and tells nothing is served; we tell all the same', async (t) => {
  const mesh = new Mesh(t);
  const app = await mesh.startInbound(t, await startApplication(t));
  const socket = await mesh.dial(t, app.port('tcp'), [ALPN]);
  t.equal(socket.alpnProtocol, ALPN);
  socket.end('hello');
  const received = await buffer(socket);
  const told = readPreamble(received, []);
  t.match(told, { kind: 'whole', peer: { name: 'app', namespace: 'stock' } });
  t.equal(received.subarray(told.kind === 'whole' ? told.lengthBytes : 0).toString(), 'hello');
  t.match(await tagsOf(app, 'istio_tcp_connections_opened_total'), { source_workload: 'unknown' });
  t.same(await countsOf(app), { alpn_protocol_found: 1, metadata_added: 1, initial_header_not_found: 1 });
});

t.test('a client that knows nothing of it has plain bytes', async (t) => {
  const mesh = new Mesh(t);
  const app = await mesh.startInbound(t, await startApplication(t));
  const socket = await mesh.dial(t, app.port('tcp'), ['istio']);
  socket.end('hello');
  t.equal((await buffer(socket)).toString(), 'hello');
  t.same(await countsOf(app), { alpn_protocol_not_found: 1 });
});

t.test('an endpoint that agreed and tells nothing, or never agreed', async (t) => {
  const mesh = new Mesh(t);
  for (const protocols of [[ALPN], ['istio']]) {
    const received: Buffer[] = [];
    const { certificateChain: cert, privateKey: key } = mesh.app;
    const options = { cert, key, ca: mesh.authority.certificate, requestCert: true, ALPNProtocols: protocols };
    const origin = createTlsServer(options, (socket) => {
      socket.on('data', (data) => received.push(data));
      socket.on('end', () => socket.end('answer'));
    }).listen(0, '127.0.0.1');
    t.teardown(() => origin.close());
    await once(origin, 'listening');
    const web = await mesh.startOutbound(t, (origin.address() as AddressInfo).port);
    t.equal(await talk(web.port('tcp'), 'hello'), 'answer');
    const bytes = Buffer.concat(received);
    const told = readPreamble(bytes, []);
    if (protocols[0] === ALPN) t.match(told, { kind: 'whole', peer: { name: 'web', namespace: 'shop' } });
    else t.equal(told.kind, 'absent');
    t.equal(bytes.subarray(told.kind === 'whole' ? told.lengthBytes : 0).toString(), 'hello');
  }
});

t.test('a client that ends within its metadata is not passed on', async (t) => {
  const mesh = new Mesh(t);
  const app = await mesh.startInbound(t, await startApplication(t));
  const socket = await mesh.dial(t, app.port('tcp'), [ALPN]);
  socket.end(Buffer.from([0x3d, 0x23, 4, 0x67, 0, 0, 0, 9, 1, 2]));
  const received = await buffer(socket);
  const told = readPreamble(received, []);
  t.equal(received.length, told.kind === 'whole' ? told.lengthBytes : 0, 'only our own');
  t.match(await countsOf(app), { header_not_found: 1 });
});
