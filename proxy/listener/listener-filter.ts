// What a listener filter that looks at bytes is: it is shown all that a client has sent so far, as often as more comes,
// until it has found out what it is for. Nothing is taken from the socket but what a filter says is its own, so whatever
// the connection turns out to be reads it from its first byte.

import type { Address } from '../../config/address.ts';

/** What listener filters have found out about a connection. */
export interface ConnectionFindings {
  /** `tls`, or empty: nothing was recognised, which is `raw_buffer` to a filter chain match. */
  transportProtocol: '' | 'tls';
  /** SNI, lower case; empty when there was none. */
  serverName: string;
  /** What the client offers by ALPN, or the version of HTTP it begins with. */
  applicationProtocols: readonly string[];
  /** Whose connection it is and where it goes, when somebody before us said so (PROXY protocol). */
  source?: Address;
  destination?: Address;
}

/** A connection of a listener without such filters. */
export const nothingFound: Readonly<ConnectionFindings> = Object.freeze({
  transportProtocol: '',
  serverName: '',
  applicationProtocols: [],
});

/** The bytes of one connection as a filter sees them. */
export interface Inspection {
  /** `bytes[0, end)` is all that was received; what lies behind belongs to nobody. */
  readonly bytes: Buffer;
  readonly end: number;
  /** How much of it this filter has seen before. */
  readonly seen: number;
  readonly found: ConnectionFindings;
  /** Set by a filter that is done: so many bytes at the front are its own, and are taken from the socket. */
  taken?: number;
}

export const Verdict = {
  done: 0,
  needsMore: 1,
  /** The connection is to be closed. */
  refused: 2,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

export interface Inspector {
  /** A connection that ends or times out before the filter is done goes no further; otherwise it has found nothing. */
  readonly isRequired?: boolean;
  inspect(inspection: Inspection): Verdict;
}

/** No filter waits for more than this: Envoy's bound too. */
export const MAX_INSPECTED_BYTES = 64 * 1024;
