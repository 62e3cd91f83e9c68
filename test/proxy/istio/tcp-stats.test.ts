import t from 'tap';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { WorkerIstio } from '../../../proxy/istio/worker-istio.ts';
import { workloadOfEndpoint } from '../../../proxy/istio/workload.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { certificateFacts, tlsFacts } from '../../support/tls-facts-fixtures.ts';

const config = { usesHostHeader: true, tcpReportingIntervalMs: 5_000, overrides: {} };

function bench(isOutbound: boolean, given: object = {}) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const istio = new WorkerIstio({ stats, maxSeries: 10 });
  istio.identify({ id: 'n', zone: '', metadata: { WORKLOAD_NAME: 'us', NAMESPACE: 'here' } });
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
