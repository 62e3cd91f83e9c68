// How the process leaves, and the signals that say so: SIGTERM drains and a second one ends, SIGINT ends, SIGHUP and
// SIGUSR1 open log files anew (Envoy does on SIGUSR1). https://www.envoyproxy.io/docs/envoy/latest/operations/cli
//
// Envoy ends at SIGTERM without a drain and leaves that to who started it. Here the one signal that every orchestrator
// sends is enough: nobody's request is cut for it. A sidecar has a way of its own (`proxy/sidecar/termination.ts`).

import type { Termination } from '../sidecar/termination.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import type { ServerState } from './server-state.ts';

export interface LifecycleOptions {
  readonly workers: {
    drain(inboundOnly: boolean, stopAccepting: boolean): void;
    /** As `drain` for good, but idle clients stay. */
    handOver(): void;
    flushLogs(): void;
    /** Resolves when their last log lines have arrived. */
    stop(): Promise<void>;
  };
  readonly logs: {
    reopen(): void;
    /** Resolves when everything is written, or cannot be. */
    close(): Promise<void>;
  };
  /** Resolves when what is to outlive the process is written. */
  readonly saveConfiguration: () => Promise<void>;
  readonly state: ServerState;
  readonly log: ComponentLog;
  /** How a sidecar leaves; any other process stops accepting at once. */
  readonly termination?: Pick<Termination, 'begin' | 'words'> | undefined;
  /** Clients that are connected to listeners. */
  readonly openConnections: () => number;
  /** Longest wait for requests in flight. */
  readonly drainTimeMs: number;
  /** Longest time that a process goes on with what it has after another took its place. */
  readonly parentShutdownTimeMs: number;
  readonly exit: (code: number) => void;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
}

export class Lifecycle {
  readonly #options: LifecycleOptions;
  #phase: 'serving' | 'handed-over' | 'draining' | 'ending' = 'serving';

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  handleSignals(): void {
    process.on('SIGTERM', () => this.leave());
    process.on('SIGINT', () => this.shutdown());
    for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => this.reopenLogs());
  }

  /** Drains, then ends; asked again, ends at once. */
  leave(): void {
    if (this.#phase === 'draining' || this.#phase === 'ending') {
      this.shutdown();
      return;
    }
    const { termination } = this.#options;
    if (termination !== undefined && this.#phase === 'serving') {
      this.#terminate(termination);
      return;
    }
    this.#phase = 'draining';
    const { drainTimeMs, log, schedule, state, workers } = this.#options;
    log.info({ drainTimeMs }, 'draining: no new connections, requests in flight are finished');
    state.startDraining(() => this.shutdown());
    workers.drain(false, true);
    schedule(drainTimeMs, () => {
      if (this.#phase !== 'draining') return;
      log.warn('the drain time is over; what is still open is closed');
      this.shutdown();
    });
  }

  #terminate(termination: NonNullable<LifecycleOptions['termination']>): void {
    this.#phase = 'draining';
    const { log, openConnections, state, workers } = this.#options;
    log.info(`draining: ${termination.words}`);
    // That nobody is left is no end yet: somebody may still come.
    state.startDraining(() => undefined, termination.words);
    termination.begin({
      drainInbound: () => workers.drain(true, false),
      stopInbound: () => this.#phase === 'draining' && workers.drain(true, true),
      openConnections,
      end: (why) => {
        if (this.#phase !== 'draining') return;
        log.info({ openConnections: openConnections() }, why);
        this.shutdown();
      },
    });
  }

  /**
   * Another process has taken our place: ends when the last client is gone. Idle ones are sent away when the drain time
   * is over, what is still open is closed when that of a parent is.
   */
  handOver(): void {
    if (this.#phase !== 'serving') return;
    this.#phase = 'handed-over';
    const { drainTimeMs, log, parentShutdownTimeMs, schedule, state, workers } = this.#options;
    log.info({ drainTimeMs, parentShutdownTimeMs }, 'handed over: clients are asked to leave with their next response');
    state.startDraining(() => this.shutdown());
    workers.handOver();
    schedule(drainTimeMs, () => {
      if (this.#phase === 'handed-over') workers.drain(false, true);
    });
    schedule(parentShutdownTimeMs, () => {
      if (this.#phase === 'ending') return;
      log.warn("a parent's time is over; what is still open is closed");
      this.shutdown();
    });
  }

  /** Ends without waiting for requests; access logs are written. */
  shutdown(): void {
    if (this.#phase === 'ending') return;
    this.#phase = 'ending';
    const { exit, logs, saveConfiguration, workers } = this.#options;
    void workers
      .stop()
      .then(() => Promise.all([logs.close(), saveConfiguration()]))
      .then(() => exit(0));
  }

  /** What was logged until now goes to the old files. */
  reopenLogs(): void {
    const { logs, workers } = this.#options;
    workers.flushLogs();
    logs.reopen();
  }
}
