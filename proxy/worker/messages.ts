// What the main thread and a worker say to each other. Plain data only: everything here is structured-cloned.

import type { SnapshotDelta } from '../../config/snapshot.ts';
import type { LogBatch } from '../telemetry/access-log.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly workerIndex: number;
  readonly localIp: string;
  readonly logFlushIntervalMs: number;
  readonly logFlushSizeBytes: number;
}

export type ToWorker =
  | { readonly kind: 'snapshot'; readonly delta: SnapshotDelta }
  /** Stop accepting, ask clients to leave; answered by `drained` when the last connection is gone. */
  | { readonly kind: 'drain'; readonly inboundOnly: boolean; readonly stopAccepting: boolean }
  | { readonly kind: 'flush-logs' }
  | { readonly kind: 'stop' };

export type FromWorker =
  /** The worker's reactor runs; `wakeUpDescriptor` is signalled after every message to it. */
  | { readonly kind: 'started'; readonly wakeUpDescriptor: number }
  /** The snapshot is compiled and serves; listeners that could not be opened are named. */
  | {
      readonly kind: 'applied';
      readonly generation: number;
      readonly listeners: readonly BoundListener[];
      readonly failures: readonly ListenerFailure[];
    }
  | { readonly kind: 'stats'; readonly announcement: BlockAnnouncement }
  | { readonly kind: 'logs'; readonly batch: LogBatch }
  | { readonly kind: 'drained' };

export interface BoundListener {
  readonly name: string;
  /** With the port that the kernel gave for port 0. */
  readonly address: string;
}

export interface ListenerFailure {
  readonly name: string;
  readonly address: string;
  readonly reason: string;
}
