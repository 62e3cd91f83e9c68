// The main thread's account of what listens: sockets that were opened ahead for a listener that is to come, and what the
// workers have, so that a change is told to them as what it means for sockets and connections.

import type { Listener } from '../../config/listener.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import { close } from '../../native/socket.ts';
import { compareListeners, hasSameSockets } from '../listener/listener-change.ts';
import { type OpenedListener, type OpenFailure, openListener } from '../listener/listener-opening.ts';
import { makeSharedLimit } from '../listener/shared-limit.ts';
import type { BoundListener, ListenerPlacement } from './messages.ts';

export class OpenListeners {
  readonly #workerCount: number;
  readonly #open = new Map<string, OpenListener>();
  readonly #prepared = new Map<string, { readonly config: Listener; readonly opened: OpenedListener }>();

  constructor(workerCount: number) {
    this.#workerCount = workerCount;
  }

  /** Every address of every listener. */
  bound(): BoundListener[] {
    return [...this.#open].flatMap(([name, { addresses }]) => addresses.map((address) => ({ name, address })));
  }

  /**
   * Opens the sockets that `place` will need; connections wait in their backlog until then. Those that serve a listener
   * with these addresses are not opened again: it is this one, or leaves when this one comes.
   */
  prepare(config: Listener): OpenFailure | undefined {
    const { name } = config;
    const prepared = this.#prepared.get(name);
    if (prepared !== undefined && hasSameSockets(prepared.config, config)) return undefined;
    this.discard(name);
    for (const open of this.#open.values()) if (hasSameSockets(open.config, config)) return undefined;
    const opened = openListener(config, this.#workerCount);
    if ('reason' in opened) return opened;
    this.#prepared.set(name, { config, opened });
    return undefined;
  }

  /** Closes what was opened ahead and is not wanted any more. */
  discard(name: string): void {
    const prepared = this.#prepared.get(name);
    if (prepared === undefined) return;
    this.#prepared.delete(name);
    for (const descriptor of prepared.opened.descriptors.flat()) close(descriptor);
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
    return new Map(set.map(([name, config]) => [name, this.#place(config, leaving)]));
  }

  #place(config: Listener, leaving: OpenListener[]): readonly ListenerPlacement[] | OpenFailure {
    const open = this.#open.get(config.name);
    const change = open === undefined ? null : compareListeners(open.config, config);
    if (change?.kind === 'filter-chains') return this.#keep(config, open!, change);
    const { connectionLimit } = config;
    const limit = connectionLimit === undefined ? {} : { limit: makeSharedLimit(connectionLimit) };
    const former = change?.kind === 'listener' ? open : takeOneLike(config, leaving);
    if (former !== undefined) {
      return this.#keep(config, former, { kind: 'take-over', from: former.config.name, ...limit });
    }
    const opened = this.#takePrepared(config) ?? openListener(config, this.#workerCount);
    if ('reason' in opened) return opened;
    this.#open.set(config.name, { config, addresses: opened.addresses });
    return opened.descriptors.map((descriptors) => ({ kind: 'open', sockets: { descriptors, ...limit } }));
  }

  #takePrepared(config: Listener): OpenedListener | undefined {
    const prepared = this.#prepared.get(config.name);
    if (prepared === undefined || !hasSameSockets(prepared.config, config)) {
      this.discard(config.name);
      return undefined;
    }
    this.#prepared.delete(config.name);
    return prepared.opened;
  }

  #keep(config: Listener, { addresses }: OpenListener, placement: ListenerPlacement): readonly ListenerPlacement[] {
    this.discard(config.name);
    this.#open.set(config.name, { config, addresses });
    return new Array<ListenerPlacement>(this.#workerCount).fill(placement);
  }
}

/** A listener whose sockets serve this one; taken out, because they serve one only. */
function takeOneLike(config: Listener, leaving: OpenListener[]): OpenListener | undefined {
  const index = leaving.findIndex((each) => hasSameSockets(each.config, config));
  return index < 0 ? undefined : leaving.splice(index, 1)[0];
}

interface OpenListener {
  readonly config: Listener;
  /** With the ports that the kernel gave. */
  readonly addresses: readonly string[];
}
