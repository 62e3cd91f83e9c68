// A socket that accepts connections, a bounded number a turn. When the process has no descriptor left, accepting stops
// for a moment: the connection stays in the backlog and a level-triggered event for it would spin.

import type { Address, KeepAlive } from '../../config/address.ts';
import { EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import {
  accept,
  bind,
  close,
  createSocket,
  listen,
  localAddress,
  setFreebind,
  setIpv6Only,
  setKeepAlive,
  setNoDelay,
  setReuseAddress,
  setReusePort,
  setTransparent,
} from '../../native/socket.ts';
import { addressFamily } from '../../native/socket-address.ts';
import { bindPipe } from './pipe-file.ts';
import type { EventSource, Reactor } from './reactor.ts';
import { Timer } from './timer-wheel.ts';

/** Connections that the kernel holds until they are accepted, when nobody says how many. */
const DEFAULT_BACKLOG = 1024;

export interface ListeningSocketOptions {
  /** Connections the kernel holds until they are accepted; 1,024 when left out. */
  readonly backlog?: number | undefined;
  /** Several sockets (one a worker) share the address, and the kernel deals connections out to them. */
  readonly reusePort?: boolean | undefined;
  /** An IPv6 address accepts IPv4 peers too. */
  readonly ipv4Compatible?: boolean | undefined;
  /** Accepts connections to addresses that are not this machine's (TPROXY). Needs CAP_NET_ADMIN. */
  readonly transparent?: boolean | undefined;
  readonly freebind?: boolean | undefined;
  /** Probes of idle connections; accepted sockets inherit them. */
  readonly keepAlive?: KeepAlive | undefined;
  /** 64 when left out. */
  readonly maxAcceptsPerTurn?: number | undefined;
}

export interface ListeningSocketHandler {
  /** A connection: the handler owns `fd` (non-blocking, TCP_NODELAY set) and must adopt or close it. */
  onAccept(fd: number): void;
  /** How many connections one event brought, after `onAccept` of each. */
  onAccepted(count: number): void;
  /** Accepting failed with this errno (positive), such as EMFILE, and is tried again after a pause. */
  onAcceptError(errno: number): void;
}

/** A socket that listens on `address`, for `ListeningSocket.adopt` in any thread; or a negated errno such as -EADDRINUSE. */
export function openListeningDescriptor(address: Address, options: ListeningSocketOptions): number {
  const fd = openBoundDescriptor(address, options);
  if (fd < 0) return fd;
  const result = startListening(fd, options);
  if (result >= 0) return fd;
  close(fd);
  return result;
}

/** A socket that has `address` and takes no connections yet, or a negated errno. */
export function openBoundDescriptor(address: Address, options: ListeningSocketOptions): number {
  const fd = createSocket(addressFamily(address));
  if (fd < 0) return fd;
  const result = prepare(fd, address, options);
  if (result >= 0) return fd;
  close(fd);
  return result;
}

/** Of a socket that listens already this changes the length of the backlog (listen(2)). Returns 0 or a negated errno. */
export function startListening(fd: number, { backlog }: Pick<ListeningSocketOptions, 'backlog'>): number {
  return listen(fd, backlog ?? DEFAULT_BACKLOG);
}

export class ListeningSocket implements EventSource {
  readonly #reactor: Reactor;
  readonly #fd: number;
  #handler: ListeningSocketHandler;
  #maxAcceptsPerTurn: number;
  readonly #retryTimer = new Timer(() => this.#updateInterest());
  #isPaused = false;
  #isClosed = false;

  /** Listens on `address`, or returns a negated errno such as -EADDRINUSE. */
  static open(
    reactor: Reactor,
    address: Address,
    options: ListeningSocketOptions,
    handler: ListeningSocketHandler,
  ): ListeningSocket | number {
    const fd = openListeningDescriptor(address, options);
    return fd < 0 ? fd : ListeningSocket.adopt(reactor, fd, options, handler);
  }

  /** Accepts from `fd`, which listens already (a duplicate of another's, or inherited), and owns it from now on. */
  static adopt(
    reactor: Reactor,
    fd: number,
    options: ListeningSocketOptions,
    handler: ListeningSocketHandler,
  ): ListeningSocket | number {
    const socket = new ListeningSocket(reactor, fd, options, handler);
    const result = reactor.register(fd, EpollEvent.readable, socket);
    if (result >= 0) return socket;
    close(fd);
    return result;
  }

  private constructor(reactor: Reactor, fd: number, options: ListeningSocketOptions, handler: ListeningSocketHandler) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.#handler = handler;
    this.#maxAcceptsPerTurn = options.maxAcceptsPerTurn ?? DEFAULT_MAX_ACCEPTS_PER_TURN;
  }

  /** With the port that the kernel chose, when 0 was asked for. */
  localAddress(): Address | undefined {
    return this.#isClosed ? undefined : localAddress(this.#fd);
  }

  /** Connections go to another handler from now on, those that wait in the backlog too. */
  handOver(
    handler: ListeningSocketHandler,
    options: Pick<ListeningSocketOptions, 'backlog' | 'maxAcceptsPerTurn'>,
  ): void {
    this.#handler = handler;
    this.#maxAcceptsPerTurn = options.maxAcceptsPerTurn ?? DEFAULT_MAX_ACCEPTS_PER_TURN;
    // It listens already, so that this cannot fail.
    startListening(this.#fd, options);
  }

  /** For handing the socket to a successor; it stays this object's. */
  get fd(): number {
    return this.#fd;
  }

  /** Leaves new connections in the backlog. */
  pause(): void {
    this.#isPaused = true;
    this.#updateInterest();
  }

  resume(): void {
    this.#isPaused = false;
    this.#updateInterest();
  }

  /** Connections that were not accepted are reset by the kernel. A Unix socket's file stays. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reactor.timers.cancel(this.#retryTimer);
    // Not `forget`: a duplicate that a successor holds keeps the socket in this epoll set.
    this.#reactor.unregister(this.#fd);
    close(this.#fd);
  }

  /** For the reactor. */
  onEvents(): void {
    let accepted = 0;
    while (accepted < this.#maxAcceptsPerTurn && !this.#isPaused && !this.#isClosed) {
      const fd = accept(this.#fd);
      if (fd < 0) {
        if (!isPassing(-fd)) this.#onAcceptError(-fd);
        break;
      }
      accepted++;
      this.#handler.onAccept(fd);
    }
    if (accepted > 0) this.#handler.onAccepted(accepted);
  }

  #onAcceptError(errno: number): void {
    this.#reactor.timers.schedule(this.#retryTimer, ACCEPT_RETRY_MS);
    this.#updateInterest();
    this.#handler.onAcceptError(errno);
  }

  #updateInterest(): void {
    if (this.#isClosed) return;
    const isAccepting = !this.#isPaused && !this.#retryTimer.isArmed;
    this.#reactor.modify(this.#fd, isAccepting ? EpollEvent.readable : 0);
  }
}

/** The backlog is empty, or a connection in it went away or failed before it was accepted (accept(2)). */
function isPassing(errno: number): boolean {
  return errno === Errno.EAGAIN || errno === Errno.ECONNABORTED || errno === Errno.EINTR || errno === Errno.EPROTO;
}

function prepare(fd: number, address: Address, options: ListeningSocketOptions): number {
  const family = addressFamily(address);
  if (address.kind === 'pipe') return bindPipe(fd, address);
  let result = setReuseAddress(fd);
  if (result >= 0 && options.reusePort) result = setReusePort(fd);
  if (result >= 0 && address.ip.includes(':')) result = setIpv6Only(fd, !options.ipv4Compatible);
  if (result >= 0 && options.transparent) result = setTransparent(fd, family);
  if (result >= 0 && options.freebind) result = setFreebind(fd, family);
  // Accepted sockets inherit it: a system call a connection saved.
  if (result >= 0) result = setNoDelay(fd, true);
  if (result >= 0 && options.keepAlive !== undefined) result = setKeepAlive(fd, options.keepAlive);
  return result < 0 ? result : bind(fd, address);
}

const DEFAULT_MAX_ACCEPTS_PER_TURN = 64;
/** Long enough not to spin, short enough to serve as soon as a few connections have ended. */
const ACCEPT_RETRY_MS = 100;
