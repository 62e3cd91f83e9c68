// The main thread's view of its workers: starts them, hands them snapshots, collects what they say.

import { Worker as Thread } from 'node:worker_threads';
import type { SnapshotDelta } from '../../config/snapshot.ts';
import { signalEventFd } from '../../native/event-fd.ts';
import type { LogBatch } from '../telemetry/access-log.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';
import type { BoundListener, FromWorker, ListenerFailure, ToWorker, WorkerStart } from './messages.ts';

export interface WorkerPoolOptions {
  readonly concurrency: number;
  readonly start: Omit<WorkerStart, 'workerIndex'>;
  /** Young generation of each worker, MiB; the process's flag does not reach worker threads. */
  readonly youngGenerationMib: number;
  readonly onStats: (worker: number, announcement: BlockAnnouncement) => void;
  readonly onLogs: (batch: LogBatch) => void;
  /** Every worker serves this generation. */
  readonly onApplied: (
    generation: number,
    listeners: readonly BoundListener[],
    failures: readonly ListenerFailure[],
  ) => void;
  readonly onDrained: () => void;
  /** A worker died: the process cannot serve any more. */
  readonly onFailure: (worker: number, error: Error) => void;
}

interface WorkerThread {
  readonly thread: Thread;
  wakeUpDescriptor: number;
  generation: number;
  isDrained: boolean;
  listeners: readonly BoundListener[];
  failures: readonly ListenerFailure[];
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: WorkerThread[] = [];
  #isStopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    for (let index = 0; index < options.concurrency; index++) this.#workers.push(this.#start(index));
  }

  /** Generation that each worker runs, for the admin page. */
  get generations(): readonly number[] {
    return this.#workers.map((worker) => worker.generation);
  }

  publish(delta: SnapshotDelta): void {
    this.#broadcast({ kind: 'snapshot', delta });
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
    this.#isStopping = true;
    const ended = this.#workers.map(
      (worker) => new Promise<void>((resolve) => worker.thread.once('exit', () => resolve())),
    );
    this.#broadcast({ kind: 'stop' });
    await Promise.all(ended);
  }

  #start(index: number): WorkerThread {
    const { youngGenerationMib, start } = this.#options;
    const thread = new Thread(new URL('./main.ts', import.meta.url), {
      workerData: { ...start, workerIndex: index } satisfies WorkerStart,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMib },
    });
    const worker: WorkerThread = {
      thread,
      wakeUpDescriptor: -1,
      generation: 0,
      isDrained: false,
      listeners: [],
      failures: [],
    };
    thread.on('message', (message: FromWorker) => this.#onMessage(index, worker, message));
    thread.on('error', (error) => this.#options.onFailure(index, error));
    thread.on('exit', (code) => {
      if (!this.#isStopping) this.#options.onFailure(index, new Error(`the thread ended with code ${code}`));
    });
    return worker;
  }

  #broadcast(message: ToWorker): void {
    for (const worker of this.#workers) {
      worker.thread.postMessage(message);
      // A worker that has not started yet reads its port when it does.
      if (worker.wakeUpDescriptor >= 0) signalEventFd(worker.wakeUpDescriptor);
    }
  }

  #onMessage(index: number, worker: WorkerThread, message: FromWorker): void {
    switch (message.kind) {
      case 'started':
        worker.wakeUpDescriptor = message.wakeUpDescriptor;
        signalEventFd(message.wakeUpDescriptor);
        return;
      case 'applied':
        worker.generation = message.generation;
        worker.listeners = message.listeners;
        worker.failures = message.failures;
        if (this.#workers.every((each) => each.generation === message.generation)) {
          this.#options.onApplied(
            message.generation,
            worker.listeners,
            this.#workers.flatMap((each) => each.failures),
          );
        }
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
}
