// Finds the listener that is bound to an original destination: the exact address first, then the wildcard address of
// its family with the same port. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto
// (use_original_dst). A map, because a sidecar has a listener for each address of the mesh.

import type { Address } from '../../config/address.ts';
import { parseIpAddress } from '../../config/ip-address.ts';
import type { Listener } from '../../config/listener.ts';

/** `T` is a listener at work. */
export class ListenerDirectory<T extends { readonly config: Listener }> {
  readonly #byAddress = new Map<string, T>();

  add(listener: T): void {
    for (const key of keysOf(listener)) this.#byAddress.set(key, listener);
  }

  /** Only where it was not replaced already. */
  remove(listener: T): void {
    for (const key of keysOf(listener)) if (this.#byAddress.get(key) === listener) this.#byAddress.delete(key);
  }

  find(address: Address): T | null {
    if (address.kind !== 'ip') return null;
    const exact = this.#byAddress.get(keyOf(address.ip, address.port));
    if (exact !== undefined) return exact;
    const wildcard = address.ip.includes(':') ? '::' : '0.0.0.0';
    return this.#byAddress.get(keyOf(wildcard, address.port)) ?? null;
  }
}

function keysOf({ config }: { readonly config: Listener }): string[] {
  const keys: string[] = [];
  for (const address of [config.address, ...config.additionalAddresses]) {
    if (address.kind === 'ip') keys.push(keyOf(address.ip, address.port));
    // A dual-stack wildcard takes IPv4 destinations too.
    if (address.kind === 'ip' && address.ip === '::' && config.ipv4Compatible)
      keys.push(keyOf('0.0.0.0', address.port));
  }
  return keys;
}

/** One key for all spellings of an address. */
function keyOf(ip: string, port: number): string {
  const bits = parseIpAddress(ip);
  return `${typeof bits === 'number' ? 4 : 6} ${bits} ${port}`;
}
