// What an attempt's failure is to the client and to the retry policy.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details

import { Errno } from '../../native/errno.ts';
import type { UpstreamFailure } from '../cluster/upstream-failure.ts';
import type { ResetKind } from '../route/retry-policy.ts';
import { LocalReplies, type LocalReply } from './local-reply.ts';
import { ResponseFlag } from './stream-info.ts';

/** How a retry policy calls the failure; null for what is never retried. */
export function resetKind(failure: UpstreamFailure): ResetKind | null {
  switch (failure.kind) {
    case 'connect-failure':
    case 'connect-timeout':
      return 'connect-failure';
    case 'connection-termination':
    case 'protocol-error':
      return 'reset';
    case 'overflow':
      // A cluster at its limit is not helped by asking again, whatever the policy says (Envoy's rule too).
      return null;
  }
}

/** The reply when the response had not begun. `isRetry` says so in the text, as Envoy's does. */
export function failureReply(failure: UpstreamFailure, isRetry: boolean): LocalReply {
  const { status, body, details, flags } = firstFailureReply(failure);
  const transport = transportFailureReason(failure);
  return {
    status,
    body: isRetry ? body.replace('reset reason', 'retried and the latest reset reason') : body,
    details: transport === '' ? details : `${details.slice(0, -1)}|${transport}}`,
    flags,
  };
}

/**
 * What Envoy says of a connection that the kernel could not make, and our sentence behind its word for one that TLS could not
 * be established on, without blanks; empty for every other failure.
 */
export function transportFailureReason({ errno, tlsProblem }: UpstreamFailure): string {
  if (tlsProblem !== undefined) return `TLS_error:_${tlsProblem.replaceAll(/\s/g, '_')}`;
  const text = errno === undefined ? undefined : libcTexts.get(errno);
  return text === undefined ? '' : `delayed_connect_error:_${text}`;
}

/** The texts of strerror(3), which people search for in logs, for what a connection attempt meets. */
const libcTexts: ReadonlyMap<number, string> = new Map([
  [Errno.ECONNREFUSED, 'Connection_refused'],
  [Errno.ECONNRESET, 'Connection_reset_by_peer'],
  [Errno.ETIMEDOUT, 'Connection_timed_out'],
  [Errno.EHOSTUNREACH, 'No_route_to_host'],
  [Errno.ENETUNREACH, 'Network_is_unreachable'],
]);

function firstFailureReply(failure: UpstreamFailure): LocalReply {
  switch (failure.kind) {
    case 'connect-failure':
      return LocalReplies.connectFailure;
    case 'connect-timeout':
      return LocalReplies.connectTimeout;
    case 'connection-termination':
      return LocalReplies.connectionTermination;
    case 'protocol-error':
      return LocalReplies.protocolError;
    case 'overflow':
      return LocalReplies.overflow;
  }
}

/** Flag and detail word when the response had begun: there is nothing left to reply with. */
export function cutResponse(failure: UpstreamFailure): { readonly flag: number; readonly details: string } {
  if (failure.kind === 'protocol-error') return cutByProtocolError;
  return cutByTermination;
}

const cutByProtocolError = {
  flag: ResponseFlag.upstreamProtocolError,
  details: 'upstream_reset_after_response_started{protocol_error}',
};
const cutByTermination = {
  flag: ResponseFlag.upstreamConnectionTermination,
  details: 'upstream_reset_after_response_started{connection_termination}',
};
