// A listener at work in one worker: its sockets, the choice of a filter chain for each connection, and the start of the
// chain's terminal filter.

import type { AccessLog } from '../../config/access-log.ts';
import { type Address, formatAddress } from '../../config/address.ts';
import type { FilterChain, Listener } from '../../config/listener.ts';
import { describeErrno } from '../../native/errno.ts';
import { close, originalDestination } from '../../native/socket.ts';
import { TcpProxyFilter } from '../filter/tcp-proxy.ts';
import { type ConnectionFacts, ConnectionManager, type HttpContext } from '../http/connection-manager.ts';
import { Http1ServerConnection } from '../http/http1/server-connection.ts';
import { adoptDescriptor, type Connection } from '../reactor/connection.ts';
import { ListeningSocket } from '../reactor/listening-socket.ts';
import type { AccessLogger } from '../telemetry/access-log.ts';
import { httpStats, listenerHttpStats } from '../telemetry/http-stats.ts';
import { listenerStats } from '../telemetry/listener-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { tcpStats } from '../telemetry/tcp-stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { type ChainMatcher, compileFilterChainMatch } from './filter-chain-match.ts';

export interface ListenerContext {
  readonly http: HttpContext;
  readonly stats: WorkerStats;
  readonly compileAccessLogs: (logs: readonly AccessLog[]) => readonly AccessLogger[];
  /** The listener bound to this address, for `use_original_dst`. */
  readonly findListener: (address: Address) => ListenerRuntime | null;
  nextConnectionId: number;
}

/** A filter chain made ready on its first connection. */
interface CompiledChain {
  readonly config: FilterChain;
  readonly manager: ConnectionManager | null;
  readonly tcp: TcpProxyFilter | null;
}

export class ListenerRuntime {
  readonly config: Listener;
  readonly #context: ListenerContext;
  readonly #statName: string;
  readonly #stats: StatBlock;
  readonly #matcher: ChainMatcher;
  readonly #chains = new Map<FilterChain, CompiledChain>();
  #sockets: ListeningSocket[] = [];
  #open = 0;
  #isDraining = false;

  constructor(config: Listener, context: ListenerContext) {
    this.config = config;
    this.#context = context;
    this.#statName = config.statPrefix === '' ? formatAddress(config.address).replaceAll(':', '_') : config.statPrefix;
    this.#stats = context.stats.block(listenerStats, this.#statName);
    this.#matcher = compileFilterChainMatch(config.filterChains, config.defaultFilterChain);
  }

  /** Opens the sockets. Returns the addresses bound, or what went wrong. */
  open(): { readonly bound: readonly string[]; readonly failure: string | null } {
    const bound: string[] = [];
    if (!this.config.bindToPort) return { bound, failure: null };
    for (const address of [this.config.address, ...this.config.additionalAddresses]) {
      const socket = ListeningSocket.open(
        this.#context.http.reactor,
        address,
        {
          backlog: this.config.backlog,
          reusePort: this.config.reusePort && address.kind === 'ip',
          ipv4Compatible: this.config.ipv4Compatible,
          transparent: this.config.transparent,
          freebind: this.config.freebind,
          maxAcceptsPerTurn: this.config.maxConnectionsToAcceptPerTurn,
        },
        this,
      );
      if (typeof socket === 'number') return { bound, failure: `${formatAddress(address)}: ${describeErrno(-socket)}` };
      this.#sockets.push(socket);
      const local = socket.localAddress();
      if (local !== undefined) bound.push(formatAddress(local));
    }
    return { bound, failure: null };
  }

  /** A connection arrived at one of our sockets. */
  onAccept(descriptor: number): void {
    const { connectionLimit } = this.config;
    if (connectionLimit !== undefined && this.#open >= connectionLimit) {
      this.#stats.inc(listenerStats.downstreamCxOverflow);
      close(descriptor);
      return;
    }
    this.accept(descriptor);
  }

  onAcceptError(_errno: number): void {
    this.#stats.inc(listenerStats.downstreamGlobalCxOverflow);
  }

  /** Listener filters, hand-over by original destination, filter chain match, terminal filter. */
  accept(descriptor: number): void {
    const { config } = this;
    const wantsOriginal = config.useOriginalDst || config.listenerFilters.length > 0;
    const original = wantsOriginal ? originalDestination(descriptor) : undefined;
    if (config.useOriginalDst && original !== undefined) {
      const other = this.#context.findListener(original);
      if (other !== null && other !== this) {
        other.accept(descriptor);
        return;
      }
    }
    this.#stats.inc(listenerStats.downstreamCxTotal);
    this.#stats.inc(listenerStats.downstreamCxActive);
    this.#open++;
    const connection = adoptDescriptor(this.#context.http.reactor, descriptor, pendingHandler, {
      maxKeptBytes: keptBytesFor(config),
    });
    const facts = this.#factsOf(connection, original);
    const local = original ?? connection.localAddress();
    const chain = this.#matcher.match({
      destinationIp: local?.kind === 'ip' ? local.ip : '',
      destinationPort: local?.kind === 'ip' ? local.port : 0,
      serverName: '',
      transportProtocol: 'raw_buffer',
      applicationProtocols: [],
      directSourceIp: facts.remoteIp,
      sourceIp: facts.remoteIp,
      sourcePort: portOf(facts.remoteAddress),
    });
    if (chain === null) {
      this.#stats.inc(listenerStats.noFilterChainMatch);
      this.onConnectionGone();
      connection.close();
      return;
    }
    this.#start(this.#compile(chain), connection, { ...facts, filterChainName: chain.name });
  }

  #factsOf(connection: Connection, original: Address | undefined): ConnectionFacts {
    const remote = connection.remoteAddress();
    const local = original ?? connection.localAddress();
    const remoteIp = remote?.kind === 'ip' ? remote.ip : '';
    return {
      connectionId: this.#context.nextConnectionId++,
      remoteAddress: remote === undefined ? '' : formatAddress(remote),
      remoteIp,
      isLoopbackPeer: remoteIp.startsWith('127.') || remoteIp === '::1',
      localAddress: local === undefined ? '' : formatAddress(local),
      localPort: local?.kind === 'ip' ? local.port : 0,
      listenerName: this.config.name,
      filterChainName: '',
      bufferLimitBytes: this.config.perConnectionBufferLimitBytes,
      originalDestination: original === undefined ? undefined : formatAddress(original),
    };
  }

  #start(chain: CompiledChain, connection: Connection, facts: ConnectionFacts): void {
    if (chain.manager !== null) {
      connection.handler = new Http1ServerConnection(connection, chain.manager, facts, this);
    } else {
      chain.tcp!.start(connection, facts, this);
    }
  }

  /** A connection of this listener has closed. */
  onConnectionGone(): void {
    this.#open--;
    this.#stats.dec(listenerStats.downstreamCxActive);
    this.#stats.inc(listenerStats.downstreamCxDestroy);
  }

  #compile(config: FilterChain): CompiledChain {
    const existing = this.#chains.get(config);
    if (existing !== undefined) return existing;
    const terminal = config.filters[config.filters.length - 1]!;
    const { http, stats, compileAccessLogs } = this.#context;
    const chain: CompiledChain =
      terminal.kind === 'http-connection-manager'
        ? {
            config,
            tcp: null,
            manager: new ConnectionManager({
              config: terminal.config,
              context: http,
              stats: stats.block(httpStats, terminal.config.statPrefix),
              listenerStats: stats.block(listenerHttpStats, this.#statName, terminal.config.statPrefix),
              accessLoggers: compileAccessLogs(terminal.config.accessLogs),
            }),
          }
        : {
            config,
            manager: null,
            tcp: new TcpProxyFilter({
              config: terminal.config,
              context: http,
              stats: stats.block(tcpStats, terminal.config.statPrefix),
              accessLoggers: compileAccessLogs(terminal.config.accessLogs),
            }),
          };
    this.#chains.set(config, chain);
    return chain;
  }

  get openConnections(): number {
    return this.#open;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** No new connections. */
  stopAccepting(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }

  /** Idle HTTP connections close, busy ones after their response. TCP connections run until the drain time is over. */
  drain(): void {
    this.#isDraining = true;
    for (const chain of this.#chains.values()) chain.manager?.drain();
  }
}

// A request head may be larger than what is kept by default; it is parsed whole.
function keptBytesFor(config: Listener): number {
  let largest = 0;
  for (const chain of [
    ...config.filterChains,
    ...(config.defaultFilterChain === undefined ? [] : [config.defaultFilterChain]),
  ]) {
    for (const filter of chain.filters) {
      if (filter.kind === 'http-connection-manager')
        largest = Math.max(largest, filter.config.maxRequestHeadersKb * 1024);
    }
  }
  return 128 * 1024 + largest;
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1)) || 0;
}

// Between adoption and the choice of a filter chain no event can arrive: both happen in one callback.
const pendingHandler = {
  onConnected(): void {},
  onData: (): number => 0,
  onEnd(): void {},
  onDrained(): void {},
  onClosed(): void {},
};
