import t from 'tap';
import type { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { WorkerIstio } from '../../../proxy/istio/worker-istio.ts';
import { workloadOfEndpoint, workloadOfNode } from '../../../proxy/istio/workload.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { certificateFacts, tlsFacts } from '../../support/tls-facts-fixtures.ts';

const us = { metadata: { WORKLOAD_NAME: 'us', NAMESPACE: 'here' } };
const config = { usesHostHeader: true, tcpReportingIntervalMs: 5_000, overrides: {} };

/** A workload as in the expectations of Istio's own proxy, `tcp_server_connection_open` and `tcp_client_connection_open`. */
const nodeOf = (name: string, app: string, service: string, cluster: string) => ({
  id: `sidecar~${name}`,
  region: '',
  zone: '',
  metadata: {
    WORKLOAD_NAME: name,
    NAMESPACE: 'default',
    CLUSTER_ID: cluster,
    LABELS: {
      app,
      version: 'v1',
      'service.istio.io/canonical-name': service,
      'service.istio.io/canonical-revision': 'version-1',
    },
  },
});
const productpage = nodeOf('productpage-v1', 'productpage', 'productpage-v1', 'client-cluster');
const ratings = nodeOf('ratings-v1', 'ratings', 'ratings', 'server-cluster');

function bench(isOutbound: boolean, given: object = {}, node: object = us) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const istio = new WorkerIstio({ stats, maxSeries: 10 });
  istio.identify({ id: 'n', zone: '', ...node });
  const tcp = istio.compileTcpStats({ istioStats: { ...config, ...given } } as never, isOutbound)!;
  const values = () =>
    store.groups().flatMap((group) => group.scope.stats.map((_, index) => group.value(index)).join());
  return { tcp, store, values, istio };
}

t.test('a connection is opened once and closed once, and bytes are added as they are seen', async (t) => {
  const { tcp, store, values } = bench(true);
  t.equal(tcp.reportingIntervalMs, 5_000);
  const info = new StreamInfo();
  info.endpointMetadata = { istio: { workload: 'db;data;database;v3;c1' } };
  info.upstreamTls = tlsFacts({
    peer: certificateFacts({ uris: ['spiffe://td/ns/data/sa/db'] }),
    own: certificateFacts({ uris: ['spiffe://td/ns/here/sa/us'] }),
  });
  const connection = tcp.begin();
  connection.report(info, null);
  t.same(values(), ['1,0,0,0']);
  info.requestBodyBytes = 10;
  info.responseBodyBytes = 20;
  connection.report(info, null);
  t.same(values(), ['1,0,20,10'], 'sent is what the client gets');
  info.requestBodyBytes = 11;
  connection.end(info, null);
  t.same(values(), ['1,1,20,11']);
  const [group] = store.groups();
  for (const label of [
    'reporter="source"',
    'source_workload="us"',
    'source_principal="spiffe://td/ns/here/sa/us"',
    'destination_workload="db"',
    'destination_workload_namespace="data"',
    'destination_principal="spiffe://td/ns/data/sa/db"',
    'destination_canonical_service="database"',
    'request_protocol="tcp"',
    'response_flags="-"',
  ]) {
    t.ok(group!.labels.includes(label), label);
  }
  t.notMatch(group!.labels, /response_code|grpc_response_status/);
});

t.test('a connection that never was one is opened and closed at its end', async (t) => {
  const { tcp, values } = bench(false);
  tcp.begin().end(new StreamInfo(), null);
  t.same(values(), ['1,1,0,0']);
});

t.test('a dropped metric is not there', async (t) => {
  const dropped = { isDropped: true, removedTags: [], tags: {} };
  const { tcp, values } = bench(false, { overrides: { tcp_connections_opened_total: dropped } });
  tcp.begin().end(new StreamInfo(), null);
  t.same(values(), ['1,0,0']);
});

t.test('a peer that is about to tell of itself is waited for, and the first report has its tags', async (t) => {
  const { tcp, store, values } = bench(false);
  const info = new StreamInfo();
  const connection = tcp.begin();
  connection.awaitPeer();
  info.requestBodyBytes = 7;
  connection.report(info, null);
  t.same(values(), []);
  connection.onPeer(workloadOfEndpoint('web;shop;web-service;v2;c1'));
  connection.report(info, null);
  t.same(values(), ['1,0,0,7']);
  t.match(store.groups()[0]!.labels, /source_canonical_revision="v2".*source_workload="web"/);
});

t.test('a connection whose peer is still waited for is counted at its end', async (t) => {
  const { tcp, values } = bench(false);
  const connection = tcp.begin();
  connection.awaitPeer();
  connection.end(new StreamInfo(), null);
  t.same(values(), ['1,1,0,0']);
});

t.test('an endpoint that tells nothing is who the control plane says it is', async (t) => {
  const { tcp, store } = bench(true);
  const info = new StreamInfo();
  info.endpointMetadata = { istio: { workload: 'db;data;database;v3;c1' } };
  const connection = tcp.begin();
  connection.awaitPeer();
  connection.onPeer(null);
  connection.report(info, null);
  t.match(store.groups()[0]!.labels, /destination_workload="db"/);
});

t.test('both sides report as Istio expects', async (t) => {
  const [client, server] = [
    'spiffe://cluster.local/ns/default/sa/client',
    'spiffe://cluster.local/ns/default/sa/server',
  ];
  const services = [{ host: 'server.default.svc.cluster.local', name: 'server', namespace: 'default' }];
  const cluster = { name: 'c', config: { metadata: { istio: { services } } } } as unknown as ClusterRuntime;
  const certificate = (uri: string) => certificateFacts({ uris: [uri] });
  const tagsOf = (isOutbound: boolean) => {
    const { tcp, store } = bench(isOutbound, {}, isOutbound ? productpage : ratings);
    const info = new StreamInfo();
    if (isOutbound) info.upstreamTls = tlsFacts({ own: certificate(client), peer: certificate(server) });
    else info.downstreamTls = tlsFacts({ own: certificate(server), peer: certificate(client) });
    const connection = tcp.begin();
    connection.awaitPeer();
    connection.onPeer(workloadOfNode(isOutbound ? ratings : productpage, []));
    connection.report(info, cluster);
    const pairs = [...store.groups()[0]!.labels.matchAll(/(\w+)="([^"]*)"/g)];
    return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
  };
  const both = {
    source_workload: 'productpage-v1',
    source_canonical_service: 'productpage-v1',
    source_canonical_revision: 'version-1',
    source_workload_namespace: 'default',
    source_principal: client,
    source_app: 'productpage',
    source_version: 'v1',
    source_cluster: 'client-cluster',
    destination_workload: 'ratings-v1',
    destination_workload_namespace: 'default',
    destination_principal: server,
    destination_app: 'ratings',
    destination_version: 'v1',
    destination_service: 'server.default.svc.cluster.local',
    destination_canonical_service: 'ratings',
    destination_canonical_revision: 'version-1',
    destination_service_name: 'server',
    destination_service_namespace: 'default',
    destination_cluster: 'server-cluster',
    request_protocol: 'tcp',
    response_flags: '-',
  };
  t.same(tagsOf(false), { reporter: 'destination', ...both, connection_security_policy: 'mutual_tls' });
  t.same(tagsOf(true), { reporter: 'source', ...both, connection_security_policy: 'unknown' });
});
