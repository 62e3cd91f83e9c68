// Statistics of the process as they are exported: what all threads count, within the budget of series.

import type { StatsOptions } from '../../config/bootstrap.ts';
import { takeInSlices } from '../../config/time-slice.ts';
import { Exemplars } from '../telemetry/exemplars.ts';
import type { HistogramBuckets } from '../telemetry/histogram-text.ts';
import { ProcessStats } from '../telemetry/process-stats.ts';
import { SeriesBudget } from '../telemetry/series-budget.ts';
import { StatTags } from '../telemetry/stat-tags.ts';
import { compileStatsMatcher } from '../telemetry/stats-matcher.ts';
import { StatsStore } from '../telemetry/stats-store.ts';
import { WorkerStats } from '../telemetry/worker-stats.ts';

export interface Metrics {
  readonly store: StatsStore;
  /** Of this thread. */
  readonly stats: WorkerStats;
  readonly processStats: ProcessStats;
  readonly budget: SeriesBudget;
  /** Told of each request whose trace is kept. */
  readonly exemplars: Exemplars;
  readonly buckets: HistogramBuckets;
}

/** Statistics announced by this thread; workers are numbered from 0. */
const mainThread = -1;

/** Envoy's `stats_flush_interval` when left out. */
const histogramIntervalMs = 5000;

export function createMetrics({ matcher, histogramBuckets, tags: written }: StatsOptions, maxSeries: number): Metrics {
  const store = new StatsStore(compileStatsMatcher(matcher));
  const stats = new WorkerStats((message) => store.accept(mainThread, message));
  const tags = written && new StatTags(written);
  const clock = (): number => performance.now();
  setInterval(() => takeInSlices(store.flushIntervals(), clock, setImmediate), histogramIntervalMs).unref();
  return {
    store,
    stats,
    processStats: new ProcessStats(stats, store),
    budget: new SeriesBudget({ store, stats, maxSeries, tags, clock }),
    exemplars: new Exemplars({ maxSeries, buckets: histogramBuckets }),
    buckets: histogramBuckets,
  };
}
