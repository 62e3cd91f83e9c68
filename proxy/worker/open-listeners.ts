// The main thread's account of what listens: sockets that were opened ahead for a listener that is to come, and what the
// workers have, so that a change is told to them as what it means for sockets and connections.
//
// Where a successor may ask for the sockets, the main thread keeps a descriptor of each beside those of the workers: a
// number of theirs may stand for a client by the time it is passed on. It is closed when the listener leaves.
//
// It keeps one, too, of an address that a single socket has for itself (`enable_reuse_port: false`, a Unix socket): when its
// listener leaves, workers close theirs later, and until then nobody could listen there anew. As in Envoy, where a new
// listener takes the socket of one that is drained, who comes in that time gets what is kept. It may come before the change
// is placed by which the other one leaves: that is behind a large delta, or behind a cluster that waits for its members.

import { type Address, formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { commonAddress } from '../../config/listening-overlap.ts';
import { isSameData } from '../../config/same-data.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import { duplicate, setReusePort } from '../../native/socket.ts';
import { type InheritSockets, isWanted, type WantedAddress } from '../listener/inherited-sockets.ts';
import { compareListeners, hasSameSockets } from '../listener/listener-change.ts';
import {
  closeAddresses,
  dealSockets,
  isReusePort,
  listenAt,
  type OpenedAddress,
  type OpenFailure,
  openAddresses,
  openMissing,
} from '../listener/listener-opening.ts';
import { makeSharedLimit } from '../listener/shared-limit.ts';
import type { BoundListener, ListenerPlacement } from './messages.ts';

export interface OpenListenersOptions {
  /** What an earlier process has for an address. */
  readonly inherit?: InheritSockets;
  /** For a successor; `stop` is to be called when the process accepts nothing more. */
  readonly keepsSockets?: boolean;
  /** A listener got sockets that it did not have before. They are there for the time of the call. */
  readonly onOpened?: (listener: Listener, opened: readonly OpenedAddress[]) => void;
  /** The process is about to accept no more: whoever keeps a socket of its listeners lets go of it. */
  readonly onStopping?: () => void;
}

export class OpenListeners {
  readonly #workerCount: number;
  readonly #options: OpenListenersOptions;
  readonly #open = new Map<string, OpenListener>();
  readonly #prepared = new Map<string, { readonly config: Listener; readonly opened: readonly OpenedAddress[] }>();
  /**
   * Listeners that left their addresses, until no worker has a socket there, with what is kept of them. Who left last is first:
   * the path of a Unix socket leads to that one.
   */
  readonly #vacated: { readonly config: Listener; readonly opened: readonly OpenedAddress[] }[] = [];
  #stopped: 'none' | 'inbound' | 'all' = 'none';

  constructor(workerCount: number, options: OpenListenersOptions = {}) {
    this.#workerCount = workerCount;
    this.#options = options;
  }

  /** Every address of every listener. */
  bound(): BoundListener[] {
    return [...this.#open].flatMap(([name, { addresses }]) => addresses.map((address) => ({ name, address })));
  }

  /** What is kept of a wanted address; it stays ours. */
  socketsAt(wanted: WantedAddress): readonly number[] {
    const sockets: number[] = [];
    for (const { config, opened } of [...this.#prepared.values(), ...this.#open.values(), ...this.#vacated]) {
      for (const each of opened.filter((address) => isWanted(config, address, wanted))) {
        // Whoever comes to an address of one socket has a duplicate of it.
        if (sockets.length === 0 || isReusePort(config, each.configured)) sockets.push(...each.sockets);
      }
    }
    return sockets;
  }

  /** Opens nothing for these listeners from now on and lets go of what is kept: workers accept nothing there. */
  stop(inboundOnly: boolean): void {
    if (this.#stopped !== 'all') this.#stopped = inboundOnly ? 'inbound' : 'all';
    this.#options.onStopping?.();
    this.closeVacated();
    for (const [name, { config }] of this.#prepared) if (this.#isStopped(config)) this.discard(name);
    for (const [name, open] of this.#open) {
      if (!this.#isStopped(open.config)) continue;
      closeAddresses(open.opened);
      this.#open.set(name, { ...open, opened: [] });
    }
  }

  #isStopped({ trafficDirection }: Listener): boolean {
    return this.#stopped === 'all' || (this.#stopped === 'inbound' && trafficDirection === 'inbound');
  }

  /**
   * Opens the sockets that `place` will need, which take no connections until then. Those that serve a listener
   * with these addresses are not opened again: it is this one, or leaves when this one comes. Whoever else is at one of
   * them is told to leave already. `older` is the state that is to serve until then.
   */
  prepare(config: Listener, older?: Listener): OpenFailure | undefined {
    const { name } = config;
    const conflict = older && this.#conflictBetween(older, config);
    if (conflict !== undefined) return conflict;
    const prepared = this.#prepared.get(name);
    if (prepared !== undefined && hasSameSockets(prepared.config, config)) return undefined;
    this.discard(name);
    for (const open of this.#open.values()) if (hasSameSockets(open.config, config)) return undefined;
    const opened = this.#openAddresses(config);
    if ('reason' in opened) return opened;
    this.#prepared.set(name, { config, opened });
    return undefined;
  }

  /** Closes what was opened ahead and is not wanted any more. */
  discard(name: string): void {
    const prepared = this.#prepared.get(name);
    if (prepared === undefined) return;
    this.#prepared.delete(name);
    closeAddresses(prepared.opened);
  }

  /** Every worker has done what the last `place` says: nobody listens at an address that was left. */
  closeVacated(): void {
    for (const { opened } of this.#vacated.splice(0)) closeAddresses(opened);
  }

  /** What each worker is to do for the listeners of a delta. Those that fail are as they were before. */
  place({ set, removed }: MapDelta<Listener>): ReadonlyMap<string, readonly ListenerPlacement[] | OpenFailure> {
    const leaving: OpenListener[] = [];
    for (const name of removed) {
      this.discard(name);
      const open = this.#open.get(name);
      if (open !== undefined) leaving.push(open);
      this.#open.delete(name);
    }
    const after = new Map(set);
    const placed = new Map(set.map(([name, config]) => [name, this.#place(config, leaving, after)]));
    for (const open of leaving) this.#vacate(open);
    return placed;
  }

  #vacate({ config, opened }: OpenListener): void {
    const isKept = ({ configured }: OpenedAddress): boolean => !isReusePort(config, configured);
    closeAddresses(opened.filter((each) => !isKept(each)));
    this.#vacated.unshift({ config, opened: opened.filter(isKept) });
  }

  #place(
    config: Listener,
    leaving: OpenListener[],
    after: ReadonlyMap<string, Listener>,
  ): readonly ListenerPlacement[] | OpenFailure {
    const open = this.#open.get(config.name);
    const change = open === undefined ? null : compareListeners(open.config, config);
    if (change?.kind === 'filter-chains') return this.#keep(config, open!, change);
    const { connectionLimit } = config;
    const limit = connectionLimit === undefined ? {} : { limit: makeSharedLimit(connectionLimit) };
    const former = change?.kind === 'listener' ? open : takeOneLike(config, leaving);
    if (former !== undefined) {
      return this.#keep(config, former, { kind: 'take-over', from: former.config.name, ...limit });
    }
    const sockets = this.#openSockets(config, after);
    if ('reason' in sockets) return sockets;
    if (open !== undefined) this.#vacate(open);
    this.#open.set(config.name, { config, ...sockets });
    return sockets.descriptors.map((descriptors) => ({ kind: 'open', sockets: { descriptors, ...limit } }));
  }

  #openSockets(config: Listener, after: ReadonlyMap<string, Listener>): OpenSockets | OpenFailure {
    const { onOpened } = this.#options;
    const opened = this.#takePrepared(config) ?? this.#conflictOf(config, after) ?? this.#openAddresses(config);
    if ('reason' in opened) return opened;
    const keepsSockets = this.#options.keepsSockets || opened.some((each) => !isReusePort(config, each.configured));
    openMissing(config, opened, this.#workerCount);
    const descriptors = listenAt(config, opened) ?? dealSockets(opened, this.#workerCount, keepsSockets);
    if ('reason' in descriptors) {
      closeAddresses(opened);
      return descriptors;
    }
    onOpened?.(config, opened);
    const addresses = opened.map(({ bound }) => formatAddress(bound));
    return { addresses, opened: keepsSockets ? opened : [], descriptors };
  }

  #openAddresses(config: Listener): readonly OpenedAddress[] | OpenFailure {
    if (this.#isStopped(config)) return [];
    const { inherit } = this.#options;
    const inheritAny = (wanted: WantedAddress): readonly number[] => {
      const left = this.#takeLeft(wanted);
      return left.length > 0 || inherit === undefined ? left : inherit(wanted);
    };
    const isBesideOne = this.#letBeside(config);
    // Beside sockets that share their port there is room only for one that does.
    if (!config.reusePort && (isBesideOne || this.#isLeftByReusePort(config))) {
      return openAddresses({ ...config, reusePort: true }, 1, inheritAny);
    }
    return openAddresses(config, this.#workerCount, inheritAny);
  }

  /** With what is there when `after` is placed, which the other sockets may serve no more. */
  #conflictOf(config: Listener, after: ReadonlyMap<string, Listener>): OpenFailure | undefined {
    for (const [name, open] of this.#open) {
      const other = name === config.name ? open.config : (after.get(name) ?? open.config);
      const conflict = this.#conflictBetween(other, config);
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  // Where not both share the port (`enable_reuse_port`), the kernel would say only that the address is in use. Envoy refuses
  // such a change of socket options, too.
  #conflictBetween(other: Listener, config: Listener): OpenFailure | undefined {
    if (this.#isStopped(other) || hasSameSockets(other, config)) return undefined;
    const common = other.reusePort && config.reusePort ? undefined : commonAddress(config, other);
    if (common === undefined) return undefined;
    const [address, others] = [formatAddress(common.own), formatAddress(common.others)];
    const place = address === others ? 'there' : `at ${others}`;
    const reason =
      `listener ${other.name} listens ${place} already: unless both have enable_reuse_port, it must be removed in a push ` +
      'before this one, also where only socket options change';
    return { address, reason };
  }

  /** A duplicate of the one socket of who leaves an address: who comes may fail at another one, or not come after all. */
  #takeLeft(wanted: WantedAddress): readonly number[] {
    for (const { config, opened } of this.#vacated) {
      const left = opened.find((each) => isWanted(config, each, wanted));
      if (left !== undefined && (isFixed(wanted.address) || !this.#isTaken(left))) return duplicatesOf(left);
    }
    for (const { config, opened } of [...this.#open.values(), ...this.#prepared.values()]) {
      for (const each of opened) {
        if (isReusePort(config, each.configured) || !isSameData(each.configured, wanted.address)) continue;
        if (!isWanted(config, each, wanted) || !isFixed(wanted.address)) continue;
        return duplicatesOf(each);
      }
    }
    return [];
  }

  /** Whether somebody came to an address that was left: who wants any port gets another one. */
  #isTaken({ bound }: OpenedAddress): boolean {
    const others = [...this.#prepared.values()].flatMap(({ opened }) =>
      opened.map((each) => formatAddress(each.bound)),
    );
    return [...others, ...this.bound().map(({ address }) => address)].includes(formatAddress(bound));
  }

  /**
   * Has single sockets that are still to leave share their port, where they are in the way at another address: 0.0.0.0:80 of one
   * that listens at 10.0.0.1:80, or the other way round.
   */
  #letBeside(config: Listener): boolean {
    let isBesideOne = false;
    for (const { config: other, opened } of this.#mayBeThere()) {
      for (const { bound, sockets } of opened) {
        if (isReusePort(other, bound)) continue;
        const overlap = commonAddress(config, { ...other, address: bound, additionalAddresses: [] });
        if (overlap === undefined || isSameData(overlap.own, bound)) continue;
        for (const socket of sockets) setReusePort(socket);
        isBesideOne = true;
      }
    }
    return isBesideOne;
  }

  #mayBeThere(): readonly Pick<OpenListener, 'config' | 'opened'>[] {
    return [...this.#vacated, ...this.#open.values(), ...this.#prepared.values()];
  }

  #isLeftByReusePort(config: Listener): boolean {
    return this.#mayBeThere().some(
      ({ config: other }) => other.reusePort && commonAddress(config, other) !== undefined,
    );
  }

  #takePrepared(config: Listener): readonly OpenedAddress[] | undefined {
    const prepared = this.#prepared.get(config.name);
    if (prepared === undefined || !hasSameSockets(prepared.config, config)) {
      this.discard(config.name);
      return undefined;
    }
    this.#prepared.delete(config.name);
    return prepared.opened;
  }

  #keep(config: Listener, open: OpenListener, placement: ListenerPlacement): readonly ListenerPlacement[] {
    this.discard(config.name);
    const { addresses, opened } = open;
    this.#open.set(config.name, { config, addresses, opened });
    return new Array<ListenerPlacement>(this.#workerCount).fill(placement);
  }
}

/** A listener whose sockets serve this one; taken out, because they serve one only. */
function takeOneLike(config: Listener, leaving: OpenListener[]): OpenListener | undefined {
  const index = leaving.findIndex((each) => hasSameSockets(each.config, config));
  return index < 0 ? undefined : leaving.splice(index, 1)[0];
}

/** None where the process may have no more descriptors. */
function duplicatesOf({ sockets }: OpenedAddress): readonly number[] {
  return sockets.map(duplicate).filter((descriptor) => descriptor >= 0);
}

/** A Unix socket takes the place of the one before. */
function isFixed(address: Address): boolean {
  return address.kind === 'ip' && address.port !== 0;
}

interface OpenListener {
  readonly config: Listener;
  /** With the ports that the kernel gave. */
  readonly addresses: readonly string[];
  /** What is kept of its sockets: for a successor, or for who comes after it. */
  readonly opened: readonly OpenedAddress[];
}

interface OpenSockets extends Omit<OpenListener, 'config'> {
  /** By worker. */
  readonly descriptors: readonly (readonly number[])[];
}
