// A large change of route configurations on its way to a worker: its virtual hosts go ahead in parts, as bytes that all
// workers share. A worker opens a part between two turns, and all are put in place at once with the change.
//
// A table of 10,000 virtual hosts in one message kept a worker from its requests for 40 ms.

import { deserialize, serialize } from 'node:v8';
import type { VirtualHost } from '../../config/route.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import type { RouteChange } from '../route/route-change.ts';

/** Virtual hosts: what a worker opens at once, and the most of one change that it is sent as objects. */
const partLength = 100;

/** Some of the virtual hosts of the next change of this name. Structured-cloned without its bytes. */
export interface RoutePart {
  readonly name: string;
  /** `readonly VirtualHost[]`, as V8 serializes them. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** The parts that go ahead, each made when it is asked for, and what is left: all of a small change. */
export function splitRoutes({ set, removed }: MapDelta<RouteChange>): {
  readonly parts: Iterable<RoutePart>;
  readonly rest: MapDelta<RouteChange>;
} {
  const isLarge = (change: RouteChange) => virtualHostsOf(change).length > partLength;
  const rest = set.map(([name, change]): [string, RouteChange] => [
    name,
    isLarge(change) ? withVirtualHosts(change, []) : change,
  ]);
  return { parts: partsOf(set.filter(([, change]) => isLarge(change))), rest: { set: rest, removed } };
}

function* partsOf(changes: MapDelta<RouteChange>['set']): Generator<RoutePart, void> {
  for (const [name, change] of changes) {
    const hosts = virtualHostsOf(change);
    for (let from = 0; from < hosts.length; from += partLength) {
      yield { name, bytes: pack(hosts.slice(from, from + partLength)) };
    }
  }
}

/** Parts where they are received, until the change that they belong to. */
export class ReceivedRoutes {
  readonly #virtualHosts = new Map<string, VirtualHost[]>();

  add({ name, bytes }: RoutePart): void {
    const opened = deserialize(bytes) as VirtualHost[];
    const before = this.#virtualHosts.get(name);
    if (before === undefined) this.#virtualHosts.set(name, opened);
    else before.push(...opened);
  }

  /** The change as it was before it was split. */
  join(routes: MapDelta<RouteChange>): MapDelta<RouteChange> {
    if (this.#virtualHosts.size === 0) return routes;
    const set = routes.set.map(([name, change]): [string, RouteChange] => {
      const received = this.#virtualHosts.get(name);
      return [name, received === undefined ? change : withVirtualHosts(change, received)];
    });
    this.#virtualHosts.clear();
    return { set, removed: routes.removed };
  }
}

function virtualHostsOf(change: RouteChange): readonly VirtualHost[] {
  return change.kind === 'whole' ? change.config.virtualHosts : change.set;
}

function withVirtualHosts(change: RouteChange, virtualHosts: readonly VirtualHost[]): RouteChange {
  return change.kind === 'whole'
    ? { ...change, config: { ...change.config, virtualHosts } }
    : { ...change, set: virtualHosts };
}

function pack(virtualHosts: readonly VirtualHost[]): Uint8Array<SharedArrayBuffer> {
  const written = serialize(virtualHosts);
  const bytes = new Uint8Array(new SharedArrayBuffer(written.length));
  bytes.set(written);
  return bytes;
}
