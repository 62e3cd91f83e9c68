// A proxy with a file of sampling settings: the budget holds, errors are kept, changes are followed, mistakes are refused.

import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { pause } from '../support/pause.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';

/** Everything is wanted, five a second may leave. */
const fiveTraces = 'sampling: { budget: { traces_per_second: 5 }, base_rate: 1, rules: [], slow: { keep: never } }';
const onlyErrors = 'sampling: { base_rate: 0, rules: [], slow: { keep: never } }';

/** Answers 503 to `/fail`. */
function startOrigin(t: Test): Promise<number> {
  return startHttpOrigin(t, ({ url }, response) => response.writeHead(url === '/fail' ? 503 : 200).end());
}

function bootstrapFor(originPort: number, collectorPort: number) {
  const service = { http_uri: { uri: 'http://collector/v1/traces', cluster: 'collector', timeout: '5s' } };
  const config = { '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig', http_service: service };
  // The percentage, which the file replaces, would keep nothing.
  const tracing = {
    provider: { name: 'envoy.tracers.opentelemetry', typed_config: config },
    random_sampling: { value: 0 },
  };
  const listener = { name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app', { tracing })] };
  const clusters = [clusterAt('app', originPort), clusterAt('collector', collectorPort)];
  return { static_resources: { listeners: [listener], clusters } };
}

async function startSampling(t: Test, settings: string, workers: string) {
  const path = join(t.testdir({ 'sampling.yaml': settings }), 'sampling.yaml');
  const [originPort, collector] = await Promise.all([startOrigin(t), startOtlpCollector(t)]);
  const bootstrap = bootstrapFor(originPort, collector.httpPort);
  const proxy = await startSidecar(t, { bootstrap, flags: ['--concurrency', workers, '--sampling-config', path] });
  return { proxy, collector, path };
}

async function send(proxy: Sidecar, path: string, count: number): Promise<void> {
  const ask = async () => (await fetch(`http://127.0.0.1:${proxy.port('http')}${path}`)).arrayBuffer();
  await Promise.all(Array.from({ length: count }, ask));
}

/** Asks until the sums of sampling are as wanted: they follow within seconds. */
async function untilCounted(proxy: Sidecar, isMet: (of: (name: string) => number) => boolean): Promise<void> {
  for (;;) {
    const text = await proxy.admin('/stats?filter=^sampling');
    const values = new Map(text.split('\n').map((line) => line.split(': ') as [string, string]));
    if (isMet((name) => Number(values.get(`sampling.${name}`) ?? 0))) return;
    await pause();
  }
}

const reasonOf = ({ attributes }: CollectedSpan) => attributes['sampling.reason'];
const thresholdOf = ({ traceState }: CollectedSpan) => /(?:^|,)ot=(?:.*;)?th:([0-9a-f]+)/.exec(traceState)?.[1];
// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 4;

const listenerType = 'type.googleapis.com/envoy.config.listener.v3.Listener';
const chosenOf = (collector: OtlpCollector) => collector.spans().filter((span) => reasonOf(span) === 'head');
const errorsOf = (collector: OtlpCollector) => collector.spans().filter((span) => reasonOf(span) === 'error');

t.test('no more than the budget leaves, each with its threshold; errors leave beside it', async (t) => {
  const { proxy, collector } = await startSampling(t, fiveTraces, '2');
  const startedAtMs = performance.now();
  await send(proxy, '/', 100);
  const seconds = (performance.now() - startedAtMs) / 1000;
  await send(proxy, '/fail', 3);
  await untilCounted(proxy, (of) => of('kept') + of('dropped') >= 103);
  await collector.until(() => errorsOf(collector).length === 3);
  t.same(errorsOf(collector).map(thresholdOf), ['0', '0', '0'], 'each error stands for itself');
  const chosen = collector.spans().filter((span) => reasonOf(span) === 'head');
  // The seconds that are counted in began before, and the last records came after.
  const most = 5 * (Math.ceil(seconds) + 2);
  // Errors that were chosen beside are within the budget.
  const least = 5 - errorsOf(collector).length;
  t.ok(chosen.length >= least && chosen.length <= most, `${chosen.length} of 100, ${least} to ${most}`);
  for (const span of chosen) {
    const threshold = thresholdOf(span)!;
    t.ok(span.traceId.slice(-14) >= threshold.padEnd(14, '0'), `${span.traceId} is kept by ${threshold}`);
  }
  const metrics = await proxy.admin('/stats/prometheus?filter=sampler');
  t.match(metrics, /^outrigger_sampler_kept_total\{reason="error",rule="",method="GET",route="\/",service="app"\} 3$/m);
});

t.test('a change is in use at once, and one that is wrong changes nothing', async (t) => {
  // One worker, which has met the key before: a key that is new to a worker is kept until the main thread has heard of it.
  const { proxy, collector, path } = await startSampling(t, fiveTraces, '1');
  await send(proxy, '/', 3);
  await collector.spansAfter(3);
  writeFileSync(path, onlyErrors);
  await proxy.logged(/^new sampling settings are in use$/);
  await send(proxy, '/', 20);
  await send(proxy, '/fail', 1);
  await collector.until(() => errorsOf(collector).length === 1);
  t.equal(collector.spans().length, 4);
  writeFileSync(path, 'sampling: { base_rate: 7 }');
  const warning = await proxy.logged(/^the sampling file cannot be used; the settings before it stay in use$/);
  t.match(warning, { level: 'warning', problem: /base_rate: must be a number from 0 to 1/ });
  await send(proxy, '/', 20);
  await send(proxy, '/fail', 1);
  await collector.until(() => errorsOf(collector).length === 2);
  t.equal(collector.spans().length, 5);
});

t.test("Envoy's percentages are followed while the process runs", async (t) => {
  const [originPort, collector] = await Promise.all([startOrigin(t), startOtlpCollector(t)]);
  const folder = t.testdir();
  const path = join(folder, 'listeners.json');
  const { static_resources: own } = bootstrapFor(originPort, collector.httpPort);
  const text = JSON.stringify({ resources: own.listeners.map((listener) => ({ '@type': listenerType, ...listener })) });
  writeFileSync(path, text);
  const dynamic_resources = { lds_config: { path_config_source: { path } } };
  const bootstrap = {
    node: { id: 'n', cluster: 'c' },
    static_resources: { clusters: own.clusters },
    dynamic_resources,
  };
  const proxy = await startSidecar(t, { bootstrap, flags: ['--concurrency', '1'] });
  await send(proxy, '/', 5);
  await send(proxy, '/fail', 1);
  await collector.until(() => errorsOf(collector).length === 1);
  t.equal(chosenOf(collector).length, 0);
  const all = text.replace('"random_sampling":{"value":0}', '"random_sampling":{"value":100}');
  t.not(all, text);
  writeFileSync(join(folder, 'next.json'), all);
  renameSync(join(folder, 'next.json'), path);
  while (
    !/listener_in_place_updated: 1|listener_modified: 1/.test(await proxy.admin('/stats?filter=listener_manager'))
  ) {
    await pause();
  }
  // A connection of the listener before goes by what that said until it is drained.
  const headers = { connection: 'close' };
  while (chosenOf(collector).length === 0) {
    await (await fetch(`http://127.0.0.1:${proxy.port('http')}/`, { headers })).arrayBuffer();
    await pause();
  }
  t.ok(chosenOf(collector).every((span) => thresholdOf(span) === '0'));
});

t.test('a file that is wrong at the start ends the process and says why', async (t) => {
  const path = join(t.testdir({ 'sampling.yaml': 'sampling: { budgets: 5 }' }), 'sampling.yaml');
  const bootstrap = bootstrapFor(1, 1);
  for (const mode of ['serve', 'validate']) {
    const flags = ['--sampling-config', path, '--mode', mode];
    const proxy = await startSidecar(t, { bootstrap, flags, isReady: false });
    t.equal(await proxy.ended, 1, mode);
    t.ok(
      proxy.log.some(({ msg }) => /sampling\.budgets/.test(msg)),
      mode,
    );
  }
});
