// What answers of the admin interface are made of. Each takes of it what it names.

import type { DynamicState } from '../../config/dynamic-state.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { CaptureOverview } from '../command/capture-overview.ts';
import type { Flags } from '../command/flags.ts';
import type { ServerState } from '../command/server-state.ts';
import type { LatestError } from '../export/latest-errors.ts';
import type { SamplingOverview } from '../export/sampling-overview.ts';
import type { Exemplars } from '../telemetry/exemplars.ts';
import type { HistogramBuckets } from '../telemetry/histogram-text.ts';
import type { ProcessLog } from '../telemetry/process-log.ts';
import type { SeriesBudget } from '../telemetry/series-budget.ts';
import type { StatsStore } from '../telemetry/stats-store.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import type { RuntimeOverrides } from './runtime-overrides.ts';

export interface AdminContext {
  readonly store: StatsStore;
  /** What of the store is exported. */
  readonly budget: SeriesBudget;
  readonly exemplars: Exemplars;
  readonly state: ServerState;
  /** What control planes sent. */
  readonly dynamic: DynamicState;
  readonly pool: Pick<WorkerPool, 'generations' | 'drain'>;
  readonly log: ProcessLog;
  readonly flags: Flags;
  readonly overrides: RuntimeOverrides;
  /** Hands all runtime values to the workers. */
  readonly setRuntime: (values: Snapshot['runtime']) => void;
  readonly buckets: HistogramBuckets;
  /** Brings the statistics of the process itself up to date. */
  readonly refreshStats: () => void;
  /** What is kept of traces; of nothing while nothing is traced. */
  readonly tracing: {
    overview(): SamplingOverview | null;
    /** Newest first. */
    latestErrors(): readonly LatestError[];
  };
  /** Null when this proxy redirects nothing. */
  readonly capture: { overview(): CaptureOverview | null; readonly problem: string | null };
  readonly reopenLogs: () => void;
  /** Ends the process in order. */
  readonly shutdown: () => void;
}
