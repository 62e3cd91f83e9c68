// Timeouts that are the client's: of the connection manager or a route, whatever happens upstream.
// https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts

import type { Deadlines } from '../reactor/deadlines.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import type { ConnectionManager } from './connection-manager.ts';
import { LocalReplies, type LocalReply } from './local-reply.ts';
import { StreamDeadline } from './response-sender.ts';

export interface TimeoutReply {
  readonly reply: LocalReply;
  readonly reason: string;
}

/** What the stream knows of itself. */
export interface TimedStream {
  /** The request is complete: who lets us wait is not the client. */
  readonly requestEnded: boolean;
  /** The idle timeout in force, of the connection manager or the route. */
  readonly idleMs: number;
}

/** Counts the timeout that has passed and says how it is answered; null when `slot` is not one of these. */
export function downstreamTimeout(
  slot: number,
  manager: ConnectionManager,
  { requestEnded, idleMs }: TimedStream,
): TimeoutReply | null {
  const { stats, config } = manager;
  switch (slot) {
    case StreamDeadline.streamIdle:
      stats.inc(httpStats.downstreamRqIdleTimeout);
      return {
        reply: requestEnded ? LocalReplies.streamIdleTimeoutAfterRequest : LocalReplies.streamIdleTimeout,
        reason: `no byte moved in either direction for ${idleMs} ms`,
      };
    case StreamDeadline.request:
      stats.inc(httpStats.downstreamRqTimeout);
      return {
        reply: LocalReplies.requestTimeout,
        reason: `the request was not complete after ${config.requestTimeoutMs} ms`,
      };
    case StreamDeadline.maxDuration:
      stats.inc(httpStats.downstreamRqMaxDurationReached);
      return {
        reply: requestEnded ? LocalReplies.maxStreamDurationAfterRequest : LocalReplies.maxStreamDuration,
        reason: 'the request lasted longer than max_stream_duration',
      };
    default:
      return null;
  }
}

/** A tunnel lasts as long as something moves in it: only the times of idleness and of the whole stay. */
export function clearForTunnel(deadlines: Deadlines): void {
  deadlines.clear(StreamDeadline.response);
  deadlines.clear(StreamDeadline.perTry);
  deadlines.clear(StreamDeadline.perTryIdle);
  deadlines.clear(StreamDeadline.request);
}
