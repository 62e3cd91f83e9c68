// Tracing on the main thread: what workers record goes through stage 2 of sampling to collectors, and what stage 1 decides goes
// back. Nothing of it is loaded before a worker has a connection manager with a provider.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { TraceProvider } from '../../config/tracing.ts';
import type { SamplingKey } from '../../sampler/key-table.ts';
import { defaultSettings, type SamplingSettings } from '../../sampler/settings.ts';
import { ineffectiveVariables } from '../export/ineffective-variables.ts';
import type { LatestError } from '../export/latest-errors.ts';
import type { SamplingBeat } from '../export/sampling-beat.ts';
import type { SamplingOverview } from '../export/sampling-overview.ts';
import type { SamplingService } from '../export/sampling-service.ts';
import type { ExportClock } from '../export/sender.ts';
import { isSignalOff } from '../export/signal-switches.ts';
import type { KeptTrace, SpanCollector } from '../export/span-collector.ts';
import type { SpanExporter } from '../export/span-exporter.ts';
import type { Exemplars } from '../telemetry/exemplars.ts';
import type { ProcessLog } from '../telemetry/process-log.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { type RecordingSettings, recordingSettings } from '../tracing/recording-settings.ts';
import type { TracingMessage } from '../tracing/tracing-message.ts';
import { processClock } from './process-clock.ts';
import { SamplingFile } from './sampling-file.ts';
import { SamplingReplicas } from './sampling-replicas.ts';
import { version } from './version.ts';

export interface TelemetryOptions {
  readonly bootstrap: Pick<Bootstrap, 'node' | 'grpcClusters'>;
  /** `snapshot` is what is served now; null before the first. */
  readonly state: { readonly snapshot: Snapshot | null };
  readonly stats: WorkerStats;
  readonly log: ProcessLog;
  readonly exemplars: Exemplars;
  readonly pool: {
    setSampling(settings: RecordingSettings): void;
    takeSpans(worker: number): void;
  };
  /** `--sampling-config` */
  readonly samplingConfigPath: string | undefined;
  readonly localIp: string;
  /** Longest wait for collectors at the end. */
  readonly drainTimeMs: number;
}

interface Parts {
  readonly beat: SamplingBeat;
  readonly sampling: SamplingService;
  readonly collector: SpanCollector;
}

/** A collector that takes nothing does not hold up the end for longer. */
const patienceMs = 5000;

export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #file: SamplingFile | null;
  #parts: Parts | null = null;
  #loading: Promise<Parts> | null = null;

  /** Throws ConfigError when the sampling file cannot be used. */
  constructor(options: TelemetryOptions) {
    const { samplingConfigPath: path, log, pool } = options;
    this.#options = options;
    for (const sentence of ineffectiveVariables(process.env)) log.component('tracing').warn(sentence);
    if (path === undefined) {
      this.#file = null;
      return;
    }
    const onSettings = (settings: SamplingSettings): void => this.#configure(settings);
    this.#file = new SamplingFile({ path, onSettings, schedule: processClock.schedule, log: log.component('tracing') });
    pool.setSampling(recordingSettings(this.#file.settings, true));
    this.#file.follow();
  }

  /** What a worker says, in the order in which it does. */
  accept(worker: number, message: TracingMessage): void {
    if (this.#parts !== null) this.#take(this.#parts, worker, message);
    // Callbacks of one promise run in the order in which they were given.
    else void this.#load().then((parts) => this.#take(parts, worker, message));
  }

  /** Null before something was recorded. */
  overview(): SamplingOverview | null {
    return this.#parts?.sampling.overview() ?? null;
  }

  /** Newest first. */
  latestErrors(): readonly LatestError[] {
    return this.#parts?.collector.errors.list() ?? [];
  }

  /** After the last message. Resolves when what waited is sent, or cannot be. */
  async close(): Promise<void> {
    this.#file?.stop();
    const parts = await this.#loading;
    await parts?.collector.close(Math.min(this.#options.drainTimeMs, patienceMs));
  }

  #take({ sampling, collector, beat }: Parts, worker: number, message: TracingMessage): void {
    switch (message.kind) {
      case 'sampling-memory':
        sampling.accept(worker, message);
        return;
      case 'sampling-key':
        sampling.accept(worker, message);
        if (message.key !== null) beat.watch();
        return;
      case 'trace-provider':
        collector.accept(worker, message);
        return;
      case 'spans':
        collector.accept(worker, message);
        this.#options.pool.takeSpans(worker);
        beat.onRecords();
    }
  }

  #configure(settings: SamplingSettings): void {
    this.#options.pool.setSampling(recordingSettings(settings, true));
    this.#parts?.sampling.configure(settings);
    this.#parts?.collector.configure(settings);
  }

  #load(): Promise<Parts> {
    this.#loading ??= this.#open();
    return this.#loading;
  }

  async #open(): Promise<Parts> {
    const [{ SamplingService: Service }, { SpanCollector: Collector }, { SamplingBeat: Beat }, open] =
      await Promise.all([
        import('../export/sampling-service.ts'),
        import('../export/span-collector.ts'),
        import('../export/sampling-beat.ts'),
        this.#loadExporters(),
      ]);
    const { stats, state, localIp, exemplars } = this.#options;
    const replicas = new SamplingReplicas(localIp);
    const settings = this.#file?.settings ?? defaultSettings;
    const sampling = new Service({
      settings,
      setsThresholds: this.#file !== null,
      replicas: () => replicas.count(state.snapshot),
      stats,
      clock: processClock.nowMs,
    });
    const collector = new Collector({
      settings,
      hasBudget: this.#file !== null,
      sampling,
      open,
      clock: processClock.nowMs,
      onKept: ({ key, span }) => noteExemplar(exemplars, sampling.keyOf(key), span),
    });
    const onBeat = (): void => {
      sampling.tick();
      collector.tick();
    };
    this.#parts = { sampling, collector, beat: new Beat({ onBeat, clock: idleClock }) };
    return this.#parts;
  }

  async #loadExporters(): Promise<(provider: TraceProvider) => SpanExporter> {
    if (isSignalOff(process.env, 'traces')) return () => nowhere;
    const [{ OtlpSpanExporter }, { ZipkinSpanExporter }] = await Promise.all([
      import('../export/otlp-span-exporter.ts'),
      import('../export/zipkin-span-exporter.ts'),
    ]);
    const { bootstrap, state, stats, log, localIp } = this.#options;
    const options = {
      sender: {
        clusters: { snapshot: () => state.snapshot, grpcClusters: bootstrap.grpcClusters },
        clock: processClock,
        wallClock: Date.now,
        random: Math.random,
        onWarning: (text: string) => log.component('tracing').warn(text),
      },
      stats,
      node: bootstrap.node,
      version,
      localIp,
    };
    return (provider) =>
      provider.kind === 'zipkin' ? new ZipkinSpanExporter(provider, options) : new OtlpSpanExporter(provider, options);
  }
}

/** What is kept is counted and shown as ever, and nothing is sent. */
const nowhere: SpanExporter = { push: () => undefined, close: async () => undefined };

/** Its timers keep no process alive. */
const idleClock: ExportClock = {
  nowMs: processClock.nowMs,
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

// A key that lost its place to a busier one before its second was over leaves none.
function noteExemplar(exemplars: Exemplars, key: SamplingKey | undefined, span: KeptTrace['span']): void {
  if (key === undefined) return;
  const { service, route, method } = key;
  const { attributes, startNs, endNs, traceId, spanId } = span;
  exemplars.noteKept({
    key: { service, route, method },
    status: Number(attributes.get('http.response.status_code') ?? 0),
    grpcStatus: Number(attributes.get('rpc.grpc.status_code') ?? -1),
    durationMs: Number((endNs - startNs) / 1000n) / 1000,
    traceId,
    spanId,
    wallMs: Number(endNs / 1_000_000n),
  });
}
