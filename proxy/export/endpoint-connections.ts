// What a transport keeps of each endpoint of a collector, such as its connections. An endpoint that is spoken to in another way
// is another one: nothing goes over a connection of before.

import { formatAddress } from '../../config/address.ts';
import type { CollectorEndpoint } from './collector-address.ts';

export class EndpointConnections<T> {
  readonly #open: (endpoint: CollectorEndpoint) => T;
  readonly #close: (connections: T) => void;
  readonly #known = new Map<string, { readonly endpoint: CollectorEndpoint; readonly connections: T }>();

  /** `close` is called of endpoints that are gone. */
  constructor(open: (endpoint: CollectorEndpoint) => T, close: (connections: T) => void) {
    this.#open = open;
    this.#close = close;
  }

  of(endpoint: CollectorEndpoint): T {
    const key = formatAddress(endpoint.address);
    const known = this.#known.get(key);
    if (known !== undefined && isSame(known.endpoint, endpoint)) return known.connections;
    if (known !== undefined) this.#close(known.connections);
    const connections = this.#open(endpoint);
    this.#known.set(key, { endpoint, connections });
    return connections;
  }

  retain(endpoints: readonly CollectorEndpoint[]): void {
    if (this.#known.size === 0) return;
    const keys = new Set(endpoints.map(({ address }) => formatAddress(address)));
    for (const [key, { connections }] of this.#known) {
      if (keys.has(key)) continue;
      this.#known.delete(key);
      this.#close(connections);
    }
  }
}

function isSame({ tls: left }: CollectorEndpoint, { tls: right }: CollectorEndpoint): boolean {
  return left?.config === right?.config && hostnameOf(left) === hostnameOf(right);
}

function hostnameOf(tls: CollectorEndpoint['tls']): string {
  return tls?.kind === 'cluster' ? tls.hostname : '';
}
