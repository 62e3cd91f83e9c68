// A connection whose listener filters wait for its first bytes. It has no handler, codec or buffer yet: the bytes stay in
// the kernel, which has room for all that is ever inspected (a test says so), and are looked at (MSG_PEEK) in the worker's
// receive buffer each time more have come. Events are edge-triggered, or bytes that are left unread would be reported
// for ever.

import type { Address } from '../../config/address.ts';
import { EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import { close, peek, receive } from '../../native/socket.ts';
import type { EventSource, Reactor } from '../reactor/reactor.ts';
import { Timer } from '../reactor/timer-wheel.ts';
import {
  type ConnectionFindings,
  type Inspection,
  type Inspector,
  MAX_INSPECTED_BYTES,
  Verdict,
} from './listener-filter.ts';
import type { Speculation } from './speculation.ts';

/** How waiting ended without a connection. */
export type WaitingEnd = 'timeout' | 'error' | 'remote-close' | 'refused' | 'local-close';

export interface WaitingOwner {
  readonly reactor: Reactor;
  /** 0 is none. */
  readonly timeoutMs: number;
  readonly continuesOnTimeout: boolean;
  onTimeout(): void;
  /** Asked when the client is silent: what may find out that the server is to speak first. */
  speculate(connection: WaitingConnection): Speculation | null;
  /** All filters are done; the descriptor is the owner's again. */
  onInspected(connection: WaitingConnection): void;
  /** The descriptor is closed when this returns. */
  onWaitingEnd(connection: WaitingConnection, end: WaitingEnd): void;
}

export class WaitingConnection implements EventSource, Inspection {
  readonly descriptor: number;
  readonly original: Address | undefined;
  readonly startedAtMs: number;
  readonly found: ConnectionFindings = { transportProtocol: '', serverName: '', applicationProtocols: [] };
  readonly bytes: Buffer;
  end = 0;
  seen = 0;
  taken = 0;
  readonly #owner: WaitingOwner;
  readonly #inspectors: readonly Inspector[];
  #current = 0;
  #speculation: Speculation | null = null;
  #isRegistered = false;
  #timer: Timer | undefined;

  constructor(owner: WaitingOwner, descriptor: number, origin: ConnectionOrigin) {
    this.#owner = owner;
    this.#inspectors = origin.inspectors;
    this.descriptor = descriptor;
    this.original = origin.original;
    this.startedAtMs = owner.reactor.nowMs;
    this.bytes = owner.reactor.receiveBuffer.bytes;
  }

  /** First call, once. The client's first bytes are often here already, and then nothing is waited for. */
  begin(): void {
    this.#look(false);
  }

  /** For the reactor. */
  onEvents(events: number): void {
    if ((events & EpollEvent.error) !== 0) this.#close('error');
    else this.#look((events & (EpollEvent.peerEnded | EpollEvent.hangUp)) !== 0);
  }

  /** Ends the waiting of a client that has sent nothing. */
  closeIfSilent(): void {
    if (this.end === 0) this.close();
  }

  close(): void {
    this.#close('local-close');
  }

  /** What was begun for this client while it was silent; whoever has the connection then, claims it. */
  get speculation(): Speculation | null {
    return this.#speculation;
  }

  /** For the speculation. Bytes of the client that no event has told of yet are asked for: they were first. */
  onServerSpoke(): void {
    if (peek(this.descriptor, this.#owner.reactor.receiveBuffer, 0, 1) !== -Errno.EAGAIN) return;
    this.#speculation?.confirm();
    this.#finish();
  }

  #look(hasEnded: boolean): void {
    const { reactor } = this.#owner;
    const count = peek(this.descriptor, reactor.receiveBuffer, 0, MAX_INSPECTED_BYTES);
    if (count > 0) this.#inspect(count, hasEnded);
    else if (count === -Errno.EAGAIN) this.#wait();
    else this.#close(count === 0 ? 'remote-close' : 'error');
  }

  /** When nothing can follow, a filter that needs more has found nothing. */
  #inspect(count: number, hasEnded: boolean): void {
    this.end = count;
    this.#speculation?.onClientSpoke();
    while (this.#current < this.#inspectors.length) {
      const inspector = this.#inspectors[this.#current]!;
      const verdict = inspector.inspect(this);
      if (verdict === Verdict.refused) {
        this.#close('refused');
        return;
      }
      if (verdict === Verdict.needsMore && hasEnded && inspector.isRequired === true) {
        this.#close('remote-close');
        return;
      }
      if (verdict === Verdict.needsMore && !hasEnded) {
        this.seen = count;
        this.#wait();
        return;
      }
      this.seen = 0;
      this.#current++;
      if (this.taken > 0) {
        this.#take(hasEnded);
        return;
      }
    }
    this.#finish();
  }

  /** Exactly the bytes that a filter has called its own. What follows is looked at by the next one. */
  #take(hasEnded: boolean): void {
    const count = this.taken;
    this.taken = 0;
    this.end = 0;
    if (receive(this.descriptor, this.#owner.reactor.receiveBuffer, 0, count) !== count) this.#close('error');
    else if (this.#current < this.#inspectors.length) this.#look(hasEnded);
    else this.#finish();
  }

  #wait(): void {
    if (!this.#register() || this.end > 0 || this.#isRequired) return;
    this.#speculation ??= this.#owner.speculate(this);
    this.#speculation?.onSilence();
  }

  /** A filter without which the connection goes no further is at work. */
  get #isRequired(): boolean {
    return this.#inspectors[this.#current]?.isRequired === true;
  }

  /** False when the connection is closed. */
  #register(): boolean {
    if (this.#isRegistered) return true;
    const { reactor, timeoutMs } = this.#owner;
    const registered = reactor.register(this.descriptor, INPUT_EDGES, this);
    if (registered < 0) {
      this.#close('error');
      return false;
    }
    this.#isRegistered = true;
    if (timeoutMs === 0) return true;
    this.#timer = new Timer(() => this.#onTimeout());
    reactor.timers.schedule(this.#timer, timeoutMs);
    return true;
  }

  #onTimeout(): void {
    this.#owner.onTimeout();
    if (this.#owner.continuesOnTimeout && !this.#isRequired) this.#finish();
    else this.#close('timeout');
  }

  #finish(): void {
    this.#stop();
    if (this.#isRegistered) this.#owner.reactor.unregister(this.descriptor);
    this.#owner.onInspected(this);
  }

  #close(end: WaitingEnd): void {
    this.#stop();
    this.#speculation?.claim(null);
    if (this.#isRegistered) this.#owner.reactor.forget(this.descriptor);
    this.#owner.onWaitingEnd(this, end);
    close(this.descriptor);
  }

  #stop(): void {
    if (this.#timer !== undefined) this.#owner.reactor.timers.cancel(this.#timer);
  }
}

/** What is known of a connection from the start. */
export interface ConnectionOrigin {
  /** Before redirection; undefined when there was none. */
  readonly original: Address | undefined;
  /** The filters that are not disabled for it. */
  readonly inspectors: readonly Inspector[];
}

const INPUT_EDGES = EpollEvent.readable | EpollEvent.peerEnded | EpollEvent.edgeTriggered;
