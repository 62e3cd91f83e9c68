// The route tables of a worker that connection managers find by name (RDS), kept up to date by snapshot deltas. A change
// replaces one reference in each manager that uses the name: no request looks a name up, a request under way keeps the
// route it has, and neither connections nor listeners hear of it.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/rds

import type { RouteConfiguration } from '../../config/route.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import { changeVirtualHosts, type RouteChange } from './route-change.ts';
import type { CompileContext } from './route-compiler.ts';
import { compileRouteTable, type RouteTable } from './route-table.ts';

export interface RouteTableUser {
  setRoutes(table: RouteTable): void;
}

export class RouteTables {
  readonly #configs = new Map<string, RouteConfiguration>();
  /** By name: what is in use, one for each way in which it is compiled. */
  readonly #inUse = new Map<string, SharedTable[]>();

  /** Applies a delta between two events of the reactor. */
  apply(delta: MapDelta<RouteChange>): void {
    for (const name of delta.removed) {
      this.#configs.delete(name);
      this.#replace(name);
    }
    for (const [name, change] of delta.set) {
      if (change.kind === 'virtual-hosts') {
        this.#update(name, change);
      } else {
        this.#configs.set(name, change.config);
        this.#replace(name);
      }
    }
  }

  /** The table of now, without a route while there is none; `user` is told of every later one until `release`. */
  use(name: string, user: RouteTableUser, context: CompileContext): RouteTable {
    const tables = this.#inUse.get(name) ?? [];
    this.#inUse.set(name, tables);
    let shared = tables.find((each) => isSame(each.context, context));
    if (shared === undefined) {
      shared = { context, users: new Set(), table: this.#compile(name, context) };
      tables.push(shared);
    }
    shared.users.add(user);
    return shared.table;
  }

  release(name: string, user: RouteTableUser): void {
    const used = (this.#inUse.get(name) ?? []).filter(({ users }) => !users.delete(user) || users.size > 0);
    if (used.length === 0) this.#inUse.delete(name);
    else this.#inUse.set(name, used);
  }

  #replace(name: string): void {
    for (const shared of this.#inUse.get(name) ?? []) {
      shared.table = this.#compile(name, shared.context);
      for (const user of shared.users) user.setRoutes(shared.table);
    }
  }

  // In place: nothing of a table is read in the middle of this, and its users have it already.
  #update(name: string, change: Extract<RouteChange, { kind: 'virtual-hosts' }>): void {
    const before = this.#configs.get(name)!;
    const config = changeVirtualHosts(before, change);
    this.#configs.set(name, config);
    const changed = new Set(change.removed);
    for (const virtualHost of change.set) changed.add(virtualHost.name);
    const removed = before.virtualHosts.filter((each) => changed.has(each.name));
    for (const { table } of this.#inUse.get(name) ?? []) table.update(config, removed, change.set);
  }

  #compile(name: string, context: CompileContext): RouteTable {
    return compileRouteTable(this.#configs.get(name) ?? { ...noRoutes, name }, context);
  }
}

interface SharedTable {
  readonly context: CompileContext;
  readonly users: Set<RouteTableUser>;
  table: RouteTable;
}

function isSame(one: CompileContext, other: CompileContext): boolean {
  return one.suppressEnvoyHeaders === other.suppressEnvoyHeaders && one.corsFilter === other.corsFilter;
}

const noRoutes: Omit<RouteConfiguration, 'name'> = {
  virtualHosts: [],
  headers: { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] },
  internalOnlyHeaders: [],
  mostSpecificHeaderMutationsWins: false,
  ignorePortInHostMatching: false,
  maxDirectResponseBodyBytes: 0,
};
