// What the main thread and a worker say to each other. Plain data only: everything here is structured-cloned.

import type { EngineName } from '../../config/listener.ts';
import type { OnDemandName, OnDemandRefusal } from '../../config/on-demand.ts';
import type { MapDelta, SnapshotDelta } from '../../config/snapshot.ts';
import type { PackedClusters } from '../cluster/packed-clusters.ts';
import type { WorkloadNode } from '../istio/workload.ts';
import type { KeptFilterChain } from '../listener/listener-change.ts';
import type { ListenerSockets } from '../listener/listener-runtime.ts';
import type { SharedLimit } from '../listener/shared-limit.ts';
import type { ShortcutMaps } from '../reactor/shortcut-exit.ts';
import type { RouteChange } from '../route/route-change.ts';
import type { EntryBatch, LogBatch } from '../telemetry/access-log.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';
import type { RecordingSettings } from '../tracing/recording-settings.ts';
import type { TracedNode } from '../tracing/span-recorder.ts';
import type { TracingMessage } from '../tracing/tracing-message.ts';
import type { GenerationMemory } from './generations.ts';
import type { LoadingMemory } from './loading-threads.ts';
import type { RoutePart } from './route-parts.ts';

/** The proxy, to others. */
export type IdentifiedNode = TracedNode & Partial<WorkloadNode>;

/** What a worker is started with. */
export interface WorkerStart {
  readonly workerIndex: number;
  readonly generations: GenerationMemory;
  readonly localIp: string;
  /** Of session tickets: 32 random bytes, the same for all workers, so that each takes those of the others. */
  readonly ticketSeed: Uint8Array;
  readonly logFlushIntervalMs: number;
  readonly logFlushSizeBytes: number;
  /** Series that are exported of clusters, routes and requests. */
  readonly maxStatSeries: number;
  readonly countsAllRequests: boolean;
  /** Of a graceful drain. */
  readonly drainTimeMs: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  /** What is loaded; our own alone when left out. */
  readonly engine?: EngineName;
  /** Of listeners that do not say; what is loaded when left out. */
  readonly defaultEngine?: EngineName;
}

/** What a worker's thread is started with. */
export interface ThreadStart extends WorkerStart {
  readonly loading: LoadingMemory;
}

export type ToWorker =
  /** Who this proxy is; before the first snapshot. */
  | { readonly kind: 'identify'; readonly node: IdentifiedNode }
  /** Of the process, over all workers; before the first snapshot. */
  | { readonly kind: 'limit-connections'; readonly limit: SharedLimit }
  /** Bytes may come past TCP, which splice(2) does not see; before the first snapshot. */
  | { readonly kind: 'shortcut'; readonly maps: ShortcutMaps }
  /** Applied with the snapshot that comes next. */
  | { readonly kind: 'snapshot-part'; readonly part: PackedClusters }
  | { readonly kind: 'route-part'; readonly part: RoutePart }
  /** `placements` has an entry for each listener that the delta sets; routes are told by what changes in them. */
  | {
      readonly kind: 'snapshot';
      readonly delta: Omit<SnapshotDelta, 'routes'>;
      readonly routes: MapDelta<RouteChange>;
      readonly placements: readonly (readonly [string, ListenerPlacement])[];
    }
  /**
   * Ask clients to leave: with `stopAccepting` now and for good, which `drained` answers when the last connection is
   * gone; otherwise over the drain time, and new ones are accepted.
   */
  | { readonly kind: 'drain'; readonly inboundOnly: boolean; readonly stopAccepting: boolean }
  /**
   * A successor accepts from now on. Clients are asked to leave by the response to their next request, idle ones are not
   * sent away; `drained` says when the last connection is gone.
   */
  | { readonly kind: 'hand-over' }
  | { readonly kind: 'fail-health-check'; readonly fails: boolean }
  /** Access logs and records of traces leave now. */
  | { readonly kind: 'flush-logs' }
  /** What is kept of traces; the shipped settings until it is said. */
  | { readonly kind: 'sampling'; readonly settings: RecordingSettings }
  /** What this worker's requests wait for is not to come. */
  | { readonly kind: 'demand-refused'; readonly name: OnDemandName; readonly why: OnDemandRefusal }
  /** A batch of records was taken. */
  | { readonly kind: 'spans-taken' }
  | { readonly kind: 'stop' };

/** How a listener comes to its place. */
export type ListenerPlacement =
  /** On sockets of its own. All connections of the one before are drained. */
  | { readonly kind: 'open'; readonly sockets: ListenerSockets }
  /** On the sockets of the listener named `from`, which is this one as it was, or leaves. `limit` as of `ListenerSockets`. */
  | { readonly kind: 'take-over'; readonly from: string; readonly limit?: SharedLimit }
  /** It is the one before, with other filter chains; connections of those that are kept stay. */
  | { readonly kind: 'filter-chains'; readonly kept: readonly KeptFilterChain[] };

export type FromWorker =
  /** The worker's reactor runs; `wakeUpDescriptor` is signalled after every message to it. */
  | { readonly kind: 'started'; readonly wakeUpDescriptor: number }
  /** The snapshot is compiled and serves. Not said of one that the next one followed at once. */
  | { readonly kind: 'applied'; readonly generation: number }
  /** In the order in which they were made. */
  | { readonly kind: 'stats'; readonly announcements: readonly BlockAnnouncement[] }
  | { readonly kind: 'logs'; readonly batch: LogBatch }
  | { readonly kind: 'log-entries'; readonly batch: EntryBatch }
  | TracingMessage
  /** The worker was asked for a cluster for the first time since it was configured. */
  | { readonly kind: 'cluster-used'; readonly name: string }
  /** Requests of this worker wait for it: it comes with a snapshot, or `demand-refused` follows. */
  | { readonly kind: 'demand'; readonly name: OnDemandName }
  /** None of them does any more. */
  | { readonly kind: 'demand-ended'; readonly name: OnDemandName }
  /** A sentence for the process's log. */
  | { readonly kind: 'warning'; readonly text: string }
  /** The worker's first verdict that a server there speaks before its client. */
  | { readonly kind: 'server-first'; readonly destination: string }
  | { readonly kind: 'drained' };

export interface BoundListener {
  readonly name: string;
  /** With the port that the kernel gave for port 0. */
  readonly address: string;
}
