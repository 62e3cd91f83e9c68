// What a transport keeps of each endpoint of a collector, such as its connections. An endpoint that is spoken to in another way
// is another one: nothing goes over a connection of before.

import { formatAddress } from '../../config/address.ts';
import type { CollectorEndpoint } from './collector-address.ts';

export class EndpointConnections<T> {
  readonly #open: (endpoint: CollectorEndpoint) => T;
  readonly #close: (connections: T) => void;
  readonly #known = new Map<string, { readonly endpoint: CollectorEndpoint; readonly connections: T }>();

  /** `close` is called of endpoints that are gone. Two names of one address are two endpoints. */
  constructor(open: (endpoint: CollectorEndpoint) => T, close: (connections: T) => void) {
    this.#open = open;
    this.#close = close;
  }

  of(endpoint: CollectorEndpoint): T {
    const key = keyOf(endpoint);
    const known = this.#known.get(key);
    if (known !== undefined && known.endpoint.tls?.config === endpoint.tls?.config) return known.connections;
    if (known !== undefined) this.#close(known.connections);
    const connections = this.#open(endpoint);
    this.#known.set(key, { endpoint, connections });
    return connections;
  }

  /** To be called with all that there are now, before one of them is used. */
  retain(endpoints: readonly CollectorEndpoint[]): void {
    if (this.#known.size === 0) return;
    const keys = new Set(endpoints.map(keyOf));
    for (const [key, { connections }] of this.#known) {
      if (keys.has(key)) continue;
      this.#known.delete(key);
      this.#close(connections);
    }
  }
}

function keyOf({ address, tls }: CollectorEndpoint): string {
  const hostname = tls?.kind === 'cluster' ? tls.hostname : '';
  return `${formatAddress(address)}\n${hostname}`;
}
