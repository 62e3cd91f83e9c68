// Exports metrics to the collectors that the bootstrap (`stats_sinks`) and the environment name. Nothing of it is loaded when
// there are none.

import type { Bootstrap, StatsSink } from '../../config/bootstrap.ts';
import type { GrpcCluster } from '../../config/config-source.ts';
import { type ProcessParts, processFacts } from '../admin/process-facts.ts';
import type { MetricsExporter } from '../export/metrics-exporter.ts';
import type { ProcessLog } from '../telemetry/process-log.ts';
import type { Metrics } from './metrics.ts';
import { processClock } from './process-clock.ts';
import { version } from './version.ts';

export interface MetricsExportOptions {
  readonly metrics: Metrics;
  readonly bootstrap: Pick<Bootstrap, 'node' | 'grpcClusters' | 'stats'>;
  /** `snapshot` is what is served now; null before the first. */
  readonly state: ProcessParts['state'];
  readonly pool: ProcessParts['pool'];
  readonly overrides: ProcessParts['overrides'];
  readonly log: ProcessLog;
}

/** Whether there may be a collector. */
export function exportsMetrics({ stats }: Pick<Bootstrap, 'stats'>): boolean {
  return stats.sinks.length > 0 || process.env['OTEL_METRICS_EXPORTER'] !== undefined;
}

/** At the end of the process, a collector that takes nothing is waited for so long. */
const patienceMs = 2000;

export class MetricsExport {
  readonly #options: MetricsExportOptions;
  readonly #beganAtWallMs = Date.now();
  #exporters: readonly MetricsExporter[] = [];
  /** Resolves when everything is loaded that there is to load. */
  readonly ready: Promise<void>;

  /** Begins to export; a variable of the environment that cannot be followed is told in the log. */
  constructor(options: MetricsExportOptions) {
    this.#options = options;
    this.ready = exportsMetrics(options.bootstrap) ? this.#open() : Promise.resolve();
  }

  /** Resolves when the last counts are sent, or cannot be. */
  async close(): Promise<void> {
    await this.ready;
    await Promise.all(this.#exporters.map((exporter) => exporter.close(patienceMs)));
  }

  async #open(): Promise<void> {
    const { bootstrap } = this.#options;
    const { sinks, flushIntervalMs } = bootstrap.stats;
    const [{ environmentSink }, { isSignalOff }] = await Promise.all([
      import('../export/metrics-environment.ts'),
      import('../export/signal-switches.ts'),
    ]);
    if (isSignalOff(process.env, 'metrics')) return;
    for (const sink of sinks) await this.#follow(sink, flushIntervalMs);
    try {
      const found = environmentSink(process.env);
      if (found === null) return;
      await this.#follow(found.sink, found.intervalMs, found.cluster);
    } catch (error) {
      this.#options.log.component('stats_sinks').error(`metrics are not exported: ${(error as Error).message}`);
    }
  }

  async #follow(sink: StatsSink, intervalMs: number, ofEnvironment?: GrpcCluster): Promise<void> {
    const [{ MetricsExporter: Exporter }, { openSender }, { processResource, resourceMessage }] = await Promise.all([
      import('../export/metrics-exporter.ts'),
      import('../export/otlp-sender.ts'),
      import('../export/telemetry-resource.ts'),
    ]);
    const { metrics, bootstrap, state, log } = this.#options;
    const { node, grpcClusters } = bootstrap;
    const onWarning = (text: string): void => log.component('stats_sinks').warn(text);
    const context = {
      clusters: { snapshot: () => state.snapshot, grpcClusters, ...(ofEnvironment && { ofEnvironment }) },
      clock: processClock,
      wallClock: Date.now,
      random: Math.random,
      onWarning,
    };
    const resource = processResource({ serviceName: '', resource: sink.resource, node, version });
    const exporter = new Exporter({
      ...metrics,
      sink,
      sender: openSender(sink.service, 'metrics', context),
      resource: resourceMessage(resource),
      version,
      beganAtWallMs: this.#beganAtWallMs,
      wallClock: Date.now,
      refreshStats: () => metrics.processStats.refresh(processFacts(this.#options)),
      onWarning,
    });
    this.#exporters = [...this.#exporters, exporter];
    setInterval(() => void exporter.export(), intervalMs).unref();
  }
}
