// The main thread's view of its workers: starts them, hands them snapshots, collects what they say.

import { Worker as Thread } from 'node:worker_threads';
import type { SnapshotDelta } from '../../config/snapshot.ts';
import { signalEventFd } from '../../native/event-fd.ts';
import { type OpenFailure, openListener } from '../listener/listener-opening.ts';
import type { ListenerSockets } from '../listener/listener-runtime.ts';
import { makeSharedLimit } from '../listener/shared-limit.ts';
import type { LogBatch } from '../telemetry/access-log.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';
import type { BoundListener, FromWorker, ToWorker, WorkerStart } from './messages.ts';

export interface WorkerPoolOptions {
  readonly concurrency: number;
  readonly start: Omit<WorkerStart, 'workerIndex'>;
  /** Young generation of each worker, MiB; the process's flag does not reach worker threads. */
  readonly youngGenerationMib: number;
  readonly onStats: (worker: number, announcement: BlockAnnouncement) => void;
  readonly onLogs: (batch: LogBatch) => void;
  /** Every worker serves this generation, at these addresses. */
  readonly onApplied: (generation: number, listeners: readonly BoundListener[]) => void;
  /** An address is taken or not ours: the delta was not published. */
  readonly onListenFailure: (listener: string, failure: OpenFailure) => void;
  readonly onWarning: (text: string) => void;
  readonly onDrained: () => void;
  /** A worker died: the process cannot serve any more. */
  readonly onFailure: (worker: number, error: Error) => void;
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
  /** Of each listener, with the ports that the kernel gave. */
  readonly #addresses = new Map<string, readonly string[]>();
  #isStopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    for (let index = 0; index < options.concurrency; index++) this.#workers.push(this.#start(index));
  }

  /** Generation that each worker runs, for the admin page. */
  get generations(): readonly number[] {
    return this.#workers.map((worker) => worker.generation);
  }

  /** Opens the sockets of its listeners, then hands the delta out. */
  publish(delta: SnapshotDelta): void {
    const sockets = this.#workers.map((): [string, ListenerSockets][] => []);
    for (const [name, config] of delta.listeners.set) {
      const opened = openListener(config, this.#workers.length);
      if ('reason' in opened) {
        this.#options.onListenFailure(name, opened);
        return;
      }
      const limit = config.connectionLimit === undefined ? {} : { limit: makeSharedLimit(config.connectionLimit) };
      for (const [worker, descriptors] of opened.descriptors.entries()) {
        sockets[worker]!.push([name, { descriptors, ...limit }]);
      }
      this.#addresses.set(name, opened.addresses);
    }
    for (const name of delta.listeners.removed) this.#addresses.delete(name);
    for (const [index, worker] of this.#workers.entries()) {
      this.#post(worker, { kind: 'snapshot', delta, sockets: sockets[index]! });
    }
  }

  /** Open downstream connections of all workers together. Before the first `publish`. */
  limitConnections(max: number): void {
    this.#broadcast({ kind: 'limit-connections', limit: makeSharedLimit(max) });
  }

  /** Whether clients are asked to leave after each response. */
  setFailsHealthCheck(fails: boolean): void {
    this.#broadcast({ kind: 'fail-health-check', fails });
  }

  drain(inboundOnly: boolean, stopAccepting: boolean): void {
    for (const worker of this.#workers) worker.isDrained = false;
    this.#broadcast({ kind: 'drain', inboundOnly, stopAccepting });
  }

  flushLogs(): void {
    this.#broadcast({ kind: 'flush-logs' });
  }

  /** Ends every worker; resolves when their last log lines have arrived. */
  async stop(): Promise<void> {
    this.#broadcast({ kind: 'stop' });
    this.#isStopping = true;
    await Promise.all(this.#workers.map((worker) => worker.ended));
  }

  #start(index: number): WorkerThread {
    const { youngGenerationMib, start } = this.#options;
    const thread = new Thread(new URL('./main.ts', import.meta.url), {
      workerData: { ...start, workerIndex: index } satisfies WorkerStart,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMib },
    });
    const worker: WorkerThread = {
      thread,
      ended: new Promise((resolve) => thread.once('exit', () => resolve())),
      wakeUpDescriptor: -1,
      generation: 0,
      isDrained: false,
    };
    thread.on('message', (message: FromWorker) => this.#onMessage(index, worker, message));
    thread.on('error', (error) => this.#options.onFailure(index, error));
    thread.on('exit', (code) => {
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
          this.#options.onApplied(message.generation, this.#bound());
        }
        return;
      case 'warning':
        this.#options.onWarning(message.text);
        return;
      case 'stats':
        this.#options.onStats(index, message.announcement);
        return;
      case 'logs':
        this.#options.onLogs(message.batch);
        return;
      case 'drained':
        worker.isDrained = true;
        if (this.#workers.every((each) => each.isDrained)) this.#options.onDrained();
    }
  }

  #bound(): BoundListener[] {
    return [...this.#addresses].flatMap(([name, addresses]) => addresses.map((address) => ({ name, address })));
  }
}
