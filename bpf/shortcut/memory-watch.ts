// The limit of a burst bounds what waits for a reader that does not read, unless that reader goes on writing: each write
// of its own looks like an answer, and ends the burst (Linux tells nobody that a socket was read). Such a conversation can
// queue as much as the machine has for TCP. So that is watched, and the short-circuit turned off long before it is short.

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { pageBytes } from '../../native/page-size.ts';

export interface MemoryWatchOptions {
  /** Bytes that TCP has on this machine; `tcpMemoryBytes` reads them. */
  readonly read: () => number;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
  /** Called once, with a sentence, and the watch ends. */
  readonly onExceeded: (reason: string) => void;
  /** When absent, a thirty-second of the machine's memory: half of where the kernel begins to be short of it for TCP. */
  readonly mostBytes?: number;
}

/** Looks ten times a second until it is stopped. */
export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  readonly #mostBytes: number;
  #isStopped = false;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#mostBytes = options.mostBytes ?? totalmem() / 32;
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #wait(): void {
    this.#options.schedule(INTERVAL_MS, () => this.#look());
  }

  #look(): void {
    if (this.#isStopped) return;
    const bytes = this.#options.read();
    if (bytes <= this.#mostBytes) {
      this.#wait();
      return;
    }
    this.stop();
    this.#options.onExceeded(
      `TCP has ${megabytes(bytes)} MiB on this machine, more than ${megabytes(this.#mostBytes)} MiB: ` +
        'a reader of the short-circuit may not read',
    );
  }
}

/** For the sockets of all network namespaces, whichever the caller is in. */
export function tcpMemoryBytes(): number {
  const pages = /^TCP: .*\bmem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))?.[1];
  if (pages === undefined) throw new Error('/proc/net/sockstat does not say how much memory TCP has');
  return Number(pages) * pageBytes();
}

// Memory is filled at some gigabytes a second at most.
const INTERVAL_MS = 100;

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
