// Connects a client that stays silent to its endpoint before it is known what it speaks, and so finds out whether the
// server speaks first, as MySQL, PostgreSQL's poolers, SMTP and SSH do: listener filters would wait for ever for such a
// client. Whoever speaks first decides. It happens once a connection at most, and the connection to the endpoint becomes
// the client's when the filter chain that is chosen in the end is the one that was expected.
//
// Nothing is opened but where plain bytes of an unknown protocol are let through anyhow (`Prospect`): a client that would
// have to show a certificate reaches nobody before it has.

import type { TcpProxyFilter } from '../filter/tcp-proxy.ts';
import { TcpUpstream, type TcpUpstreamWatcher } from '../filter/tcp-upstream.ts';
import type { Deferred, Reactor } from '../reactor/reactor.ts';
import { Timer } from '../reactor/timer-wheel.ts';
import { serverFirstStats } from '../telemetry/server-first-stats.ts';
import type { ServerFirstVerdicts } from './server-first-verdicts.ts';

/** What becomes of a connection when no protocol is found in it. */
export interface Prospect {
  /** Of the filter chain of plain bytes. */
  readonly filter: TcpProxyFilter;
  /** As `ConnectionFacts`; empty when there is none. */
  readonly originalDestination: string;
  /** Addresses: the client's without its port, and where it goes. */
  readonly client: string;
  readonly destination: string;
}

export interface SpeculationOptions {
  readonly reactor: Reactor;
  readonly verdicts: ServerFirstVerdicts;
  /** Null where nothing may be opened. */
  readonly prospect: () => Prospect | null;
  /** The endpoint has spoken, and the client has not as far as is known here. `confirm` if that is true. */
  readonly onServerSpoke: () => void;
}

/**
 * A client that is about to speak has done so by then: it takes a round trip, less than 1 ms in a cluster, and the time
 * until it runs again on a busy machine. Longer would be felt by whoever waits for a greeting.
 */
export const SILENCE_MS = 50;

type State =
  /** The client has not been waited for yet. */
  | { readonly kind: 'new' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'open'; readonly upstream: TcpUpstream; readonly prospect: Prospect }
  /** The endpoint has spoken; what it said waits. */
  | { readonly kind: 'heard'; readonly upstream: TcpUpstream; readonly prospect: Prospect }
  /** The client has spoken: nothing is decided here any more. */
  | { readonly kind: 'held'; readonly upstream: TcpUpstream; readonly prospect: Prospect }
  | { readonly kind: 'over' };

export class Speculation implements TcpUpstreamWatcher, Deferred {
  readonly #options: SpeculationOptions;
  #state: State = NEW;
  #timer: Timer | undefined;

  constructor(options: SpeculationOptions) {
    this.#options = options;
  }

  /** The client has sent nothing so far. Again: no matter. */
  onSilence(): void {
    if (this.#state.kind !== 'new') return;
    this.#state = SILENT;
    if (this.#isExpected()) {
      this.#open();
      return;
    }
    this.#timer = new Timer(() => this.#open());
    this.#options.reactor.timers.schedule(this.#timer, SILENCE_MS);
  }

  /** This client waited for the server the last time: no time is lost on it. It still may speak first. */
  #isExpected(): boolean {
    const { verdicts } = this.#options;
    if (verdicts.isEmpty) return false;
    const prospect = this.#options.prospect();
    return prospect !== null && verdicts.has(prospect.client, prospect.destination);
  }

  /** An endpoint that cannot be had is no end of the client, which may speak a protocol that goes elsewhere. */
  #open(): void {
    this.#state = OVER;
    const prospect = this.#options.prospect();
    if (prospect === null) return;
    const upstream = prospect.filter.attempt(prospect.originalDestination);
    if (!(upstream instanceof TcpUpstream)) return;
    upstream.watcher = this;
    this.#state = { kind: 'open', upstream, prospect };
    this.#count(serverFirstStats.openedTotal);
  }

  // In the middle of the endpoint's bytes, which lie where the client would be looked at: later in this turn.
  onUpstreamSpoke(): void {
    if (this.#state.kind !== 'open') return;
    this.#state = { ...this.#state, kind: 'heard' };
    this.#options.reactor.defer(this);
  }

  run(): void {
    if (this.#state.kind === 'heard') this.#options.onServerSpoke();
  }

  /** The client was silent indeed: the endpoint spoke first. */
  confirm(): void {
    if (this.#state.kind !== 'heard') return;
    const { client, destination } = this.#state.prospect;
    this.#count(serverFirstStats.verdictsTotal);
    this.#options.verdicts.add(client, destination);
  }

  onClientSpoke(): void {
    const state = this.#state;
    this.#stopTimer();
    if (state.kind === 'new' || state.kind === 'silent') this.#state = OVER;
    if (state.kind !== 'open' && state.kind !== 'heard') return;
    this.#state = { ...state, kind: 'held' };
    this.#options.verdicts.remove(state.prospect.client, state.prospect.destination);
  }

  onUpstreamGone(): void {
    if (this.#state.kind === 'over') return;
    this.#state = OVER;
    this.#count(serverFirstStats.failedTotal);
  }

  /** The end: the attempt for a connection that `filter` has, if it is one of that filter. Otherwise it is given up. */
  claim(filter: TcpProxyFilter | null): TcpUpstream | null {
    const state = this.#state;
    this.#state = OVER;
    this.#stopTimer();
    if (!('upstream' in state)) return null;
    // Its end has not been told yet.
    if (state.upstream.stream.isClosed) {
      this.#count(serverFirstStats.failedTotal);
      return null;
    }
    if (state.prospect.filter === filter) {
      this.#count(serverFirstStats.usedTotal);
      return state.upstream;
    }
    this.#count(serverFirstStats.unusedTotal);
    state.upstream.stream.close();
    return null;
  }

  #count(index: number): void {
    this.#options.verdicts.stats.inc(index);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#options.reactor.timers.cancel(this.#timer);
  }
}

const NEW: State = { kind: 'new' };
const SILENT: State = { kind: 'silent' };
const OVER: State = { kind: 'over' };
