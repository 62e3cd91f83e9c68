// Which listener has which address: there is one for each, as in Envoy. Listeners without a socket of their own have
// theirs too, because connections are handed to them by it.

import { type Address, formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';

export class ListenerAddresses {
  readonly #owners = new Map<string, string>();

  /** Why a listener cannot have its addresses; undefined when it can. */
  problemWith(listener: Listener): string | undefined {
    for (const text of addressesOf(listener)) {
      const owner = this.#owners.get(text);
      if (owner !== undefined && owner !== listener.name) {
        return `${text} is the address of listener ${JSON.stringify(owner)} already`;
      }
    }
    return undefined;
  }

  take(listener: Listener): void {
    for (const text of addressesOf(listener)) this.#owners.set(text, listener.name);
  }

  /** Gives back those of `listener` that none of its other states has. */
  release(listener: Listener, others: readonly Listener[]): void {
    const kept = new Set(others.flatMap(addressesOf));
    for (const text of addressesOf(listener)) {
      if (!kept.has(text) && this.#owners.get(text) === listener.name) this.#owners.delete(text);
    }
  }
}

/** Port 0 is another port each time. */
function addressesOf({ address, additionalAddresses }: Listener): string[] {
  return [address, ...additionalAddresses].filter(isFixed).map(formatAddress);
}

function isFixed(address: Address): boolean {
  return address.kind === 'pipe' || address.port !== 0;
}
