// Differences of what is counted, in the section "Statistics" of docs/differences-from-envoy.md.

import type { AcceptedDifference } from './accepted-differences.ts';
import { absent, type Difference } from './observation.ts';

const section = 'Statistics';

export const acceptedStatistics: readonly AcceptedDifference[] = [
  {
    section,
    reason: 'bytes differ where messages do',
    explains: ({ field, of, place }) =>
      /cx_[rt]x_bytes_total$/.test(field) && (hasOtherMessages(of) || /XFF 7 on|an empty|white space/.test(place)),
  },
  {
    section,
    reason: 'buffered bytes are not counted: nothing is buffered unless a peer is slow',
    explains: ({ field }) => /_bytes_buffered$/.test(field),
  },
  {
    section,
    reason: 'interim responses are counted neither as responses nor as completed requests',
    explains: ({ field, place }) =>
      /100-continue|a 100 |a 103 /.test(place) && /_rq_(1\d\d|1xx|completed)$/.test(field),
  },
  {
    section,
    reason: 'a request that is refused is no reset, and its connection no protocol error twice',
    explains: ({ field }) =>
      /downstream_rq_([rt]x_reset|response_before_rq_complete|failed_path_normalization)$|cx_protocol_error$/.test(
        field,
      ),
  },
  {
    section,
    reason: 'a reset of an upstream request is counted whoever ended its connection, a redirect is counted as one',
    explains: ({ field, envoy }) => /upstream_rq_[rt]x_reset$|\.rq_redirect$/.test(field) && envoy === absent,
  },
  {
    section,
    reason: 'the notice of an endpoint that it closes, and an active request at that time, are not counted',
    explains: ({ field, outrigger }) =>
      /upstream_cx_(close_notify|destroy_(local_)?with_active_rq)$/.test(field) && outrigger === absent,
  },
  {
    section,
    reason: 'where a request was refused no connection was opened, so that a later one opens it',
    explains: ({ field, place }) => /^refused: target/.test(place) && /upstream_(cx_|rq_pending_total)/.test(field),
  },
  {
    section,
    reason: 'bytes that arrive behind the answer of their request may stay unread',
    explains: ({ field, place }) =>
      /downstream_cx_rx_bytes_total$/.test(field) && place === 'messages: a response before the request has ended',
  },
  {
    section,
    reason: 'a circuit breaker is asked before a connection is made, and is open from the start at a limit of 0',
    explains: ({ field, place }) =>
      /allowed$/.test(place) && /circuit_breakers|upstream_cx_|_overflow$|pending_total$/.test(field),
  },
];

function hasOtherMessages({ envoy, outrigger }: Difference['of']): boolean {
  for (const field of new Set([...envoy.keys(), ...outrigger.keys()])) {
    if (/^(response|origin)\./.test(field) && envoy.get(field) !== outrigger.get(field)) return true;
  }
  return false;
}
