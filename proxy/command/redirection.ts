// What redirects connections to this proxy, as the rest of the process sees it: plain data and numbers, so that nothing
// of bpf/ is loaded by who only names it.

import type { ShortcutMaps } from '../reactor/shortcut-exit.ts';
import type { CaptureCounters } from './capture-overview.ts';

export interface Redirection {
  /** `eBPF`, `iptables`, `a node agent`; null when nothing that was tried can. */
  readonly by: string | null;
  /** A sentence for each way that was not taken, and for what an operator should know of this one. */
  readonly notes: readonly string[];
  /** Where it is kept which sockets of this machine give bytes to each other past TCP; null: none do. */
  readonly shortcutMaps: ShortcutMaps | null;
  /** Why nothing is captured yet or any more; null while it is. */
  readonly problem: string | null;
  /**
   * Inbound connections of this family go to this listening socket, and to those that share its port, until it is closed.
   * The descriptor stays the caller's. Returns why that cannot be.
   */
  setListener(family: 4 | 6, fd: number): string | undefined;
  counters(): readonly CaptureCounters[];
  /** What a successor of this process goes on with. They stay this one's. */
  descriptors(): readonly NamedDescriptor[];
  /** A successor of this process goes on with it, and has begun. */
  handOver(): void;
  /** The process listens no more, and lives on for its connections. */
  stopListening(): void;
  /**
   * `stay` leaves in place what can outlive the process; `detach` takes away what was put there. Returns what could not be
   * taken away.
   */
  release(outcome: 'detach' | 'stay'): string | undefined;
}

export interface NamedDescriptor {
  readonly name: string;
  readonly fd: number;
}

/** Nothing could be done. */
export interface RedirectionFailure {
  readonly problem: string;
  readonly notes: readonly string[];
}
