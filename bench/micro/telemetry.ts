// What counting, recording and a log line cost a request, and what a scrape of 10,000 clusters costs the main thread. Prints
// CPU time, the best of some rounds: other work on the machine can only slow a round down.
// Run: node bench/micro/telemetry.ts

import type { LogCollector } from '../../config/access-log.ts';
import { defaultTextFormat } from '../../config/format-commands.ts';
import { RequestHead } from '../../proxy/http/message.ts';
import { StreamInfo } from '../../proxy/http/stream-info.ts';
import { AccessLogs } from '../../proxy/telemetry/access-log.ts';
import { clusterStats, countUpstreamResponse } from '../../proxy/telemetry/cluster-stats.ts';
import { prometheusText } from '../../proxy/telemetry/prometheus.ts';
import { RequestMetrics } from '../../proxy/telemetry/request-metrics.ts';
import { SeriesBudget } from '../../proxy/telemetry/series-budget.ts';
import { everyStat } from '../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { statsText } from '../../proxy/telemetry/stats-text.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';

const rounds = 10;
const iterations = 1_000_000;
const clusters = 10_000;

function measure(name: string, run: (index: number) => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    for (let index = 0; index < iterations; index++) run(index);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, ((user + system) * 1000) / iterations);
  }
  console.log(`${name.padEnd(60)} ${best.toFixed(1).padStart(8)} ns`);
}

function measureCounting(): void {
  const block = new WorkerStats(() => {}).block(clusterStats, 'a');
  const { upstreamRqTotal, upstreamRqActive, upstreamRqTime } = clusterStats;
  measure('empty loop', () => {});
  measure('inc', () => block.inc(upstreamRqTotal));
  measure('inc and dec of a gauge', () => {
    block.inc(upstreamRqActive);
    block.dec(upstreamRqActive);
  });
  measure('record, one value', () => block.record(upstreamRqTime, 3));
  measure('record, values over ten octaves', (index) => block.record(upstreamRqTime, index & 1023));
  measure('response: completed, class and code', (index) =>
    countUpstreamResponse(block, clusterStats, (index & 7) === 0 ? 503 : 200),
  );
}

const collector: LogCollector = {
  kind: 'http-entries',
  service: { kind: 'grpc', cluster: 'als', authority: '', timeoutMs: 0, metadata: [] },
  logName: 'log',
  flushIntervalMs: 1000,
  bufferSizeBytes: 64 * 1024,
  customTags: [],
  requestHeaders: [],
  responseHeaders: [],
  responseTrailers: [],
};

function measureRequests(): void {
  const metrics = new RequestMetrics({ stats: new WorkerStats(() => {}), maxSeries: 1000 });
  const routes = Array.from({ length: 64 }, (_, route) => {
    return metrics.seriesFor({ service: `service-${route & 7}`, route: `/${route}`, method: 'GET' });
  });
  measure('request metrics, 64 routes', (index) =>
    routes[index & 63]!.record((index & 15) === 0 ? 503 : 200, -1, index & 255),
  );
}

function measureLog(): void {
  const options = {
    random: () => 0,
    runtime: new Map(),
    flushSizeBytes: 64 * 1024,
    publish: () => {},
    publishEntries: () => {},
    onEntries: () => {},
  };
  const format = { kind: 'text', format: defaultTextFormat, omitEmptyValues: false } as const;
  const [log, entryLog] = new AccessLogs(options).compile([{ sink: { kind: 'stdout' }, format }, { collector }]);
  const request = new RequestHead();
  request.path = '/a/path/of/some/length';
  const context = { info: new StreamInfo(), request, response: null, responseTrailers: null, localReplyBody: '' };
  measure("access-log line of Envoy's default format, into its batch", () => log!.log(context));
  measure('entry for an access log service, into its batch', () => entryLog!.log(context));
}

function measureScrape(): void {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  const before = process.memoryUsage().rss;
  for (let number = 0; number < clusters; number++) {
    const block = worker.block(clusterStats, `outbound|80||service-${number}.namespace.svc.cluster.local`);
    block.inc(clusterStats.upstreamRqTotal);
    block.record(clusterStats.upstreamRqTime, 3);
    countUpstreamResponse(block, clusterStats, 200);
  }
  const bytes = (process.memoryUsage().rss - before) / clusters;
  console.log(`${`${clusters} used clusters, each`.padEnd(60)} ${bytes.toFixed(0).padStart(8)} bytes`);
  const budget = new SeriesBudget({ store, stats: worker, maxSeries: 2000, clock: () => performance.now() });
  const outputs = {
    '/stats': () => statsText(store, everyStat),
    '/stats?usedonly': () => statsText(store, { ...everyStat, usedOnly: true }),
    '/stats/prometheus?usedonly': () => prometheusText(store, { ...everyStat, usedOnly: true }, []),
    '… within a budget of 2,000 series': () => prometheusText(budget, { ...everyStat, usedOnly: true }, []),
  };
  for (const [name, output] of Object.entries(outputs)) {
    const start = performance.now();
    let length = 0;
    let longest = 0;
    let last = start;
    for (const piece of output()) {
      length += piece.length;
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
    const line = `${(last - start).toFixed(0)} ms, ${(length / 1e6).toFixed(1)} MB, longest piece ${longest.toFixed(1)} ms`;
    console.log(`${`${name} of ${clusters} clusters`.padEnd(60)} ${line}`);
  }
  const start = performance.now();
  store.flushIntervals();
  console.log(`${'end of an interval'.padEnd(60)} ${(performance.now() - start).toFixed(0).padStart(8)} ms`);
}

measureCounting();
measureRequests();
measureLog();
measureScrape();
