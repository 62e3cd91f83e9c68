// Where a connection comes from and goes to, and what its first bytes said: what a filter chain is chosen by.

import type { Address } from '../../config/address.ts';
import { localAddress, remoteAddress } from '../../native/socket.ts';
import type { ConnectionCriteria } from './filter-chain-match.ts';
import type { ConnectionFindings } from './listener-filter.ts';

export interface ConnectionOrigin {
  /** The client. */
  readonly remote: Address | undefined;
  /** Who is at the other end of the socket. */
  readonly peer: Address | undefined;
  /** Before redirection, when there was one. */
  readonly local: Address | undefined;
  readonly original: Address | undefined;
  readonly found: Readonly<ConnectionFindings>;
}

/** Asks the kernel: `descriptor` is of an accepted connection. */
export function originOf(
  descriptor: number,
  original: Address | undefined,
  found: Readonly<ConnectionFindings>,
): ConnectionOrigin {
  const local = found.destination ?? original ?? localAddress(descriptor, true);
  const peer = remoteAddress(descriptor, true);
  return { remote: found.source ?? peer, peer, local, original, found };
}

export function criteriaOf({ remote, peer, local, found }: ConnectionOrigin): ConnectionCriteria {
  return {
    destinationIp: ipOf(local),
    destinationPort: local?.kind === 'ip' ? local.port : 0,
    serverName: found.serverName,
    transportProtocol: found.transportProtocol === '' ? 'raw_buffer' : found.transportProtocol,
    applicationProtocols: found.applicationProtocols,
    directSourceIp: ipOf(peer),
    sourceIp: ipOf(remote),
    sourcePort: remote?.kind === 'ip' ? remote.port : 0,
  };
}

/** Empty for what has none. */
export function ipOf(address: Address | undefined): string {
  return address?.kind === 'ip' ? address.ip : '';
}
