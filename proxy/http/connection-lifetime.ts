// How long a downstream connection lives, whatever codec serves it: idle, in all, and once it has to leave. Its beginning
// and its end are counted here.
//
// One that has to leave says so in its next response, or the one under way, and waits for one more request meanwhile: the
// one that a busy client has sent already would be lost.

import type { Deadlines } from '../reactor/deadlines.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import { countEnded, countOpened } from './connection-counts.ts';
import { type ConnectionManager, drainedLastRequestMs, lastRequestMsOf } from './connection-manager.ts';
import { StreamDeadline } from './response-sender.ts';

/** Deadlines of a connection, behind those of its stream; a codec's own follow behind. */
export const ConnectionDeadline = {
  idle: StreamDeadline.count,
  maxDuration: StreamDeadline.count + 1,
  count: StreamDeadline.count + 2,
} as const;

/** What a connection was before another codec took it over. */
export interface EarlierLife {
  readonly openedAtMs: number;
  readonly requestCount: number;
  /** As of `ConnectionLifetime`. */
  readonly lastRequestMs: number;
}

/** How a connection has ended. */
export interface ConnectionEnd {
  /** The client ended it, or the network. */
  readonly isRemote: boolean;
  /** A request was under way. */
  readonly hadRequest: boolean;
  /** The client had not ended it in the time of a graceful close. */
  readonly isLate: boolean;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export class ConnectionLifetime implements EarlierLife {
  readonly openedAtMs: number;
  requestCount = 0;
  /** How long it waits for one more request, since it has to leave; 0 when it has not. */
  lastRequestMs = 0;
  readonly #manager: ConnectionManager;
  readonly #deadlines: Deadlines;
  readonly #isTls: boolean;

  /** `deadlines` has slots of `ConnectionDeadline`. With an `earlier` life it goes on, and was counted. */
  constructor(manager: ConnectionManager, deadlines: Deadlines, isTls: boolean, earlier: EarlierLife | null = null) {
    const { nowMs } = manager.context.reactor;
    const { maxConnectionDurationMs } = manager.config;
    this.#manager = manager;
    this.#deadlines = deadlines;
    this.#isTls = isTls;
    this.openedAtMs = earlier?.openedAtMs ?? nowMs;
    if (earlier === null) {
      countOpened(manager.stats, isTls);
    } else {
      this.requestCount = earlier.requestCount;
      this.lastRequestMs = earlier.lastRequestMs;
    }
    const leftMs = this.openedAtMs + maxConnectionDurationMs - nowMs;
    deadlines.set(ConnectionDeadline.maxDuration, maxConnectionDurationMs === 0 ? 0 : Math.max(1, leftMs));
    this.waitForRequest();
  }

  /** Nothing is under way. */
  waitForRequest(): void {
    this.#deadlines.set(ConnectionDeadline.idle, this.lastRequestMs || this.#manager.config.idleTimeoutMs);
  }

  /** Whether this request is the last that the connection may carry (`max_requests_per_connection`). */
  countRequest(): boolean {
    const { config, stats } = this.#manager;
    this.requestCount++;
    const isLast = config.maxRequestsPerConnection > 0 && this.requestCount >= config.maxRequestsPerConnection;
    if (isLast) stats.inc(httpStats.downstreamCxMaxRequestsReached);
    return isLast;
  }

  /** Whether a response that is sent now is the last, whatever its request said. */
  get isLeaving(): boolean {
    return this.lastRequestMs > 0 || this.#manager.isDraining;
  }

  /**
   * One of `ConnectionDeadline` has passed: whether the connection is closed now. Else its next response is its last.
   * `isWaiting`: for a request, of which a part may be there (`hasPart`).
   */
  endsAt(slot: number, isWaiting: boolean, hasPart: boolean): boolean {
    const { config, stats } = this.#manager;
    if (slot === ConnectionDeadline.maxDuration) stats.inc(httpStats.downstreamCxMaxDurationReached);
    else if (this.lastRequestMs > 0) return true;
    else stats.inc(httpStats.downstreamCxIdleTimeout);
    // One that never asked for anything has nothing on its way, as in Envoy.
    if (this.requestCount === 0 && isWaiting && !hasPart) return true;
    this.#leave(lastRequestMsOf(config), isWaiting);
    return false;
  }

  /** The listener goes, or the process: this connection with it. */
  drain(isWaiting: boolean): void {
    if (this.lastRequestMs === drainedLastRequestMs) return;
    this.#manager.stats.inc(httpStats.downstreamCxDrainClose);
    this.#leave(drainedLastRequestMs, isWaiting);
  }

  #leave(lastRequestMs: number, isWaiting: boolean): void {
    this.lastRequestMs = lastRequestMs;
    if (isWaiting) this.waitForRequest();
  }

  /** Called once, when the connection is gone. */
  end({ isRemote, hadRequest, isLate, receivedBytes, sentBytes }: ConnectionEnd): void {
    const { config, context, stats } = this.#manager;
    this.#deadlines.cancel();
    if (isLate && config.delayedCloseTimeoutMs > 0) stats.inc(httpStats.downstreamCxDelayedCloseTimeout);
    countEnded(stats, {
      isTls: this.#isTls,
      isRemote,
      hadRequest,
      lengthMs: context.reactor.nowMs - this.openedAtMs,
      receivedBytes,
      sentBytes,
    });
  }
}
