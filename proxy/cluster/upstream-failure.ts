// Why an attempt at an endpoint failed, decided where the fact is known. One place (`proxy/http/upstream-request.ts`)
// turns it into a retry, a local reply, a response flag and counters.

import { describeErrno } from '../../native/errno.ts';
import type { CloseReason } from '../reactor/byte-stream.ts';

export interface UpstreamFailure {
  readonly kind:
    | 'connect-failure'
    | 'connect-timeout'
    /** The peer ended or reset a connection that was in use. */
    | 'connection-termination'
    | 'protocol-error'
    /** A circuit breaker is open. */
    | 'overflow';
  /** What happened, in plain words, without the endpoint's address. */
  readonly reason: string;
  /** Why the kernel could not connect, where it said so. */
  readonly errno?: number;
  /** Why TLS could not be established, where that was it. */
  readonly tlsProblem?: string;
}

/** The failure of a connection attempt. */
export function connectFailure(reason: CloseReason): UpstreamFailure {
  switch (reason.kind) {
    case 'connect-timeout':
      return { kind: 'connect-timeout', reason: 'the connection was not accepted within connect_timeout' };
    case 'error':
      return { kind: 'connect-failure', reason: describeErrno(reason.errno), errno: reason.errno };
    case 'tls':
      return { kind: 'connect-failure', reason: `TLS: ${reason.problem}`, tlsProblem: reason.problem };
    case 'local':
    case 'remote':
      return { kind: 'connect-failure', reason: 'the connection was closed before it was established' };
  }
}

/** The failure of a connection that carried a request. */
export function terminationFailure(reason: CloseReason, idleBeforeMs: number): UpstreamFailure {
  const how = describeEnd(reason);
  const age = idleBeforeMs >= 0 ? ` (the connection was reused after ${(idleBeforeMs / 1000).toFixed(1)} s idle)` : '';
  return { kind: 'connection-termination', reason: `${how} before the response was complete${age}` };
}

/** The failure of an endpoint that answers something else than HTTP/1.1. */
export function invalidResponseFailure(reason: string): UpstreamFailure {
  return { kind: 'protocol-error', reason: `the endpoint's response is not valid HTTP/1.1: ${reason}` };
}

function describeEnd(reason: CloseReason): string {
  if (reason.kind === 'error') return describeErrno(reason.errno);
  return reason.kind === 'tls' ? `TLS: ${reason.problem}` : 'the endpoint closed the connection';
}

export const overflowFailure: UpstreamFailure = Object.freeze({
  kind: 'overflow',
  reason: 'a circuit breaker of the cluster is open',
});
