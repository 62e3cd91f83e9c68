// Where kept spans go: the exporter of one provider.

import type { WorkerStats } from '../telemetry/worker-stats.ts';
import type { SenderContext } from './otlp-sender.ts';
import type { SpanRecord } from './span-record-reader.ts';

export interface SpanExporterOptions {
  readonly sender: SenderContext;
  readonly stats: WorkerStats;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly version: string;
  /** Of this process, told to Zipkin. */
  readonly localIp: string;
}

/** What was decided last about a record. */
export interface SpanFate {
  /** `th` as it is written; null when it is not known. */
  readonly th: string | null;
  /** Kept for its kind alone. */
  readonly isRare: boolean;
  readonly isError: boolean;
}

export interface SpanExporter {
  /** Never waits: what finds no room is counted. */
  push(record: SpanRecord, fate: SpanFate): void;
  /** Sends what waits; what is not taken within `withinMs` is given up. */
  close(withinMs: number): Promise<void>;
}

/**
 * Spans that may wait. Envoy's bound counts those of one worker, which sends as it goes; here the spans of all workers arrive
 * together at the end of each second.
 */
export const leastQueuedSpans = 16 * 1024;
