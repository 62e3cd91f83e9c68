// Metrics reach a collector that the bootstrap names, and one that the environment names.

import t from 'tap';
import { startNamedOrigin } from '../support/named-origin.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { type CollectedMetric, metricsOf } from '../support/otlp-metrics.ts';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

function bootstrap(originPort: number, collectorPort: number, sinks: readonly object[]): object {
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app')] }];
  const clusters = [clusterAt('app', originPort), clusterAt('collector', collectorPort)];
  return {
    node: { id: 'node-1', cluster: 'shop' },
    static_resources: { listeners, clusters },
    stats_sinks: sinks,
    stats_flush_interval: '0.1s',
  };
}

function sinkOf(config: object): object {
  return {
    name: 'otel',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig',
      http_service: { http_uri: { uri: 'http://collector/v1/metrics', cluster: 'collector', timeout: '5s' } },
      ...config,
    },
  };
}

/** The first that has this name and value. */
async function metricWith(collector: OtlpCollector, name: string, value: number): Promise<CollectedMetric> {
  const found = () =>
    collector.requests
      .flatMap(({ message }) => metricsOf(message))
      .find((metric) => metric.name === name && metric.points[0]!.value === value);
  await collector.until(() => found() !== undefined);
  return found()!;
}

t.test('a sink of the bootstrap is sent what is counted, again and again', async (t) => {
  const collector = await startOtlpCollector(t);
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  const config = bootstrap(origin, collector.httpPort, [sinkOf({ prefix: 'edge' })]);
  const sidecar = await startSidecar(t, { bootstrap: config, flags: ['--request-metrics'] });
  const url = `http://127.0.0.1:${sidecar.port('http')}/`;
  await (await fetch(url)).text();
  const total = await metricWith(collector, 'edge.http.downstream_rq_total', 1);
  t.match(total, {
    kind: 'sum',
    isMonotonic: true,
    resource: { 'service.name': 'shop', 'service.instance.id': 'node-1' },
  });
  await (await fetch(url)).text();
  await metricWith(collector, 'edge.http.downstream_rq_total', 2);
  const requests = await metricWith(collector, 'edge.outrigger.requests_total', 2);
  t.match(requests.points[0]!.attributes, { service: 'app', status: '2xx' });
  t.ok(await metricWith(collector, 'edge.server.live', 1), 'with what the process says of itself');
});

t.test('a collector that is not there is told of once, and gets all when it comes back', async (t) => {
  const collector = await startOtlpCollector(t, { kind: 'refuse', http: 400, grpc: 3 });
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  const config = bootstrap(origin, collector.httpPort, [sinkOf({ report_counters_as_deltas: true })]);
  const sidecar = await startSidecar(t, { bootstrap: config });
  await (await fetch(`http://127.0.0.1:${sidecar.port('http')}/`)).text();
  await collector.until(({ received }) => received > 2);
  collector.behaviour = { kind: 'accept' };
  await metricWith(collector, 'http.downstream_rq_total', 1);
  const said = sidecar.log.filter(({ msg }) => msg.startsWith('metrics cannot be sent to collector'));
  t.equal(said.length, 1);
});

t.test('the environment names a collector that no cluster does', async (t) => {
  const collector = await startOtlpCollector(t);
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  const environment = {
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.grpcPort}`,
    OTEL_METRIC_EXPORT_INTERVAL: '100',
    OTEL_RESOURCE_ATTRIBUTES: 'team=carts',
  };
  // The process inherits it.
  Object.assign(process.env, environment);
  t.teardown(() => {
    for (const name of Object.keys(environment)) delete process.env[name];
  });
  const sidecar = await startSidecar(t, { bootstrap: bootstrap(origin, 1, []) });
  await (await fetch(`http://127.0.0.1:${sidecar.port('http')}/`)).text();
  const total = await metricWith(collector, 'http.downstream_rq_total', 1);
  t.match(total.resource, { team: 'carts' });
  t.equal(collector.requests[0]!.protocol, 'grpc');
});
