// Which addresses of listeners are in each other's way: one that stands for all of its family, such as 0.0.0.0, has the port at
// every other one too. The kernel lets both listen where both share the port (SO_REUSEPORT), and only one of them otherwise.

import type { Address } from './address.ts';
import { parseIpAddress } from './ip-address.ts';
import type { Listener } from './listener.ts';

type ListeningPlaces = Pick<Listener, 'address' | 'additionalAddresses' | 'bindToPort' | 'ipv4Compatible'>;

/** Of two that cannot both be had. */
export interface Overlap {
  readonly own: Address;
  readonly others: Address;
}

/** The first address of `listener` that `other` has too, and what it has there. */
export function commonAddress(listener: ListeningPlaces, other: ListeningPlaces): Overlap | undefined {
  if (!listener.bindToPort || !other.bindToPort) return undefined;
  for (const own of addressesOf(listener)) {
    const others = addressesOf(other).find(
      (each) => covers(own, each, listener.ipv4Compatible) || covers(each, own, other.ipv4Compatible),
    );
    if (others !== undefined) return { own, others };
  }
  return undefined;
}

/** An address that the listener has twice. */
export function ownOverlap(listener: ListeningPlaces): Overlap | undefined {
  const { address, additionalAddresses, ipv4Compatible, bindToPort } = listener;
  let before: ListeningPlaces = { address, additionalAddresses: [], ipv4Compatible, bindToPort };
  for (const each of additionalAddresses) {
    const overlap = commonAddress({ ...before, address: each, additionalAddresses: [] }, before);
    if (overlap !== undefined) return overlap;
    before = { ...before, additionalAddresses: [...before.additionalAddresses, each] };
  }
  return undefined;
}

/** Whether it stands for all addresses of its family. */
export function isWildcard(address: Address): boolean {
  return address.kind === 'ip' && Number(parseIpAddress(address.ip)) === 0;
}

function addressesOf({ address, additionalAddresses }: ListeningPlaces): readonly Address[] {
  return [address, ...additionalAddresses];
}

/** A Unix socket takes the place of the one before; a port that the kernel chooses is never the same. */
function covers(one: Address, other: Address, ipv4Compatible: boolean): boolean {
  if (one.kind === 'pipe' || other.kind === 'pipe' || one.port !== other.port || one.port === 0) return false;
  const isSameFamily = one.ip.includes(':') === other.ip.includes(':');
  if (!isWildcard(one)) return isSameFamily && parseIpAddress(one.ip) === parseIpAddress(other.ip);
  return isSameFamily || (one.ip.includes(':') && ipv4Compatible);
}
