// Where access logs go when workers have written them: files and streams, and collectors. What sends to collectors is loaded
// with the first entry: most proxies write their logs to files.

import type { AccessLogSink } from '../../config/access-log.ts';
import type { Bootstrap } from '../../config/bootstrap.ts';
import { adminLogSinks, logSinksOf } from '../../config/references.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import type { AccessLogExport } from '../export/access-log-export.ts';
import type { EntryBatch, LogBatch } from '../telemetry/access-log.ts';
import { LogSinks } from '../telemetry/log-sink.ts';
import type { ProcessLog } from '../telemetry/process-log.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { processClock } from './process-clock.ts';

export interface AccessLogDestinationsOptions {
  readonly bootstrap: Pick<Bootstrap, 'node' | 'grpcClusters' | 'admin'>;
  /** `snapshot` is what is served now; null before the first. */
  readonly state: { readonly snapshot: Snapshot | null };
  readonly stats: WorkerStats;
  readonly log: ProcessLog;
  /** Calls again and again, unless the process ends; the process's own clock when absent. */
  readonly every?: (intervalMs: number, callback: () => void) => void;
}

/** How often it is asked which files no configuration names any more. */
const sweepMs = 60_000;

/** At the end of the process, a collector that takes nothing is waited for so long. */
const patienceMs = 2000;

export class AccessLogDestinations {
  readonly #options: AccessLogDestinationsOptions;
  readonly #sinks: LogSinks;
  #collectors: Promise<AccessLogExport> | null = null;

  constructor(options: AccessLogDestinationsOptions) {
    this.#options = options;
    const { stats, log, every = everyUnlessItEnds } = options;
    this.#sinks = new LogSinks({ onWarning: (text) => log.component('file').warn(text), stats });
    every(sweepMs, () => this.#closeUnnamed());
  }

  /** Files of listeners that were refused, or are gone. */
  #closeUnnamed(): void {
    const named = new Set<string>();
    for (const listener of this.#options.state.snapshot?.listeners.values() ?? []) {
      for (const sink of logSinksOf(listener)) if (sink.kind === 'file') named.add(sink.path);
    }
    for (const sink of adminLogSinks(this.#options.bootstrap.admin)) if (sink.kind === 'file') named.add(sink.path);
    this.#sinks.closeUnnamed((path) => named.has(path));
  }

  /** Opens the file of a sink that is to be configured; the reason when it cannot be. */
  open(sink: AccessLogSink): string | undefined {
    return this.#sinks.open(sink);
  }

  /** Lines for files and streams. */
  write(batch: LogBatch): void {
    this.#sinks.write(batch);
  }

  /** Entries for collectors. */
  writeEntries(batch: EntryBatch): void {
    this.#collectors ??= this.#loadCollectors();
    void this.#collectors.then((collectors) => collectors.write(batch));
  }

  /** Opens every file anew. */
  reopen(): void {
    this.#sinks.reopen();
  }

  /** Resolves when everything is written and sent, or cannot be. */
  async close(): Promise<void> {
    const collectors = await this.#collectors;
    await Promise.all([this.#sinks.close(), collectors?.close(patienceMs)]);
  }

  async #loadCollectors(): Promise<AccessLogExport> {
    const { AccessLogExport: Export } = await import('../export/access-log-export.ts');
    const { bootstrap, state, stats, log } = this.#options;
    const { id, cluster, locality, wire } = bootstrap.node;
    return new Export({
      stats,
      onWarning: (text) => log.component('grpc').warn(text),
      clusters: { snapshot: () => state.snapshot, grpcClusters: bootstrap.grpcClusters },
      node: { id, cluster, zone: locality.zone, wire: () => encodeMessage(wire, 'envoy.config.core.v3.Node') },
      clock: processClock,
      wallClock: Date.now,
      random: Math.random,
    });
  }
}

function everyUnlessItEnds(intervalMs: number, callback: () => void): void {
  setInterval(callback, intervalMs).unref();
}
