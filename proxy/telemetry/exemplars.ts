// Traces to look at, by what was measured: for each bucket of a key of requests the last trace that is kept.
//
// Only traces that leave this process are exemplars: a link to one that nobody kept is worth nothing.

import { boundsOf, type HistogramBuckets } from './histogram-text.ts';
import { outcomeOf, type RequestKey, requestNames, requestStats } from './request-stats.ts';
import { scopePrefix } from './stat-scope.ts';

/** A request whose trace is kept. */
export interface KeptRequest {
  readonly key: RequestKey;
  /** 0 when no response was sent. */
  readonly status: number;
  /** -1 when it was no gRPC. */
  readonly grpcStatus: number;
  readonly durationMs: number;
  /** 32 and 16 hex digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** When it ended, in milliseconds since the epoch. */
  readonly wallMs: number;
}

export type Exemplar = Pick<KeptRequest, 'durationMs' | 'traceId' | 'spanId' | 'wallMs'>;

export interface ExemplarsOptions {
  /** Of those with an exemplar; the one that had none for longest is forgotten first. */
  readonly maxSeries: number;
  readonly buckets: HistogramBuckets;
}

export class Exemplars {
  readonly #options: ExemplarsOptions;
  readonly #bySeries = new Map<string, (Exemplar | undefined)[]>();

  constructor(options: ExemplarsOptions) {
    this.#options = options;
  }

  noteKept(kept: KeptRequest): void {
    const names = requestNames(kept.key, outcomeOf(kept.status, kept.grpcStatus));
    const series = names.join('\0');
    const byBucket = this.#bySeries.get(series) ?? [];
    this.#bySeries.delete(series);
    this.#bySeries.set(series, byBucket);
    if (this.#bySeries.size > this.#options.maxSeries) this.#bySeries.delete(this.#bySeries.keys().next().value!);
    const { durationMs, traceId, spanId, wallMs } = kept;
    byBucket[this.#bucketOf(names, durationMs)] = { durationMs, traceId, spanId, wallMs };
  }

  /** By bucket of the series with these names, the unbounded one last; undefined where there is none. */
  of(names: readonly string[]): readonly (Exemplar | undefined)[] {
    return this.#bySeries.get(names.join('\0')) ?? none;
  }

  #bucketOf(names: readonly string[], durationMs: number): number {
    const fullName = `${scopePrefix(requestStats.scope, names)}${durationName}`;
    const bounds = boundsOf(fullName, this.#options.buckets);
    const bucket = bounds.findIndex((bound) => durationMs <= bound);
    return bucket < 0 ? bounds.length : bucket;
  }
}

const durationName = requestStats.scope.stats[requestStats.requestDurationMs]!.name;
const none: readonly Exemplar[] = [];
