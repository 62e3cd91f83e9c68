// TLS to endpoints, through the whole process: whom the proxy trusts, by which name it asks, and what it says when it does not
// get through.

import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TLSSocket, TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { over, startHttpsOrigin, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const APP = 'spiffe://mesh.test/ns/a/sa/app';

interface Mesh {
  readonly folder: string;
  readonly authority: Authority;
  /** Of the endpoint, and of the proxy. */
  readonly app: IssuedIdentity;
  readonly web: IssuedIdentity;
}

function makeMesh(t: Test): Mesh {
  const folder = t.testdir({});
  const authority = Authority.make(`${folder}/ca`, 'mesh');
  return {
    folder,
    authority,
    app: authority.issue({ subjectAltName: `URI:${APP},DNS:app.test,DNS:*.apps.test` }),
    web: authority.issue({ subjectAltName: 'URI:spiffe://mesh.test/ns/a/sa/web' }),
  };
}

/** Answers with what it saw of the connection: SNI, the client's name, and which connection it is. */
function tellConnection(): RequestListener {
  const connections: unknown[] = [];
  return ({ socket }, response) => {
    if (!connections.includes(socket)) connections.push(socket);
    const { servername } = socket as TLSSocket;
    const { subjectaltname = 'nobody' } = (socket as TLSSocket).getPeerCertificate();
    response.end(`${servername || 'no name'} ${subjectaltname} ${connections.indexOf(socket)}`);
  };
}

function startApp(t: Test, { app, authority }: Mesh, options: TlsOptions = {}): Promise<number> {
  const { certificateChain: cert, privateKey: key } = app;
  return startHttpsOrigin(t, { cert, key, ca: authority.certificate, ...options }, tellConnection());
}

/** One listener and cluster for each of `clusters`, by its name. */
function startProxy(t: Test, clusters: readonly object[], manager: object = {}): Promise<Sidecar> {
  const listeners = (clusters as { readonly name: string }[]).map(({ name }) => ({
    name,
    address: socketAddress(0),
    filter_chains: [httpFilterChain(name, manager)],
  }));
  return startSidecar(t, { bootstrap: { static_resources: { listeners, clusters } }, flags: ['--concurrency', '1'] });
}

async function get(sidecar: Sidecar, listener: string, host = 'web.test'): Promise<string> {
  const sent = request({ host: '127.0.0.1', port: sidecar.port(listener), headers: { host }, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return `${response.statusCode} ${await text(response)}`;
}

t.test(
  'an endpoint is reached over TLS by the configured name, with our certificate, over a kept connection',
  async (t) => {
    const mesh = makeMesh(t);
    const port = await startApp(t, mesh, { requestCert: true, rejectUnauthorized: true });
    const socket = upstreamTlsSocket({
      identity: mesh.web,
      roots: mesh.authority.certificate,
      uris: [APP],
      context: { sni: 'outbound_.80_._.app' },
    });
    const sidecar = await startProxy(t, [over(socket, clusterAt('app', port))]);
    const expected = '200 outbound_.80_._.app URI:spiffe://mesh.test/ns/a/sa/web 0';
    t.equal(await get(sidecar, 'app'), expected);
    t.equal(await get(sidecar, 'app'), expected);
    const stats = await sidecar.admin('/stats?filter=cluster.app.ssl');
    t.match(stats, /cluster\.app\.ssl\.handshake: 1\n/);
  },
);

t.test('who is not whom the cluster expects is not spoken to, and the reply says why', async (t) => {
  const mesh = makeMesh(t);
  const port = await startApp(t, mesh);
  const other = Authority.make(`${mesh.folder}/other`, 'other');
  const { certificate: roots } = mesh.authority;
  const sidecar = await startProxy(t, [
    over(upstreamTlsSocket({ roots: other.certificate }), clusterAt('trust', port)),
    over(upstreamTlsSocket({ roots, uris: ['spiffe://mesh.test/ns/a/sa/other'] }), clusterAt('name', port)),
    over(upstreamTlsSocket({ roots }), clusterAt('mutual', await startApp(t, mesh, { requestCert: true }))),
  ]);
  for (const name of ['trust', 'name', 'mutual']) {
    t.match(
      await get(sidecar, name),
      new RegExp(`^503 .*\\n?.*${name} at 127\\.0\\.0\\.1:\\d+: (TLS: |\\w+)`, 's'),
      name,
    );
  }
  const stats = await sidecar.admin('/stats?filter=ssl.fail');
  t.match(stats, /cluster\.trust\.ssl\.fail_verify_error: 1\n/);
  t.match(stats, /cluster\.name\.ssl\.fail_verify_san: 1\n/);
});

t.test('names of requests make connections of their own, and certificates are asked for them', async (t) => {
  const mesh = makeMesh(t);
  const port = await startApp(t, mesh);
  const options = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
    explicit_http_config: { http_protocol_options: {} },
  };
  const cluster = {
    ...clusterAt('app', port),
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options },
  };
  const sidecar = await startProxy(t, [over(upstreamTlsSocket({ roots: mesh.authority.certificate }), cluster)]);
  t.equal(await get(sidecar, 'app', 'one.apps.test'), '200 one.apps.test nobody 0');
  t.equal(await get(sidecar, 'app', 'two.apps.test:8443'), '200 two.apps.test nobody 1');
  t.equal(await get(sidecar, 'app', 'ONE.apps.test'), '200 one.apps.test nobody 0', 'kept for its own name');
  t.match(await get(sidecar, 'app', 'other.test'), /^503 .*TLS: /s);
});

t.test('a retry asks for the name that the request is for, not for that of the endpoint before', async (t) => {
  const mesh = makeMesh(t);
  const { certificateChain: cert, privateKey: key } = mesh.app;
  const names: unknown[] = [];
  const port = await startHttpsOrigin(t, { cert, key }, ({ socket, headers }, response) => {
    names.push(`${(socket as TLSSocket).servername} ${headers.host}`);
    response.writeHead(names.length === 1 ? 503 : 200).end();
  });
  const options = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
    explicit_http_config: { http_protocol_options: {} },
  };
  const endpoint = { address: socketAddress(port), hostname: 'pod-1.test' };
  const cluster = {
    ...clusterAt('app', 0),
    load_assignment: { cluster_name: 'app', endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options },
  };
  const route = { cluster: 'app', auto_host_rewrite: true, retry_policy: { retry_on: '5xx', num_retries: 1 } };
  const virtualHost = { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route }] };
  const sidecar = await startProxy(t, [over(upstreamTlsSocket({ roots: mesh.authority.certificate }), cluster)], {
    route_config: { virtual_hosts: [virtualHost] },
  });
  t.equal(await get(sidecar, 'app', 'one.apps.test'), '200 ');
  t.same(names, ['one.apps.test pod-1.test', 'one.apps.test pod-1.test']);
});

t.test('endpoints of one cluster have the transport that their metadata asks for', async (t) => {
  const mesh = makeMesh(t);
  const endpoint = (port: number, metadata: object) => ({
    endpoint: { address: socketAddress(port) },
    metadata: { filter_metadata: { 'envoy.transport_socket_match': metadata } },
  });
  const lb_endpoints = [
    endpoint(await startApp(t, mesh, { requestCert: true, rejectUnauthorized: true }), { tlsMode: 'istio' }),
    endpoint(await startPlainApp(t), {}),
  ];
  const mutual = upstreamTlsSocket({ identity: mesh.web, roots: mesh.authority.certificate, uris: [APP] });
  const cluster = {
    ...clusterAt('app', 0),
    load_assignment: { cluster_name: 'app', endpoints: [{ lb_endpoints }] },
    transport_socket_matches: [
      { name: 'mutual', match: { tlsMode: 'istio' }, transport_socket: mutual },
      { name: 'plain', match: {}, transport_socket: rawBuffer },
    ],
  };
  const sidecar = await startProxy(t, [cluster]);
  const answers = new Set<string>();
  for (let count = 0; count < 4; count++) answers.add(await get(sidecar, 'app'));
  t.same([...answers].sort(), ['200 no name URI:spiffe://mesh.test/ns/a/sa/web 0', '200 plain']);
});

const rawBuffer = {
  name: 'plain',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer' },
};

function startPlainApp(t: Test): Promise<number> {
  return startHttpOrigin(t, (_request, response) => response.end('plain'));
}
