import t from 'tap';
import type { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { headerName } from '../../../proxy/http/header-name.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import { RequestCounter } from '../../../proxy/http/request-counter.ts';
import type { Stream } from '../../../proxy/http/stream.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { createRoute } from '../../../proxy/route/compiled-route.ts';
import { RequestMetrics } from '../../../proxy/telemetry/request-metrics.ts';
import { requestStats } from '../../../proxy/telemetry/request-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { forward, request, route, routeConfiguration, routeMatch, virtualHost } from '../../support/route-fixtures.ts';

function fixture() {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const counter = new RequestCounter(new RequestMetrics({ stats, maxSeries: 100 }));
  const counts = () =>
    store.groups().map((group) => `${group.names.join(' ')}: ${group.value(requestStats.requestsTotal)}`);
  return { counter, counts };
}

function compiled(name: string) {
  const config = route({ name, match: routeMatch({ kind: 'prefix', value: '/reviews' }) });
  const scope = { config: virtualHost(), routeConfiguration: routeConfiguration() };
  return createRoute({ config, virtualHost: scope, action: forward({}), responseMutation: null, cors: null });
}

interface Given {
  readonly method?: string;
  readonly status?: number;
  readonly service?: string;
  readonly route?: Stream['route'];
  readonly trace?: Stream['trace'];
  /** Makes it a request of gRPC. */
  readonly grpcStatus?: string;
}

/** A finished request, and what the log point knows of it. */
function finished(given: Given): [Stream, FormatContext] {
  const info = new StreamInfo();
  info.responseCode = given.status ?? 200;
  info.startedAtMs = 100;
  info.endedAtMs = 107;
  const head = request({ method: given.method ?? 'GET' });
  const responseTrailers = given.grpcStatus === undefined ? null : new HeaderTable();
  if (responseTrailers !== null) {
    head.headers.set(headerName('content-type'), 'application/grpc');
    responseTrailers.set(headerName('grpc-status'), given.grpcStatus!);
  }
  const cluster = given.service === undefined ? null : ({ serviceName: given.service } as ClusterRuntime);
  const stream = { info, head, cluster, route: given.route ?? null, trace: given.trace ?? null } as Stream;
  return [stream, { info, request: head, response: null, responseTrailers, localReplyBody: '' }];
}

t.test('a request counts for the service it went to, by the name of its route or else its path matcher', (t) => {
  const { counter, counts } = fixture();
  counter.count(...finished({ route: compiled('by-name'), service: 'reviews' }));
  counter.count(...finished({ route: compiled(''), service: 'reviews', status: 503 }));
  t.strictSame(counts(), ['reviews /reviews GET 5xx : 1', 'reviews by-name GET 2xx : 1']);
  t.end();
});

t.test('a route that leads to several services counts for each', (t) => {
  const { counter, counts } = fixture();
  const shared = compiled('shared');
  for (const service of ['a', 'b', 'a']) counter.count(...finished({ route: shared, service }));
  t.strictSame(counts(), ['a shared GET 2xx : 2', 'b shared GET 2xx : 1']);
  t.end();
});

t.test('replies of our own count without a service or route, and methods that nobody knows as one', (t) => {
  const { counter, counts } = fixture();
  for (const method of ['GET', 'BREW', 'WHEN']) counter.count(...finished({ method, status: 404 }));
  t.strictSame(counts(), ['  GET 4xx : 1', '  _OTHER 4xx : 2']);
  t.end();
});

t.test('the status of gRPC is that of its trailers, whether there is a trace, and whether that is kept', (t) => {
  const { counter, counts } = fixture();
  const grpc = compiled('grpc');
  const traceThat = (grpcStatus: number) => ({ grpcStatus }) as Stream['trace'];
  counter.count(...finished({ route: grpc, service: 'a', grpcStatus: '14' }));
  counter.count(...finished({ route: grpc, service: 'a', grpcStatus: '5', trace: traceThat(5) }));
  counter.count(...finished({ route: grpc, service: 'a', grpcStatus: '0', trace: traceThat(-1) }));
  t.strictSame(counts(), ['a grpc GET 2xx 0: 1', 'a grpc GET 2xx 14: 1', 'a grpc GET 2xx 5: 1']);
  t.end();
});
