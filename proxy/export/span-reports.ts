// What becomes of spans that were given away: counted, and said when a collector begins to fail and when it works again.

import type { TraceProvider } from '../../config/tracing.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import type { ExportEvents } from './export-queue.ts';
import type { SendOutcome } from './sender.ts';
import { tracerStats } from './tracing-stats.ts';

export interface SpanReportsOptions {
  readonly stats: WorkerStats;
  readonly onWarning: (text: string) => void;
}

export class SpanReports implements ExportEvents {
  readonly #set: (typeof tracerStats)['zipkin'];
  readonly #block: StatBlock;
  readonly #cluster: string;
  readonly #onWarning: (text: string) => void;
  /** Spans lost since the collector began to fail; null while it works. */
  #lost: number | null = null;
  #isFull = false;

  constructor({ kind, service }: TraceProvider, { stats, onWarning }: SpanReportsOptions) {
    this.#set = tracerStats[kind];
    this.#block = stats.block(this.#set);
    this.#cluster = service.cluster;
    this.#onWarning = onWarning;
  }

  onSend(spans: number, cause: 'size' | 'timer' | 'end'): void {
    this.#block.add(this.#set.spansSent, spans);
    if (cause === 'timer') this.#block.inc(this.#set.timerFlushed);
  }

  onOutcome(outcome: SendOutcome, spans: number): void {
    const set = this.#set;
    switch (outcome.kind) {
      case 'sent':
        this.#block.inc(set.reportsSent);
        this.#block.add(set.spansRejected, outcome.rejected);
        this.#onRecovery();
        return;
      case 'refused':
        this.#block.inc(set.reportsDropped);
        break;
      case 'failed':
        this.#block.inc(set.reportsFailed);
        break;
      case 'no-cluster':
        this.#block.inc(set.reportsSkippedNoCluster);
    }
    this.#block.add(set.spansDropped, spans);
    if (this.#lost === null) {
      this.#onWarning(`spans do not reach collector ${this.#cluster}, and are lost: ${outcome.reason}`);
    }
    this.#lost = (this.#lost ?? 0) + spans;
  }

  onDrop(spans: number): void {
    this.#block.add(this.#set.spansDropped, spans);
    if (this.#lost !== null) this.#lost += spans;
    else if (!this.#isFull) this.#onWarning(`collector ${this.#cluster} is too slow: the newest spans are dropped`);
    this.#isFull = true;
  }

  #onRecovery(): void {
    this.#isFull = false;
    if (this.#lost === null) return;
    this.#onWarning(`collector ${this.#cluster} takes spans again; ${this.#lost} were lost`);
    this.#lost = null;
  }
}
