// The same requests through Envoy and through outrigger, counted by an OpenTelemetry sink: the same metrics with the same
// attributes and values.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { type CollectedPoint, metricsOf } from '../support/otlp-metrics.ts';
import { programFile } from '../support/program-file.ts';
import { bootstrap, cluster, httpListener, routesOf } from './bootstrap.ts';
import { findEnvoy } from './envoy-binary.ts';
import { type ProxyName, ProxyProcess } from './proxy-process.ts';

const OUTRIGGER = programFile('proxy/main.ts');
const SINK = 'type.googleapis.com/envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig';

/** What the requests of this test are counted in; times differ, and connections are another comparison's. */
const compared =
  /^(sum|histogram) \S+ (cluster(\.external|\.internal)?\.upstream_rq|http\.downstream_rq|listener\.http)/;
const statuses = [200, 200, 404, 503];

t.setTimeout(900_000);
const envoy = findEnvoy();
if ('missing' in envoy) t.pass('the comparison with Envoy', { skip: envoy.missing });
else {
  const directory = t.testdir({});
  t.test('a collector is told the same metrics', (t) => compare(t, envoy.path, directory));
}

async function compare(t: Test, envoyPath: string, directory: string): Promise<void> {
  const origin = await startHttpOrigin(t, ({ url = '' }, response) => {
    response.statusCode = Number(url.slice(1));
    response.end();
  });
  const ofEnvoy = await observe(t, 'envoy', {
    command: [envoyPath],
    isReady: [/starting main dispatch loop/],
    origin,
    directory,
  });
  const ofOutrigger = await observe(t, 'outrigger', {
    command: [process.execPath, OUTRIGGER],
    isReady: [/configuration is served/, /admin interface is listening/],
    origin,
    directory,
  });
  t.ok(ofEnvoy.length > 12, `${ofEnvoy.length} series`);
  t.strictSame(ofOutrigger, ofEnvoy);
}

interface Stage {
  readonly command: readonly string[];
  readonly isReady: readonly RegExp[];
  readonly origin: number;
  readonly directory: string;
}

/** Every series that is compared, as a line. */
async function observe(t: Test, name: ProxyName, stage: Stage): Promise<readonly string[]> {
  const collector = await startOtlpCollector(t);
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
  });
  const proxy = await ProxyProcess.start({
    name,
    command: stage.command,
    isReady: stage.isReady,
    bootstrap: bootstrap(
      [httpListener('web', routesOf([{ match: { prefix: '/' }, route: { cluster: 'app' } }]))],
      [cluster('app', [stage.origin]), cluster('collector', [collector.httpPort])],
      { stats_sinks: [{ name: 'otel', typed_config: { '@type': SINK, http_service: service } }], ...flushing },
    ),
    directory: join(stage.directory, name),
    started,
  });
  for (const status of statuses) await (await fetch(`http://127.0.0.1:${proxy.port('web')}/${status}`)).text();
  const isDone = (): boolean =>
    linesOf(collector).some((line) => / http\.downstream_rq_completed .* 4$/.test(line)) &&
    linesOf(collector).some((line) => /cluster\.upstream_rq_time .* 4 in 20 buckets$/.test(line));
  await collector.until(isDone);
  await proxy.stop();
  return linesOf(collector).filter((line) => compared.test(line));
}

const service = { http_uri: { uri: 'http://collector/v1/metrics', cluster: 'collector', timeout: '5s' } };
const flushing = { stats_flush_interval: '0.5s' };

/** The last value of each series. Envoy also counts its own calls of the collector, and those of its admin interface. */
function linesOf({ requests }: OtlpCollector): readonly string[] {
  const last = new Map<string, string>();
  for (const { kind, temporality = '', name, points } of requests.flatMap(({ message }) => metricsOf(message))) {
    for (const point of points) {
      if (Object.values(point.attributes).some((value) => value === 'collector' || value === 'admin')) continue;
      const attributes = JSON.stringify(Object.entries(point.attributes).sort());
      last.set(`${kind} ${temporality} ${name} ${attributes}`, shownValue(point));
    }
  }
  return [...last].map(([series, value]) => `${series} ${value}`).sort();
}

function shownValue({ count, value, counts }: CollectedPoint): string {
  return count === undefined ? String(value) : `${count} in ${counts!.length} buckets`;
}
