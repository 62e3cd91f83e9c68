// The main thread's view of its workers: starts them, hands them snapshots, collects what they say.

import { randomBytes } from 'node:crypto';
import { Worker as Thread } from 'node:worker_threads';
import type { Listener } from '../../config/listener.ts';
import type { OnDemandName, OnDemandRefusal } from '../../config/on-demand.ts';
import type { SnapshotDelta } from '../../config/snapshot.ts';
import { signalEventFd } from '../../native/event-fd.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import type { OpenFailure } from '../listener/listener-opening.ts';
import { RecentKeys } from '../listener/recent-keys.ts';
import { makeSharedLimit } from '../listener/shared-limit.ts';
import type { ShortcutMaps } from '../reactor/shortcut-exit.ts';
import type { EntryBatch, LogBatch } from '../telemetry/access-log.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';
import type { RecordingSettings } from '../tracing/recording-settings.ts';
import type { TracingMessage } from '../tracing/tracing-message.ts';
import { type GenerationMemory, Generations, makeGenerationMemory } from './generations.ts';
import { type LoadingMemory, LoadingThreads, makeLoadingMemory } from './loading-threads.ts';
import type {
  BoundListener,
  FromWorker,
  IdentifiedNode,
  ListenerPlacement,
  ThreadStart,
  ToWorker,
  WorkerStart,
} from './messages.ts';
import { OpenListeners, type OpenListenersOptions } from './open-listeners.ts';
import { splitRoutes } from './route-parts.ts';
import { SentRoutes } from './sent-routes.ts';
import { splitDelta } from './snapshot-parts.ts';

const mostUsedClusters = 4096;

export interface WorkerPoolOptions {
  readonly concurrency: number;
  readonly start: Omit<WorkerStart, 'workerIndex' | 'generations' | 'ticketSeed'>;
  readonly listeners?: OpenListenersOptions;
  readonly onStats: (worker: number, announcement: BlockAnnouncement) => void;
  readonly onLogs: (batch: LogBatch) => void;
  /** Access log entries for collectors. */
  readonly onLogEntries: (batch: EntryBatch) => void;
  /** Records are answered by `takeSpans`. Without it they stay in the worker, which drops what comes after. */
  readonly onTracing?: (worker: number, message: TracingMessage) => void;
  /** Every worker serves this generation, at these addresses. Not called for one that the next followed at once. */
  readonly onApplied: (generation: number, listeners: readonly BoundListener[]) => void;
  /** An address is taken or not ours: the delta was published without this listener, and one before it goes on. */
  readonly onListenFailure: (listener: string, failure: OpenFailure) => void;
  readonly onWarning: (text: string) => void;
  /** A server that speaks before its client was met there; said by each worker once while it remembers. */
  readonly onServerFirst?: (destination: string) => void;
  readonly onDrained: () => void;
  /** A worker died: the process cannot serve any more. */
  readonly onFailure: (worker: number, error: Error) => void;
}

/** Of native code. It takes some 50 ms; a machine may have little left for it. */
const longestLoadingMs = 10_000;

export type DemandMessage = Extract<FromWorker, { kind: 'demand' | 'demand-ended' }>;

interface PlacedListeners {
  readonly set: readonly [string, Listener][];
  /** By worker. */
  readonly placements: readonly (readonly [string, ListenerPlacement][])[];
  readonly updatedInPlace: number;
}

interface WorkerThread {
  readonly thread: Thread;
  readonly ended: Promise<void>;
  wakeUpDescriptor: number;
  generation: number;
  isDrained: boolean;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: WorkerThread[] = [];
  readonly #listeners: OpenListeners;
  readonly #routes = new SentRoutes();
  readonly #generationMemory: GenerationMemory;
  readonly #ticketSeed = randomBytes(32);
  readonly #generations: Generations;
  readonly #loadingMemory: LoadingMemory;
  readonly #loading: LoadingThreads;
  #onDemand = ({ kind, name }: DemandMessage, worker: number): void => {
    if (kind === 'demand') this.refuseDemand(name, [worker], 'absent');
  };
  #published = 0;
  /** Of some worker. Those that were removed make room in time. */
  readonly #usedClusters = new RecentKeys(mostUsedClusters);
  /** As of the generation that is published. */
  #bound: readonly BoundListener[] = [];
  /** The generation that sockets were opened and given away for: that one, or the one that is being handed out. */
  #placed = 0;
  #isStopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#listeners = new OpenListeners(options.concurrency, options.listeners);
    this.#generationMemory = makeGenerationMemory(options.concurrency);
    this.#generations = new Generations(this.#generationMemory);
    this.#loadingMemory = makeLoadingMemory(options.concurrency);
    this.#loading = new LoadingThreads(this.#loadingMemory);
    for (let index = 0; index < options.concurrency; index++) this.#workers.push(this.#start(index));
  }

  /** Generation that each worker serves; 0 is none yet. */
  get generations(): readonly number[] {
    return this.#generations.applied;
  }

  /**
   * Opens the sockets of a listener that is to be published, or keeps those that serve it already. Returns a sentence
   * when it cannot listen. They take no connections until the listener is published. `older` serves until then;
   * any other that has one of the addresses is told to leave before this one is published, or with it.
   */
  prepareListener(config: Listener, older?: Listener): string | undefined {
    const failure = this.#listeners.prepare(config, older);
    return failure && `cannot listen on ${failure.address}: ${failure.reason}`;
  }

  /** Closes what was prepared for a listener that is not published after all. */
  discardListener(name: string): void {
    this.#listeners.discard(name);
  }

  /**
   * Opens the sockets of listeners that were not prepared, then hands the delta out, a part in each step: 10,000 clusters were
   * a turn of 130 to 180 ms of CPU. Workers serve all of it from the last step on. Nothing else is to be published before.
   * Returns how many listeners are updated in place: only filter chains of theirs differ.
   */
  *publish(delta: SnapshotDelta): Generator<void, number, void> {
    const { routes, ...rest } = delta;
    // Before sockets listen: whoever connects then waits until all is handed out.
    const routeChanges = splitRoutes(yield* this.#routes.take(routes));
    const { set, placements, updatedInPlace } = this.#place(delta);
    const split = splitDelta({ ...rest, listeners: { set, removed: delta.listeners.removed } }, this.#usedClusters);
    for (const part of split.parts) {
      this.#broadcast({ kind: 'snapshot-part', part });
      yield;
    }
    for (const part of routeChanges.parts) {
      this.#broadcast({ kind: 'route-part', part });
      yield;
    }
    this.#generations.publish(delta.generation, this.#published);
    this.#published = delta.generation;
    this.#bound = this.#listeners.bound();
    for (const [index, worker] of this.#workers.entries()) {
      this.#post(worker, {
        kind: 'snapshot',
        delta: split.rest,
        routes: routeChanges.rest,
        placements: placements[index]!,
      });
    }
    return updatedInPlace;
  }

  /** Without what cannot listen. */
  #place({ generation, listeners }: SnapshotDelta): PlacedListeners {
    let updatedInPlace = 0;
    const set: [string, Listener][] = [];
    const placements = this.#workers.map((): [string, ListenerPlacement][] => []);
    const places = this.#listeners.place(listeners);
    this.#placed = generation;
    for (const [name, config] of listeners.set) {
      const placed = places.get(name)!;
      if ('reason' in placed) {
        this.#options.onListenFailure(name, placed);
        continue;
      }
      set.push([name, config]);
      if (placed[0]!.kind === 'filter-chains') updatedInPlace++;
      for (const [worker, placement] of placed.entries()) placements[worker]!.push([name, placement]);
    }
    return { set, placements, updatedInPlace };
  }

  /** As whom traces name this proxy, and what it tells its peers. Before the first `publish`. */
  identify(node: IdentifiedNode): void {
    this.#broadcast({ kind: 'identify', node });
  }

  /** Open downstream connections of all workers together. Before the first `publish`. */
  limitConnections(max: number): void {
    this.#broadcast({ kind: 'limit-connections', limit: makeSharedLimit(max) });
  }

  /** Sockets of this machine give bytes to each other past TCP. Before the first `publish`. */
  useShortcut(maps: ShortcutMaps): void {
    this.#broadcast({ kind: 'shortcut', maps });
  }

  /** Whether clients are asked to leave after each response. */
  setFailsHealthCheck(fails: boolean): void {
    this.#broadcast({ kind: 'fail-health-check', fails });
  }

  /** Listening sockets for a successor; they stay the pool's. */
  socketsAt(wanted: WantedAddress): readonly number[] {
    return this.#listeners.socketsAt(wanted);
  }

  /** Nothing is accepted any more, and clients are asked to leave as they come; `onDrained` follows. */
  handOver(): void {
    this.#listeners.stop(false);
    this.#broadcast({ kind: 'hand-over' });
  }

  drain(inboundOnly: boolean, stopAccepting: boolean): void {
    if (stopAccepting) this.#listeners.stop(inboundOnly);
    for (const worker of this.#workers) worker.isDrained = false;
    this.#broadcast({ kind: 'drain', inboundOnly, stopAccepting });
  }

  flushLogs(): void {
    this.#broadcast({ kind: 'flush-logs' });
  }

  /** What is kept of traces from now on. */
  setSampling(settings: RecordingSettings): void {
    this.#broadcast({ kind: 'sampling', settings });
  }

  /** Who answers what requests of workers wait for, by a snapshot or by `refuseDemand`. Without it all of it is refused. */
  answerDemands(answer: (message: DemandMessage, worker: number) => void): void {
    this.#onDemand = answer;
  }

  /** What requests of these workers wait for is not to come. */
  refuseDemand(name: OnDemandName, workers: Iterable<number>, why: OnDemandRefusal): void {
    for (const worker of workers) this.#post(this.#workers[worker]!, { kind: 'demand-refused', name, why });
  }

  /** A batch of records of this worker was taken: it may send another. */
  takeSpans(worker: number): void {
    this.#post(this.#workers[worker]!, { kind: 'spans-taken' });
  }

  /** Before the process ends: so that no worker is stopped while it loads native code. */
  holdBack(): void {
    this.#loading.holdBack(longestLoadingMs);
  }

  /** Ends every worker; resolves when their last log lines have arrived. */
  async stop(): Promise<void> {
    this.#broadcast({ kind: 'stop' });
    this.#isStopping = true;
    await Promise.all(this.#workers.map((worker) => worker.ended));
  }

  #start(index: number): WorkerThread {
    const { start } = this.#options;
    const thread = new Thread(new URL('./main.ts', import.meta.url), {
      workerData: {
        ...start,
        workerIndex: index,
        generations: this.#generationMemory,
        loading: this.#loadingMemory,
        ticketSeed: this.#ticketSeed,
      } satisfies ThreadStart,
    });
    const worker: WorkerThread = {
      thread,
      ended: new Promise((resolve) => thread.once('exit', () => resolve())),
      wakeUpDescriptor: -1,
      generation: 0,
      isDrained: false,
    };
    thread.on('message', (message: FromWorker) => this.#onMessage(index, worker, message));
    thread.on('error', (error) => {
      this.#loading.noteDone(index);
      this.#options.onFailure(index, error);
    });
    thread.on('exit', (code) => {
      this.#loading.noteDone(index);
      if (!this.#isStopping) this.#options.onFailure(index, new Error(`the thread ended with code ${code}`));
    });
    return worker;
  }

  #broadcast(message: ToWorker): void {
    for (const worker of this.#workers) this.#post(worker, message);
  }

  #post(worker: WorkerThread, message: ToWorker): void {
    // A worker that stops closes its wake-up descriptor, and the number may be somebody else's by now.
    if (this.#isStopping) return;
    worker.thread.postMessage(message);
    // A worker that has not started yet reads its port when it does.
    if (worker.wakeUpDescriptor >= 0) signalEventFd(worker.wakeUpDescriptor);
  }

  #onMessage(index: number, worker: WorkerThread, message: FromWorker): void {
    switch (message.kind) {
      case 'started':
        worker.wakeUpDescriptor = message.wakeUpDescriptor;
        signalEventFd(message.wakeUpDescriptor);
        return;
      case 'applied':
        worker.generation = message.generation;
        if (this.#workers.every((each) => each.generation === message.generation)) {
          if (message.generation === this.#placed) this.#listeners.closeVacated();
          this.#options.onApplied(message.generation, this.#bound);
        }
        return;
      case 'demand':
      case 'demand-ended':
        this.#onDemand(message, index);
        return;
      case 'warning':
        this.#options.onWarning(message.text);
        return;
      case 'server-first':
        this.#options.onServerFirst?.(message.destination);
        return;
      case 'cluster-used':
        this.#usedClusters.add(message.name);
        return;
      case 'stats':
        for (const announcement of message.announcements) this.#options.onStats(index, announcement);
        return;
      case 'logs':
        this.#options.onLogs(message.batch);
        return;
      case 'log-entries':
        this.#options.onLogEntries(message.batch);
        return;
      case 'sampling-memory':
      case 'sampling-key':
      case 'trace-provider':
      case 'spans':
        this.#options.onTracing?.(index, message);
        return;
      case 'drained':
        worker.isDrained = true;
        if (this.#workers.every((each) => each.isDrained)) this.#options.onDrained();
    }
  }
}
