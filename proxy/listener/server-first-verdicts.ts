// What a worker has learnt about who waits for the server to speak: clients by their address, and where they went.
//
// The client belongs to the verdict. Behind one port of a mesh that is PERMISSIVE there are clients without a sidecar, which
// wait for the greeting of a database, and others whose sidecar begins with TLS, a moment after the connection stands. The
// verdict of the first kind takes the wait from a connection, and so must never meet the second.

import type { StatBlock } from '../telemetry/stats.ts';
import { RecentKeys } from './recent-keys.ts';

export interface ServerFirstVerdictsOptions {
  /** A block of `serverFirstStats`, asked for once it is needed. */
  readonly makeStats: () => StatBlock;
  /** The first verdict about a destination. */
  readonly onNewDestination: (destination: string) => void;
}

export class ServerFirstVerdicts {
  readonly #options: ServerFirstVerdictsOptions;
  #stats: StatBlock | null = null;
  readonly #pairs = new RecentKeys(MAX_VERDICTS);
  readonly #destinations = new RecentKeys(MAX_VERDICTS);

  constructor(options: ServerFirstVerdictsOptions) {
    this.#options = options;
  }

  get stats(): StatBlock {
    this.#stats ??= this.#options.makeStats();
    return this.#stats;
  }

  get isEmpty(): boolean {
    return this.#pairs.size === 0;
  }

  /** Addresses as `formatAddress` writes them, that of the client without its port. */
  has(client: string, destination: string): boolean {
    return this.#pairs.has(keyOf(client, destination));
  }

  add(client: string, destination: string): void {
    this.#pairs.add(keyOf(client, destination));
    if (this.#destinations.add(destination)) this.#options.onNewDestination(destination);
  }

  /** The client spoke first after all. */
  remove(client: string, destination: string): void {
    this.#pairs.delete(keyOf(client, destination));
  }
}

function keyOf(client: string, destination: string): string {
  return `${client} ${destination}`;
}

/** About 100 bytes each. */
const MAX_VERDICTS = 1024;
