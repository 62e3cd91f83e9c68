// What comes before data: the TCP connection where it is ours to make, and the handshake of TLS where there is one.

import { EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import { type Transport, TransportWant } from '../transport/transport.ts';
import type { EventInterest } from './event-interest.ts';
import type { Reactor } from './reactor.ts';

/** TLS over the connected socket `fd`, or why there is none, as a sentence. */
export type Secure = (fd: number) => Transport | string;

export interface EstablishingParts {
  readonly reactor: Reactor;
  readonly interest: EventInterest;
  /** Plain while the socket connects. */
  readonly transport: Transport;
  /** What becomes of the connected socket; it stays plain without. */
  readonly secure?: Secure | undefined;
}

export class Establishing {
  /** What is to be closed, and what data goes through in the end. */
  transport: Transport;
  /** Why it failed, in words; empty when the errno says all. */
  problem = '';
  readonly #reactor: Reactor;
  readonly #interest: EventInterest;
  readonly #secure: Secure | undefined;

  constructor({ reactor, interest, transport, secure }: EstablishingParts) {
    this.#reactor = reactor;
    this.#interest = interest;
    this.transport = transport;
    this.#secure = secure;
  }

  /** First call, once. Returns 0 or a negated errno. */
  begin(): number {
    return this.#interest.set(this.transport.isPlain ? EpollEvent.writable : EpollEvent.readable);
  }

  /** Goes on after an event: 0 when data can flow, -EAGAIN before that, another negated errno when it never will. */
  onEvent(): number {
    if (this.transport.isPlain) {
      const result = this.transport.establish();
      if (result < 0 || this.#secure === undefined) return result;
      const secured = this.#secure(this.transport.fd);
      if (typeof secured === 'string') {
        this.problem = secured;
        return -Errno.EPROTO;
      }
      this.transport = secured;
    }
    return this.#reactor.handshakes.take(this.#reactor.turn) ? this.#shakeHands() : -Errno.EAGAIN;
  }

  #shakeHands(): number {
    const { transport } = this;
    const result = transport.establish();
    if (result !== -Errno.EAGAIN) {
      this.problem = transport.problem;
      return result;
    }
    const waits = transport.want === TransportWant.write ? EpollEvent.writable : EpollEvent.readable;
    const registered = this.#interest.set(waits);
    return registered < 0 ? registered : result;
  }
}
