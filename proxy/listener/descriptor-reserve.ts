// Keeps some descriptors of the process for upstream connections, files and the admin interface. Without it new
// connections would take the last one, and the requests of those that are open already would fail for want of another.
//
// The kernel gives the lowest free number (open(2)), so a high number says how many are in use: no count is kept.

import { close, duplicate } from '../../native/socket.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Timer } from '../reactor/timer-wheel.ts';

export interface DescriptorReserveOptions {
  readonly reactor: Reactor;
  /** Descriptors that the process may have (RLIMIT_NOFILE). */
  readonly limit: number;
  /** No connections are to be accepted, or they are again. */
  readonly onChange: (isShort: boolean) => void;
}

export class DescriptorReserve {
  /** Accepting pauses when a connection gets this number or a higher one. */
  readonly threshold: number;
  readonly #options: DescriptorReserveOptions;
  readonly #probe = new Timer(() => this.#lookAgain());
  #isShort = false;

  constructor(options: DescriptorReserveOptions) {
    this.#options = options;
    this.threshold = options.limit - Math.min(Math.max(options.limit >> 3, minReserve), maxReserve);
  }

  get isShort(): boolean {
    return this.#isShort;
  }

  /** A connection got this descriptor. */
  onAccepted(descriptor: number): void {
    if (descriptor >= this.threshold) this.pause();
  }

  /** Accepting pauses until descriptors are free again. */
  pause(): void {
    if (this.#isShort) return;
    this.#isShort = true;
    this.#options.reactor.timers.schedule(this.#probe, probeMs);
    this.#options.onChange(true);
  }

  #lookAgain(): void {
    const { reactor, onChange } = this.#options;
    const free = duplicate(reactor.wakeUpFd);
    if (free >= 0) close(free);
    if (free < 0 || free >= this.threshold) {
      reactor.timers.schedule(this.#probe, probeMs);
      return;
    }
    this.#isShort = false;
    onChange(false);
  }
}

/** An eighth of what there is, within these bounds. */
const minReserve = 8;
const maxReserve = 1024;
/** Long enough not to spin, short enough to serve as soon as connections have ended. */
const probeMs = 100;
