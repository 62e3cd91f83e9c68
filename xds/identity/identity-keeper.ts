// Keeps an identity fresh: asks for the first one, for the next at half of its life, and again after a failure.
//
// What is held serves until there is another: a CA that is away for an hour is not felt. An identity that has ended is
// still told to whoever asks, and every peer refuses it; to serve nothing instead would hide why.

import type { Random } from '../../config/random.ts';
import type { DiscoveryLog, Schedule } from '../client/discovery.ts';
import { HeldIdentity, type Identity, type IdentitySource, type RunningIdentity } from './identity.ts';

export type IdentityState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'asking'; readonly held: Identity | undefined; readonly failures: number }
  | { readonly kind: 'holding'; readonly held: Identity; readonly renewAtMs: number }
  /** The last request failed: `reason`, a sentence. */
  | {
      readonly kind: 'waiting';
      readonly held: Identity | undefined;
      readonly failures: number;
      readonly retryAtMs: number;
      readonly reason: string;
    };

type Event =
  | { readonly kind: 'due' }
  | { readonly kind: 'issued'; readonly identity: Identity }
  | { readonly kind: 'refused'; readonly reason: string };

export interface IdentityKeeperOptions {
  readonly source: IdentitySource;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: Random;
  readonly schedule: Schedule;
  readonly log: DiscoveryLog;
}

export class IdentityKeeper implements RunningIdentity {
  readonly #options: IdentityKeeperOptions;
  readonly #held = new HeldIdentity();
  #state: IdentityState = { kind: 'idle' };
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(options: IdentityKeeperOptions) {
    this.#options = options;
  }

  get state(): IdentityState {
    return this.#state;
  }

  get current(): Identity | undefined {
    return this.#held.current;
  }

  subscribe(onIdentity: (identity: Identity) => void): () => void {
    return this.#held.subscribe(onIdentity);
  }

  start(): void {
    this.#take({ kind: 'due' });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #take(event: Event): void {
    if (this.#isStopped) return;
    const { clock, random } = this.#options;
    this.#state = nextState(this.#state, event, { nowMs: clock(), random });
    this.#act(this.#state);
  }

  #act(state: IdentityState): void {
    switch (state.kind) {
      case 'idle':
        return;
      case 'asking':
        void this.#ask();
        return;
      case 'holding':
        this.#wake(state.renewAtMs);
        this.#tellOf(state);
        return;
      case 'waiting':
        this.#wake(state.retryAtMs);
        this.#complain(state);
    }
  }

  async #ask(): Promise<void> {
    const event: Event = await this.#options.source.request().then(
      (identity) => this.#judge(identity),
      (error: Error) => ({ kind: 'refused', reason: error.message }),
    );
    this.#take(event);
  }

  /** By one that has ended, what is held must not be replaced; and where clocks differ, none is asked for without a pause. */
  #judge(identity: Identity): Event {
    if (identity.notAfterMs > this.#options.clock()) return { kind: 'issued', identity };
    const until = new Date(identity.notAfterMs).toISOString();
    return { kind: 'refused', reason: `it gave a certificate that has ended at ${until} by the clock of this machine` };
  }

  #wake(atMs: number): void {
    const { clock, schedule } = this.#options;
    this.#cancel = schedule(Math.max(atMs - clock(), 0), () => this.#take({ kind: 'due' }));
  }

  #tellOf({ held, renewAtMs }: Extract<IdentityState, { kind: 'holding' }>): void {
    const { log, source } = this.#options;
    const facts = { until: new Date(held.notAfterMs).toISOString(), renewal: new Date(renewAtMs).toISOString() };
    log('info', `a certificate came from ${source.name}`, facts);
    this.#held.hold(held);
  }

  #complain({ held, reason, retryAtMs }: Extract<IdentityState, { kind: 'waiting' }>): void {
    const { log, source, clock } = this.#options;
    const leftMs = held === undefined ? 0 : held.notAfterMs - clock();
    const facts = { reason, retryInMs: retryAtMs - clock() };
    if (held === undefined) log('warning', `no certificate from ${source.name}: mutual TLS waits for it`, facts);
    else if (leftMs > 0)
      log('warning', `no new certificate from ${source.name}; the old one holds`, { ...facts, leftMs });
    else log('error', `the certificate has ended, and ${source.name} gives no other: peers refuse it`, facts);
  }
}

interface Moment {
  readonly nowMs: number;
  readonly random: Random;
}

function nextState(state: IdentityState, event: Event, moment: Moment): IdentityState {
  const held = state.kind === 'idle' ? undefined : state.held;
  const failures = state.kind === 'asking' || state.kind === 'waiting' ? state.failures : 0;
  switch (event.kind) {
    case 'due':
      return { kind: 'asking', held, failures };
    case 'issued':
      return { kind: 'holding', held: event.identity, renewAtMs: renewalOf(event.identity, moment) };
    case 'refused': {
      const retryAtMs = moment.nowMs + retryDelayMs(failures, held, moment);
      return { kind: 'waiting', held, failures: failures + 1, retryAtMs, reason: event.reason };
    }
  }
}

/**
 * Half of what is left of its life, give or take a tenth, so that the sidecars of one rollout do not all ask at once. Counted
 * from now: a CA dates certificates back by minutes, for clocks that are slow.
 */
function renewalOf({ notAfterMs }: Identity, { nowMs, random }: Moment): number {
  const leftMs = notAfterMs - nowMs;
  return nowMs + Math.max(leftMs * (0.45 + random() * 0.1), MIN_RETRY_MS);
}

/**
 * Doubled with each failure up to half a minute, any time from half of it to the whole; with little life left it is a tenth
 * of that, so that a short absence of the CA is not the end of the identity.
 */
function retryDelayMs(failures: number, held: Identity | undefined, { nowMs, random }: Moment): number {
  const limitMs = Math.min(MIN_RETRY_MS * 2 ** failures, MAX_RETRY_MS);
  const leftMs = held === undefined ? 0 : held.notAfterMs - nowMs;
  const boundedMs = leftMs > 0 ? Math.min(limitMs, leftMs / 10) : limitMs;
  return Math.max(boundedMs * (0.5 + random() / 2), MIN_RETRY_MS);
}

const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 30_000;
