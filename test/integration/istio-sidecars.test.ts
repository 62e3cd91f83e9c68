// Two proxies as sidecars of Istio: what `istio.alpn`, the exchange of metadata, `istio.stats` and x-forwarded-client-cert
// make of a request between them, over mutual TLS whose server tells HTTP of the mesh by the protocols that are offered.

import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { downstreamTlsSocket, over, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority } from '../support/tls-fixtures.ts';

// Each test starts two processes, which takes seconds on a busy machine.
t.setTimeout(900_000);

const IDS = { client: 'spiffe://mesh.test/ns/shop/sa/web', server: 'spiffe://mesh.test/ns/stock/sa/app' };
const TYPES = 'type.googleapis.com';
const ALPN = `${TYPES}/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig`;

const peerMetadata = (value: object) => ({
  name: 'istio.metadata_exchange',
  typed_config: {
    '@type': `${TYPES}/udpa.type.v1.TypedStruct`,
    type_url: `${TYPES}/io.istio.http.peer_metadata.Config`,
    value,
  },
});
const istioStats = { name: 'istio.stats', typed_config: { '@type': `${TYPES}/stats.PluginConfig` } };
const router = {
  name: 'router',
  typed_config: { '@type': `${TYPES}/envoy.extensions.filters.http.router.v3.Router` },
};
const alpn = {
  name: 'istio.alpn',
  typed_config: {
    '@type': ALPN,
    alpn_override: [{ upstream_protocol: 'HTTP11', alpn_override: ['istio-http/1.1', 'istio', 'http/1.1'] }],
  },
};

const nodeOf = (name: string, namespace: string) => ({
  id: `sidecar~10.0.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`,
  cluster: `${name}.${namespace}`,
  metadata: {
    WORKLOAD_NAME: name,
    NAMESPACE: namespace,
    CLUSTER_ID: 'Kubernetes',
    LABELS: { app: name, 'service.istio.io/canonical-name': name, 'service.istio.io/canonical-revision': 'v1' },
  },
});

/** Routes that tell by their headers who the other sidecar is. */
const tellingRoutes = (cluster: string, headers: object) => ({
  virtual_hosts: [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }], ...headers },
  ],
});

const peerHeader = (peer: string) => [
  {
    header: { key: 'x-peer', value: `%FILTER_STATE(${peer}:FIELD:workload)% %FILTER_STATE(${peer}:FIELD:namespace)%` },
  },
];

interface Mesh {
  readonly web: Sidecar;
  readonly app: Sidecar;
}

async function startMesh(t: Test, clusterMetadata: object): Promise<Mesh> {
  const origin = await startHttpOrigin(t, (request, response) => response.end(JSON.stringify(request.headers)));
  const authority = Authority.make(t.testdir({}), 'mesh');
  const identityOf = (id: string) => authority.issue({ subjectAltName: `URI:${id}` });
  const roots = authority.certificate;
  const inbound = downstreamTlsSocket({ identity: identityOf(IDS.server), roots, uris: [IDS.client] });
  const exchange = { istio_headers: {} };
  const served = httpFilterChain('local', {
    route_config: tellingRoutes('local', { request_headers_to_add: peerHeader('downstream_peer') }),
    forward_client_cert_details: 'APPEND_FORWARD',
    set_current_client_cert_details: { subject: true, dns: true, uri: true },
    http_filters: [
      peerMetadata({ downstream_discovery: [exchange], downstream_propagation: [exchange] }),
      ...[istioStats, router],
    ],
  });
  const ofMesh = { transport_protocol: 'tls', application_protocols: ['istio-http/1.1'] };
  const tlsInspector = {
    name: 'tls',
    typed_config: { '@type': `${TYPES}/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector` },
  };
  const app = await startSidecar(t, {
    flags: ['--concurrency', '1'],
    bootstrap: {
      node: nodeOf('app', 'stock'),
      static_resources: {
        listeners: [
          {
            name: 'inbound',
            address: socketAddress(0),
            traffic_direction: 'INBOUND',
            listener_filters: [tlsInspector],
            filter_chains: [over(inbound, { ...served, filter_chain_match: ofMesh })],
          },
        ],
        clusters: [clusterAt('local', origin)],
      },
    },
  });
  const outbound = upstreamTlsSocket({
    identity: identityOf(IDS.client),
    roots,
    uris: [IDS.server],
    common: { alpn_protocols: ['istio'] },
  });
  const called = httpFilterChain('app', {
    route_config: tellingRoutes('app', { response_headers_to_add: peerHeader('upstream_peer') }),
    http_filters: [
      peerMetadata({ upstream_discovery: [exchange], upstream_propagation: [exchange] }),
      ...[alpn, istioStats, router],
    ],
  });
  const services = [{ host: 'app.stock.svc.cluster.local', name: 'app', namespace: 'stock' }];
  const metadata = { filter_metadata: { istio: { services, ...clusterMetadata } } };
  const web = await startSidecar(t, {
    flags: ['--concurrency', '1'],
    bootstrap: {
      node: nodeOf('web', 'shop'),
      static_resources: {
        listeners: [
          { name: 'outbound', address: socketAddress(0), traffic_direction: 'OUTBOUND', filter_chains: [called] },
        ],
        clusters: [over(outbound, clusterAt('app', app.port('inbound'), { metadata }))],
      },
    },
  });
  return { web, app };
}

/** The labels of the one series of a metric. */
async function tagsOf(sidecar: Sidecar, metric: string): Promise<{ readonly [tag: string]: string }> {
  const lines = (await sidecar.admin('/stats/prometheus')).split('\n').filter((line) => line.startsWith(`${metric}{`));
  if (lines.length !== 1) throw new Error(`${lines.length} series of ${metric}`);
  return Object.fromEntries([...lines[0]!.matchAll(/(\w+)="([^"]*)"/g)].map(([, tag, value]) => [tag!, value!]));
}

t.test('a request is known to be of the mesh, and both sides count it the same', async (t) => {
  const { web, app } = await startMesh(t, {});
  const forged = { 'x-forwarded-client-cert': 'URI=spiffe://mesh.test/ns/admin/sa/root', 'x-envoy-peer-metadata': 'x' };
  const response = await fetch(`http://127.0.0.1:${web.port('outbound')}/`, { headers: forged });
  t.equal(response.status, 200);
  t.notOk(response.headers.has('x-envoy-peer-metadata'), 'the client is told nothing of the mesh');
  const received = (await response.json()) as { readonly [name: string]: string };
  t.match(
    received['x-forwarded-client-cert'],
    new RegExp(`^By=${IDS.server};Hash=[0-9a-f]{64};Subject="[^"]*";URI=${IDS.client}$`),
  );
  t.notOk('x-envoy-peer-metadata' in received);
  t.notOk('x-envoy-peer-metadata-id' in received);
  t.equal(received['x-peer'], 'web shop', "what a format tells of the client's sidecar");
  t.equal(response.headers.get('x-peer'), 'app stock', "and of the endpoint's");
  const both = {
    source_workload: 'web',
    source_workload_namespace: 'shop',
    source_principal: IDS.client,
    source_canonical_service: 'web',
    source_cluster: 'Kubernetes',
    destination_workload: 'app',
    destination_workload_namespace: 'stock',
    destination_principal: IDS.server,
    destination_canonical_service: 'app',
    request_protocol: 'http',
    response_code: '200',
    response_flags: '-',
  };
  t.match(await tagsOf(web, 'istio_requests_total'), {
    reporter: 'source',
    ...both,
    destination_service: 'app.stock.svc.cluster.local',
    destination_service_name: 'app',
    connection_security_policy: 'unknown',
  });
  t.match(await tagsOf(app, 'istio_requests_total'), {
    reporter: 'destination',
    ...both,
    connection_security_policy: 'mutual_tls',
  });
});

t.test('a cluster that keeps its own protocols is not taken for HTTP of the mesh', async (t) => {
  const { web, app } = await startMesh(t, { alpn_override: 'false' });
  const response = await fetch(`http://127.0.0.1:${web.port('outbound')}/`);
  await response.arrayBuffer();
  t.equal(response.status, 503);
  t.match(await app.admin('/stats?filter=no_filter_chain_match'), /: [1-9]/);
});
