// Where outrigger answers otherwise than Envoy, on purpose. Every entry says why and in which section of
// docs/differences-from-envoy.md operators read about it. One that explains nothing any more fails the test.

import { absent, type Difference } from './observation.ts';

export interface AcceptedDifference {
  /** Heading in docs/differences-from-envoy.md. */
  readonly section: string;
  readonly reason: string;
  readonly explains: (difference: Difference) => boolean;
}

export const acceptedDifferences: readonly AcceptedDifference[] = [
  {
    section: 'Order of headers',
    reason: 'transfer-encoding stays where the sender had it; Envoy removes it and adds its own at the end',
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.order') && without(envoy, framingNames) === without(outrigger, framingNames),
  },
  {
    section: 'Local replies say what happened',
    reason: 'the body of a local reply has a sentence behind the text of Envoy',
    explains: (difference) => isLocalReply(difference) && isOfLocalReplyBody(difference),
  },
  {
    section: 'Access log',
    reason: 'the scheme of a request is known from its connection, also when it is refused before it is routed',
    explains: ({ field, envoy }) => field.endsWith('.REQ(:SCHEME)') && envoy === '-',
  },
  {
    section: 'Statistics',
    reason: 'buffered bytes are not counted: nothing is buffered unless a peer is slow',
    explains: ({ field }) => /_bytes_buffered$/.test(field),
  },
  {
    section: 'Statistics',
    reason: 'each endpoint has counters of its own, which Envoy shows in /clusters only',
    explains: ({ field, envoy }) => /^stat\.cluster\.[^.]+\.endpoint\./.test(field) && envoy === absent,
  },
  {
    section: 'Statistics',
    reason: 'a cluster has statistics from its first request on: its members are counted then',
    explains: ({ field, envoy }) => /\.membership_(healthy|total)$/.test(field) && envoy === absent,
  },
];

const framingNames = ['transfer-encoding'];

function without(order: string, names: readonly string[]): string {
  return order
    .split(', ')
    .filter((name) => !names.includes(name))
    .join(', ');
}

/** The request was answered by the proxy itself: Envoy's access log says so for the first request of the case. */
function isLocalReply({ of }: Difference): boolean {
  const details = of.envoy.get('log.0.RESPONSE_CODE_DETAILS') ?? '';
  return !['via_upstream', 'direct_response', '-'].includes(details);
}

/** The body and everything that its length and type show in. */
function isOfLocalReplyBody({ field, envoy, outrigger }: Difference): boolean {
  if (/^response\.\d+\.body$/.test(field)) {
    return envoy === '' || outrigger.startsWith(`${envoy}; `);
  }
  if (/^response\.\d+\.order$/.test(field)) return without(envoy, bodyNames) === without(outrigger, bodyNames);
  return /^response\.\d+\.header\.content-(length|type)$|^log\.\d+\.(BYTES_SENT|RESP\(CONTENT-TYPE\))$|\.downstream_cx_tx_bytes_total$/.test(
    field,
  );
}

const bodyNames = ['content-length', 'content-type'];
