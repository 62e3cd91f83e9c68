// The listener filters of one listener that look at bytes, in their order, and the connections that wait for them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/listener_filters
//
// What is kept of a waiting connection is an object without buffers; how many there may be is bounded by the limits of
// connections, which count them from the accept, and how long by `listener_filters_timeout`.

import type { Address } from '../../config/address.ts';
import type { InspectorFilter, Listener } from '../../config/listener.ts';
import { localAddress } from '../../native/socket.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { httpInspectorStats, proxyProtocolStats, tlsInspectorStats } from '../telemetry/listener-filter-stats.ts';
import { listenerStats } from '../telemetry/listener-stats.ts';
import type { StatBlock, StatSet } from '../telemetry/stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { compileFilterPredicate, type PortPredicate } from './filter-predicate.ts';
import { HttpInspector } from './http-inspector.ts';
import { type ConnectionFindings, type Inspector, nothingFound } from './listener-filter.ts';
import { ProxyProtocol } from './proxy-protocol.ts';
import type { Speculation } from './speculation.ts';
import { TlsInspector } from './tls-inspector.ts';
import { WaitingConnection, type WaitingEnd, type WaitingOwner } from './waiting-connection.ts';

export interface ListenerFiltersOptions {
  readonly reactor: Reactor;
  readonly stats: WorkerStats;
  /** A block of `listenerStats`. */
  readonly listenerStats: StatBlock;
  /** Filters are done with a connection, which the owner has again. */
  readonly onInspected: (connection: InspectedConnection) => void;
  /** For a client that is silent; null where its server is never to speak first. */
  readonly speculate: (connection: WaitingConnection) => Speculation | null;
  /** A connection ended before; its descriptor is closed when this returns. */
  readonly onDropped: (connection: WaitingConnection) => void;
}

/** What is known of a connection when its filters are done. */
export interface InspectedConnection {
  readonly descriptor: number;
  /** Before redirection, when there was one. */
  readonly original: Address | undefined;
  readonly found: Readonly<ConnectionFindings>;
  /** To be claimed; null when nothing was begun. */
  readonly speculation: Speculation | null;
}

/** Null when no filter waits for bytes. */
export function compileListenerFilters(config: Listener, options: ListenerFiltersOptions): ListenerFilters | null {
  const waits = config.listenerFilters.some(({ kind }) => kind !== 'original-dst');
  return waits ? new ListenerFilters(config, options) : null;
}

interface CompiledFilter {
  readonly inspector: Inspector;
  readonly isDisabled: PortPredicate | null;
  /** Whether the port it is asked about is that of the original destination. */
  readonly isAfterOriginal: boolean;
}

export class ListenerFilters implements WaitingOwner {
  readonly reactor: Reactor;
  readonly timeoutMs: number;
  readonly continuesOnTimeout: boolean;
  readonly #options: ListenerFiltersOptions;
  readonly #filters: readonly CompiledFilter[];
  readonly #inspectors: readonly Inspector[];
  readonly #hasPredicates: boolean;
  readonly #waiting = new Set<WaitingConnection>();
  /** What is released at the end. */
  readonly #blocks: StatBlock[] = [];

  constructor(config: Listener, options: ListenerFiltersOptions) {
    this.reactor = options.reactor;
    this.timeoutMs = config.listenerFiltersTimeoutMs;
    this.continuesOnTimeout = config.continueOnListenerFiltersTimeout;
    this.#options = options;
    this.#filters = this.#compile(config);
    this.#inspectors = this.#filters.map(({ inspector }) => inspector);
    this.#hasPredicates = this.#filters.some(({ isDisabled }) => isDisabled !== null);
  }

  #compile({ listenerFilters, useOriginalDst }: Listener): readonly CompiledFilter[] {
    const compiled: CompiledFilter[] = [];
    let isAfterOriginal = useOriginalDst;
    for (const filter of listenerFilters) {
      if (filter.kind === 'original-dst') {
        isAfterOriginal = true;
        continue;
      }
      const isDisabled = filter.disabledFor === undefined ? null : compileFilterPredicate(filter.disabledFor);
      compiled.push({ inspector: this.#inspector(filter), isDisabled, isAfterOriginal });
    }
    return compiled;
  }

  #inspector(filter: InspectorFilter): Inspector {
    switch (filter.kind) {
      case 'tls-inspector':
        return new TlsInspector(filter, this.#block(tlsInspectorStats));
      case 'http-inspector':
        return new HttpInspector(this.#block(httpInspectorStats));
      case 'proxy-protocol':
        return new ProxyProtocol(filter, this.#block(proxyProtocolStats));
    }
  }

  #block(set: StatSet): StatBlock {
    const block = this.#options.stats.block(set);
    this.#blocks.push(block);
    return block;
  }

  /** Owns the descriptor until `onInspected`, which may be called at once, or `onDropped`. */
  inspect(descriptor: number, original: Address | undefined): void {
    const inspectors = this.#hasPredicates ? this.#enabledFor(descriptor, original) : this.#inspectors;
    if (inspectors.length === 0) {
      this.#options.onInspected({ descriptor, original, found: nothingFound, speculation: null });
      return;
    }
    const connection = new WaitingConnection(this, descriptor, { original, inspectors });
    this.#waiting.add(connection);
    this.#options.listenerStats.inc(listenerStats.downstreamPreCxActive);
    connection.begin();
  }

  #enabledFor(descriptor: number, original: Address | undefined): readonly Inspector[] {
    const own = portOf(localAddress(descriptor, true));
    const headedTo = original === undefined ? own : portOf(original);
    const enabled: Inspector[] = [];
    for (const { inspector, isDisabled, isAfterOriginal } of this.#filters) {
      if (isDisabled === null || !isDisabled(isAfterOriginal ? headedTo : own)) enabled.push(inspector);
    }
    return enabled;
  }

  onTimeout(): void {
    this.#options.listenerStats.inc(listenerStats.downstreamPreCxTimeout);
  }

  onInspected(connection: WaitingConnection): void {
    this.#remove(connection);
    this.#options.onInspected(connection);
  }

  speculate(connection: WaitingConnection): Speculation | null {
    return this.#options.speculate(connection);
  }

  onWaitingEnd(connection: WaitingConnection, end: WaitingEnd): void {
    this.#remove(connection);
    if (end === 'error') this.#options.listenerStats.inc(listenerStats.downstreamListenerFilterError);
    if (end === 'remote-close') this.#options.listenerStats.inc(listenerStats.downstreamListenerFilterRemoteClose);
    this.#options.onDropped(connection);
  }

  #remove(connection: WaitingConnection): void {
    this.#waiting.delete(connection);
    this.#options.listenerStats.dec(listenerStats.downstreamPreCxActive);
  }

  /** Clients that have sent nothing are let go, as idle ones are; the others go on. */
  drain(): void {
    for (const connection of [...this.#waiting]) connection.closeIfSilent();
  }

  /** The drain time is over. */
  close(): void {
    for (const connection of [...this.#waiting]) connection.close();
  }

  /** No connection waits any more: its stats may disappear. */
  release(): void {
    for (const block of this.#blocks) this.#options.stats.release(block);
  }
}

function portOf(address: Address | undefined): number {
  return address?.kind === 'ip' ? address.port : 0;
}
