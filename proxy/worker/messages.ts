// What the main thread and a worker say to each other. Plain data only: everything here is structured-cloned.

import type { SnapshotDelta } from '../../config/snapshot.ts';
import type { ListenerSockets } from '../listener/listener-runtime.ts';
import type { SharedLimit } from '../listener/shared-limit.ts';
import type { LogBatch } from '../telemetry/access-log.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly workerIndex: number;
  readonly localIp: string;
  readonly logFlushIntervalMs: number;
  readonly logFlushSizeBytes: number;
  /** Of a graceful drain. */
  readonly drainTimeMs: number;
  readonly drainStrategy: 'gradual' | 'immediate';
}

export type ToWorker =
  /** Of the process, over all workers; before the first snapshot. */
  | { readonly kind: 'limit-connections'; readonly limit: SharedLimit }
  /** `sockets` has an entry for each listener that the delta sets. */
  | {
      readonly kind: 'snapshot';
      readonly delta: SnapshotDelta;
      readonly sockets: readonly (readonly [string, ListenerSockets])[];
    }
  /**
   * Ask clients to leave: with `stopAccepting` now and for good, which `drained` answers when the last connection is
   * gone; otherwise over the drain time, and new ones are accepted.
   */
  | { readonly kind: 'drain'; readonly inboundOnly: boolean; readonly stopAccepting: boolean }
  | { readonly kind: 'fail-health-check'; readonly fails: boolean }
  | { readonly kind: 'flush-logs' }
  | { readonly kind: 'stop' };

export type FromWorker =
  /** The worker's reactor runs; `wakeUpDescriptor` is signalled after every message to it. */
  | { readonly kind: 'started'; readonly wakeUpDescriptor: number }
  /** The snapshot is compiled and serves. */
  | { readonly kind: 'applied'; readonly generation: number }
  | { readonly kind: 'stats'; readonly announcement: BlockAnnouncement }
  | { readonly kind: 'logs'; readonly batch: LogBatch }
  /** A sentence for the process's log. */
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'drained' };

export interface BoundListener {
  readonly name: string;
  /** With the port that the kernel gave for port 0. */
  readonly address: string;
}
