// The main thread's account of what listens: sockets that were opened ahead for a listener that is to come, and what the
// workers have, so that a change is told to them as what it means for sockets and connections.

import type { Listener } from '../../config/listener.ts';
import { close } from '../../native/socket.ts';
import { compareListeners, hasSameSockets } from '../listener/listener-change.ts';
import { type OpenedListener, type OpenFailure, openListener } from '../listener/listener-opening.ts';
import { makeSharedLimit } from '../listener/shared-limit.ts';
import type { BoundListener, ListenerPlacement } from './messages.ts';

export class OpenListeners {
  readonly #workerCount: number;
  /** Addresses are with the ports that the kernel gave. */
  readonly #open = new Map<string, { readonly config: Listener; readonly addresses: readonly string[] }>();
  readonly #prepared = new Map<string, { readonly config: Listener; readonly opened: OpenedListener }>();

  constructor(workerCount: number) {
    this.#workerCount = workerCount;
  }

  /** Every address of every listener. */
  bound(): BoundListener[] {
    return [...this.#open].flatMap(([name, { addresses }]) => addresses.map((address) => ({ name, address })));
  }

  /** Opens the sockets that `place` will need. Connections wait in their backlog until then. */
  prepare(config: Listener): OpenFailure | undefined {
    const { name } = config;
    const prepared = this.#prepared.get(name);
    if (prepared !== undefined && hasSameSockets(prepared.config, config)) return undefined;
    this.discard(name);
    const open = this.#open.get(name);
    if (open !== undefined && hasSameSockets(open.config, config)) return undefined;
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

  /** What each worker is to do for a listener that is new or changed. After a failure the one before goes on. */
  place(config: Listener): readonly ListenerPlacement[] | OpenFailure {
    const { name } = config;
    const limit = config.connectionLimit === undefined ? {} : { limit: makeSharedLimit(config.connectionLimit) };
    const open = this.#open.get(name);
    const change = open === undefined ? null : compareListeners(open.config, config);
    if (open === undefined || change === null || change.kind === 'sockets') {
      const opened = this.#take(config);
      if ('reason' in opened) return opened;
      this.#open.set(name, { config, addresses: opened.addresses });
      return opened.descriptors.map((descriptors) => ({ kind: 'open', sockets: { descriptors, ...limit } }));
    }
    this.discard(name);
    this.#open.set(name, { config, addresses: open.addresses });
    const placement: ListenerPlacement = change.kind === 'listener' ? { kind: 'take-over', ...limit } : change;
    return new Array<ListenerPlacement>(this.#workerCount).fill(placement);
  }

  /** The workers close its sockets. */
  remove(name: string): void {
    this.discard(name);
    this.#open.delete(name);
  }

  #take(config: Listener): OpenedListener | OpenFailure {
    const failure = this.prepare(config);
    if (failure !== undefined) return failure;
    const { opened } = this.#prepared.get(config.name)!;
    this.#prepared.delete(config.name);
    return opened;
  }
}
