// Which listener has which address: there is one for each, as in Envoy. Listeners without a socket of their own have
// theirs too, because connections are handed to them by it.
//
// An address and the one that stands for all of its family, such as 0.0.0.0, are two: of one port they can be had by two listeners
// that share it (`enable_reuse_port`). Without, Envoy takes both and cannot listen at the second one; here it is refused.

import { type Address, formatAddress, type IpAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { commonAddress, isWildcard } from '../../config/listening-overlap.ts';

export class ListenerAddresses {
  readonly #owners = new Map<string, Listener>();
  readonly #atPort = new Map<number, Set<string>>();

  /** Why a listener cannot have its addresses; undefined when it can. */
  problemWith(listener: Listener): string | undefined {
    for (const address of addressesOf(listener)) {
      const text = formatAddress(address);
      const owner = this.#owners.get(text);
      if (owner !== undefined && owner.name !== listener.name) {
        return `${text} is the address of listener ${JSON.stringify(owner.name)} already`;
      }
      const problem = address.kind === 'pipe' ? undefined : this.#overlapWith(listener, address);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #overlapWith(listener: Listener, address: IpAddress): string | undefined {
    if (!listener.bindToPort) return undefined;
    for (const owner of this.#mayOverlap(address)) {
      if (owner.name === listener.name || (owner.reusePort && listener.reusePort)) continue;
      const overlap = commonAddress({ ...listener, address, additionalAddresses: [] }, owner);
      if (overlap === undefined) continue;
      const { own, others } = overlap;
      return (
        `${formatAddress(own)} and ${formatAddress(others)} of listener ${JSON.stringify(owner.name)} have one port: ` +
        'unless both have enable_reuse_port, only one of them can listen'
      );
    }
    return undefined;
  }

  /** A wildcard looks at all of its port, any other at wildcards alone: there may be thousands of either. */
  #mayOverlap(address: IpAddress): readonly Listener[] {
    const { port } = address;
    const texts = isWildcard(address) ? [...(this.#atPort.get(port) ?? [])] : [`0.0.0.0:${port}`, `[::]:${port}`];
    return texts.map((text) => this.#owners.get(text)).filter((owner) => owner !== undefined);
  }

  take(listener: Listener): void {
    for (const address of addressesOf(listener)) {
      const text = formatAddress(address);
      this.#owners.set(text, listener);
      if (address.kind === 'pipe') continue;
      const atPort = this.#atPort.get(address.port) ?? new Set();
      this.#atPort.set(address.port, atPort.add(text));
    }
  }

  /** Gives back those of `listener` that none of its other states has. */
  release(listener: Listener, others: readonly Listener[]): void {
    for (const address of addressesOf(listener)) {
      const text = formatAddress(address);
      if (this.#owners.get(text)?.name !== listener.name) continue;
      const other = others.find((each) => addressesOf(each).some((kept) => formatAddress(kept) === text));
      if (other === undefined) this.#forget(address, text);
      else this.#owners.set(text, other);
    }
  }

  #forget(address: Address, text: string): void {
    this.#owners.delete(text);
    if (address.kind === 'pipe') return;
    const atPort = this.#atPort.get(address.port)!;
    atPort.delete(text);
    if (atPort.size === 0) this.#atPort.delete(address.port);
  }
}

/** Port 0 is another port each time. */
function addressesOf({ address, additionalAddresses }: Listener): readonly Address[] {
  return [address, ...additionalAddresses].filter(isFixed);
}

function isFixed(address: Address): boolean {
  return address.kind === 'pipe' || address.port !== 0;
}
