// The main thread's account of the route configurations that workers have, so that of a changed one only the virtual
// hosts that differ are sent.

import type { RouteConfiguration } from '../../config/route.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import { compareRoutes, type RouteChange } from '../route/route-change.ts';

export class SentRoutes {
  readonly #configs = new Map<string, RouteConfiguration>();

  /** What to tell the workers, every one of them, of a delta. */
  *take({ set, removed }: MapDelta<RouteConfiguration>): Generator<void, MapDelta<RouteChange>, void> {
    for (const name of removed) this.#configs.delete(name);
    const changes: [string, RouteChange][] = [];
    for (const [name, config] of set) {
      changes.push([name, yield* compareRoutes(this.#configs.get(name), config)]);
      this.#configs.set(name, config);
    }
    return { set: changes, removed };
  }
}
