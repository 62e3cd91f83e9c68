// Listening sockets that an earlier process hands to this one: what is asked for, and which of its listeners has it.
//
// Of what the kernel keeps with a socket, only whether an IPv6 address takes IPv4 peers cannot be changed later; a socket
// that differs in it is another address.

import type { Address, IpAddress } from '../../config/address.ts';
import { parseIpAddress } from '../../config/ip-address.ts';
import type { Listener } from '../../config/listener.ts';
import { setFreebind, setKeepAlive, setReusePort, setTransparent } from '../../native/socket.ts';
import { addressFamily } from '../../native/socket-address.ts';

export interface WantedAddress {
  /** Its name tells the listeners apart whose port the kernel chose. */
  readonly listener: string;
  /** As configured. */
  readonly address: Address;
  readonly ipv4Compatible: boolean;
}

/** The sockets that the earlier process has there, owned by who asked; often none. */
export type InheritSockets = (wanted: WantedAddress) => readonly number[];

/** An address at which `listener` listens. */
export interface ListeningAddress {
  readonly configured: Address;
  /** With the port that the kernel gave. */
  readonly bound: Address;
}

/** Whether a listener's sockets at `listening` are those wanted. */
export function isWanted(listener: Listener, listening: ListeningAddress, wanted: WantedAddress): boolean {
  const { address } = wanted;
  const { bound, configured } = listening;
  if (address.kind === 'pipe') return bound.kind === 'pipe' && bound.path === address.path;
  if (bound.kind === 'pipe' || configured.kind === 'pipe') return false;
  const isSameKind = !address.ip.includes(':') || listener.ipv4Compatible === wanted.ipv4Compatible;
  if (!isSameKind || !isSameIp(bound, address)) return false;
  return address.port === 0 ? configured.port === 0 && listener.name === wanted.listener : bound.port === address.port;
}

/** Gives inherited sockets what this configuration wants of them. Returns 0 or a negated errno. */
export function adjustInherited(sockets: readonly number[], address: Address, config: Listener): number {
  for (const socket of sockets) {
    let result = 0;
    if (address.kind === 'ip') {
      // One that had the address for itself lets others beside it from now on.
      if (config.reusePort) result = setReusePort(socket);
      const family = addressFamily(address);
      if (result >= 0 && config.transparent) result = setTransparent(socket, family);
      if (result >= 0 && config.freebind) result = setFreebind(socket, family);
      if (result >= 0 && config.keepAlive !== undefined) result = setKeepAlive(socket, config.keepAlive);
    }
    if (result < 0) return result;
  }
  return 0;
}

// An IPv4-mapped address is not the IPv4 address here: it is bound to by another kind of socket.
function isSameIp(left: IpAddress, right: IpAddress): boolean {
  return left.ip.includes(':') === right.ip.includes(':') && parseIpAddress(left.ip) === parseIpAddress(right.ip);
}
