// The tags are those of Istio's own expectations, `client_request_total` and `server_request_total` of its proxy's tests.

import t from 'tap';
import type { IstioStats } from '../../../config/istio-filter.ts';
import { encodeWorkload, workloadOfNode } from '../../../proxy/istio/workload.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import type { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateFacts, tlsFacts } from '../../support/tls-facts-fixtures.ts';

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
const client = nodeOf('productpage-v1', 'productpage', 'productpage-v1', 'client-cluster');
const server = nodeOf('ratings-v1', 'ratings', 'ratings', 'server-cluster');
const headerOf = (node: typeof client) => encodeWorkload(workloadOfNode(node, []));

const services = [{ host: 'server.default.svc.cluster.local', name: 'server', namespace: 'default' }];
const clusterMetadata = { istio: { services } };

const istioStats: IstioStats = { usesHostHeader: true, tcpReportingIntervalMs: 5_000, overrides: {} };
const peerMetadata = {
  ...{ readsRequests: true, answersRequests: true, sendsRequests: true, readsResponses: true },
  ...{ skipsExternalClusters: false, additionalLabels: [] },
};
const clientScene = (given: object = {}) =>
  new Scene({ manager: { istioStats, peerMetadata }, node: client, isOutbound: true, clusterMetadata, ...given });
const serverScene = (given: object = {}) =>
  new Scene({ manager: { istioStats, peerMetadata }, node: server, clusterMetadata, ...given });

function samples(store: StatsStore, metric: string) {
  const text = [...prometheusText(store, everyStat, [])].join('');
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`))
    .map((line) => {
      const [, labels, value] = /^[^{]*\{(.*)\} (.*)$/.exec(line)!;
      const tags = Object.fromEntries([...labels!.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text]));
      return { tags, value: Number(value) };
    });
}

const bothWorkloads = {
  source_workload: 'productpage-v1',
  source_canonical_service: 'productpage-v1',
  source_canonical_revision: 'version-1',
  source_workload_namespace: 'default',
  source_principal: 'unknown',
  source_app: 'productpage',
  source_version: 'v1',
  source_cluster: 'client-cluster',
  destination_workload: 'ratings-v1',
  destination_workload_namespace: 'default',
  destination_principal: 'unknown',
  destination_app: 'ratings',
  destination_version: 'v1',
  destination_service: 'server.default.svc.cluster.local',
  destination_canonical_service: 'ratings',
  destination_canonical_revision: 'version-1',
  destination_service_name: 'server',
  destination_service_namespace: 'default',
  destination_cluster: 'server-cluster',
  request_protocol: 'http',
  response_code: '200',
  grpc_response_status: '',
  response_flags: '-',
};

t.test('a client reports as Istio expects', async (t) => {
  const scene = clientScene();
  for (let request = 0; request < 3; request++) {
    scene.request();
    scene.respond(scene.connect(), 200, true, [['x-envoy-peer-metadata', headerOf(server)]]);
  }
  t.same(samples(scene.stats, 'istio_requests_total'), [
    { tags: { reporter: 'source', ...bothWorkloads, connection_security_policy: 'unknown' }, value: 3 },
  ]);
  for (const metric of ['request_duration_milliseconds', 'request_bytes', 'response_bytes'])
    t.match(samples(scene.stats, `istio_${metric}_count`), onlyItems({ value: 3 }), metric);
});

t.test('a server reports as Istio expects', async (t) => {
  const scene = serverScene();
  scene.request(({ headers }) => headers.append('x-envoy-peer-metadata', headerOf(client)));
  scene.respond(scene.connect(), 200);
  t.same(samples(scene.stats, 'istio_requests_total'), [
    { tags: { reporter: 'destination', ...bothWorkloads, connection_security_policy: 'none' }, value: 1 },
  ]);
});

t.test('a verified certificate is an identity, one that is only shown is none', async (t) => {
  const tagsFor = (isPeerVerified: boolean) => {
    const tls = tlsFacts({
      isPeerVerified,
      peer: certificateFacts({ uris: ['spiffe://td/ns/other/sa/client'] }),
      own: certificateFacts({ uris: ['spiffe://td/ns/default/sa/server'] }),
    });
    const scene = serverScene({ facts: { tls } });
    scene.request(({ headers }) => headers.append('x-envoy-peer-metadata', headerOf(client)));
    scene.respond(scene.connect(), 200);
    return samples(scene.stats, 'istio_requests_total')[0]!.tags;
  };
  t.match(tagsFor(true), {
    source_principal: 'spiffe://td/ns/other/sa/client',
    source_workload_namespace: 'other',
    destination_principal: 'spiffe://td/ns/default/sa/server',
    connection_security_policy: 'mutual_tls',
  });
  t.match(tagsFor(false), {
    source_principal: 'unknown',
    source_workload_namespace: 'default',
    connection_security_policy: 'none',
  });
});

t.test('of a peer that does not speak of itself nothing is known', async (t) => {
  const scene = clientScene();
  scene.request();
  scene.respond(scene.connect(), 503);
  t.match(samples(scene.stats, 'istio_requests_total')[0]!.tags, {
    destination_workload: 'unknown',
    destination_workload_namespace: 'unknown',
    destination_canonical_revision: 'latest',
    destination_service_name: 'server',
    response_code: '503',
  });
});

t.test('the service is the host where nobody says more, and clusters of Istio have their names', async (t) => {
  const tagsFor = (manager: object) => {
    const scene = clientScene({ clusterMetadata: {}, manager: { peerMetadata, ...manager } });
    scene.request();
    scene.respond(scene.connect(), 200);
    return samples(scene.stats, 'istio_requests_total')[0]!.tags;
  };
  t.match(tagsFor({ istioStats }), { destination_service: 'shop.example', destination_service_name: 'shop.example' });
  t.match(tagsFor({ istioStats: { ...istioStats, usesHostHeader: false } }), {
    destination_service: 'unknown',
    destination_service_name: 'unknown',
  });
});

t.test('flags, statuses of gRPC and replies of our own are told apart', async (t) => {
  const scene = clientScene();
  scene.request();
  scene.refuse();
  const reply = samples(scene.stats, 'istio_requests_total')[0]!.tags;
  t.equal(reply['response_code'], '503');
  t.match(reply['response_flags'], /UF/);
  const grpc = clientScene();
  for (const status of ['0', '13', '99']) {
    grpc.request(({ headers }) => headers.append('content-type', 'application/grpc'));
    grpc.respond(grpc.connect(), 200, true, [['grpc-status', status]]);
  }
  t.same(
    samples(grpc.stats, 'istio_requests_total').map(({ tags }) => [
      tags['request_protocol'],
      tags['grpc_response_status'],
    ]),
    [
      ['grpc', ''],
      ['grpc', '0'],
      ['grpc', '13'],
    ],
    'a peer invents no status',
  );
});

t.test('tags of an operator are added, changed and removed, and metrics dropped', async (t) => {
  const override = {
    isDropped: false,
    removedTags: ['source_app', 'destination_app'],
    tags: {
      mesh: { kind: 'literal', text: 'm' },
      source_version: { kind: 'literal', text: 'x' },
      where: { kind: 'node-metadata', path: ['LABELS', 'version'] },
      none: { kind: 'node-metadata', path: ['LABELS', 'none'] },
      verb: { kind: 'request', part: 'method' },
    },
  } as const;
  const overrides = { requests_total: override, request_bytes: { ...override, isDropped: true } };
  const scene = clientScene({ manager: { peerMetadata, istioStats: { ...istioStats, overrides } } });
  for (const method of ['GET', 'POST']) {
    scene.request((head) => {
      head.method = method;
    });
    scene.respond(scene.connect(), 200);
  }
  const counted = samples(scene.stats, 'istio_requests_total');
  t.same(
    counted.map(({ tags }) => tags['verb']),
    ['GET', 'POST'],
  );
  t.match(counted[0]!.tags, { mesh: 'm', source_version: 'x', where: 'v1', none: 'unknown' });
  t.notOk('source_app' in counted[0]!.tags);
  t.same(samples(scene.stats, 'istio_request_bytes_count'), []);
  t.match(
    samples(scene.stats, 'istio_response_bytes_count'),
    onlyItems({ tags: { source_app: 'productpage' }, value: 2 }),
  );
});

t.test('clients that invent hosts or themselves make no more series than there is room for', async (t) => {
  const scene = serverScene({ clusterMetadata: {}, maxSeries: 10 });
  for (let index = 0; index < 100; index++) {
    scene.request((head) => {
      head.authority = `host-${index}`;
    });
    scene.respond(scene.connect(), 200);
  }
  const counted = samples(scene.stats, 'istio_requests_total');
  t.equal(counted.length, 11);
  t.equal(
    counted.reduce((sum, { value }) => sum + value, 0),
    100,
  );
  const other = counted.find(({ tags }) => tags['destination_service'] === 'other')!;
  t.match(other, { tags: { reporter: 'destination', response_code: '200', source_workload: 'other' }, value: 90 });
});
