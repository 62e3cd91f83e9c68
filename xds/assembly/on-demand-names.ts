// Names of one kind that requests asked for: each is subscribed to once, whoever waits for it, and stays so until it has to
// make room. Requests choose these names, so that both those that are waited for and all together are bounded.
//
// A control plane that takes longer than requests wait serves the next one, as in Envoy: who gives up waiting leaves the
// subscription behind.

import type { OnDemandRefusal, OnDemandStatus } from '../../config/on-demand.ts';

/** Of one kind, subscribed to. */
const maxNames = 4096;
/** Of these, waited for: as many as those of all workers (`waitingNamesOf`). */
const maxWaiting = 2048;
/** So long a name that is not there is not asked for again; it is told of at once should it come. */
const absenceMs = 1000;

export interface OnDemandNamesOptions {
  readonly subscribe: (name: string) => void;
  readonly unsubscribe: (name: string) => void;
  /** It had to make room: what came under it goes, and what was refused. */
  readonly forget: (name: string) => void;
  /** These workers wait in vain. */
  readonly refuse: (name: string, workers: Iterable<number>, why: OnDemandRefusal) => void;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly limits?: { readonly names: number; readonly waiting: number };
}

/** Workers that wait. Of a name that is there: for the snapshot that has it. */
interface Asked {
  readonly workers: Set<number>;
  isPresent: boolean;
  /** Which of all subscriptions is to be answered; 0 is none. */
  readonly subscription: number;
}

export class OnDemandNames {
  readonly #options: OnDemandNamesOptions;
  readonly #limits: { readonly names: number; readonly waiting: number };
  /** The one that was asked for longest ago first. */
  readonly #asked = new Map<string, Asked>();
  /** Not there, since when. */
  readonly #absent = new Map<string, number>();
  /** Nobody waits for these any more, and nothing was said of them. The oldest first, with its subscription. */
  readonly #unanswered = new Map<string, number>();
  #waiting = 0;
  #subscriptions = 0;

  constructor(options: OnDemandNamesOptions) {
    this.#options = options;
    this.#limits = options.limits ?? { names: maxNames, waiting: maxWaiting };
  }

  has(name: string): boolean {
    return this.#asked.has(name) || this.#absent.has(name) || this.#unanswered.has(name);
  }

  /** How many there were. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Whether it is asked for by a later subscription than so many. */
  isAskedSince(name: string, subscriptions: number): boolean {
    return (this.#asked.get(name)?.subscription ?? this.#unanswered.get(name) ?? 0) > subscriptions;
  }

  isPresent(name: string): boolean {
    return this.#asked.get(name)?.isPresent === true;
  }

  /** A request of this worker waits for it. */
  ask(name: string, worker: number): void {
    const asked = this.#asked.get(name);
    if (asked !== undefined) {
      asked.workers.add(worker);
      this.#asked.delete(name);
      this.#asked.set(name, asked);
      return;
    }
    const { refuse, subscribe, unsubscribe, clock } = this.#options;
    const unanswered = this.#unanswered.get(name);
    const absentSince = this.#absent.get(name);
    if (absentSince !== undefined && clock() - absentSince < absenceMs) refuse(name, [worker], 'absent');
    else if (this.#waiting >= this.#limits.waiting || !this.#makesRoom(name)) refuse(name, [worker], 'overflow');
    else {
      this.#absent.delete(name);
      this.#unanswered.delete(name);
      const subscription = unanswered ?? ++this.#subscriptions;
      this.#asked.set(name, { workers: new Set([worker]), isPresent: false, subscription });
      this.#waiting++;
      if (unanswered !== undefined) return;
      // Only a new subscription has the control plane look again.
      if (absentSince !== undefined) unsubscribe(name);
      subscribe(name);
    }
  }

  /** No request of this worker waits for it any more. */
  leave(name: string, worker: number): void {
    const asked = this.#asked.get(name);
    if (asked === undefined || !asked.workers.delete(worker)) return;
    if (asked.isPresent || asked.workers.size > 0) return;
    this.#asked.delete(name);
    this.#waiting--;
    this.#unanswered.set(name, asked.subscription);
  }

  onCame(name: string): void {
    const asked = this.#asked.get(name);
    // What was not there, or was waited for in vain, came after all.
    if (this.#absent.delete(name) || this.#unanswered.delete(name)) {
      this.#asked.set(name, { workers: new Set(), isPresent: true, subscription: 0 });
    } else if (asked?.isPresent === false) {
      asked.isPresent = true;
      this.#waiting--;
    }
  }

  /** It is said not to be there, was refused, or was removed. */
  onGone(name: string): void {
    if (this.#unanswered.delete(name)) this.#absent.set(name, this.#options.clock());
    const asked = this.#asked.get(name);
    if (asked === undefined) return;
    this.#asked.delete(name);
    if (!asked.isPresent) this.#waiting--;
    this.#absent.set(name, this.#options.clock());
    this.#options.refuse(name, asked.workers, 'absent');
  }

  /** Nobody can be asked for these any more. */
  drop(isMeant: (name: string) => boolean): void {
    for (const [name, asked] of this.#asked) {
      if (!isMeant(name)) continue;
      this.#letGo(name, asked);
      this.#options.refuse(name, asked.workers, 'absent');
    }
    for (const name of [...this.#absent.keys(), ...this.#unanswered.keys()]) if (isMeant(name)) this.#dropIdle(name);
  }

  statuses(kind: OnDemandStatus['kind']): readonly OnDemandStatus[] {
    const asked = [...this.#asked].map(([name, { isPresent }]): OnDemandStatus => {
      return { kind, name, state: isPresent ? 'present' : 'waiting' };
    });
    const absent = [...this.#absent.keys()].map((name): OnDemandStatus => ({ kind, name, state: 'absent' }));
    const unanswered = [...this.#unanswered.keys()].map(
      (name): OnDemandStatus => ({ kind, name, state: 'unanswered' }),
    );
    return [...asked, ...absent, ...unanswered];
  }

  /** What is not there goes first: whoever asks for endless names that do not exist keeps none that does from others. */
  #makesRoom(name: string): boolean {
    if (this.#absent.has(name) || this.#unanswered.has(name)) return true;
    if (this.#asked.size + this.#absent.size + this.#unanswered.size < this.#limits.names) return true;
    for (const idle of [this.#absent.keys(), this.#unanswered.keys()]) {
      for (const oldest of idle) {
        this.#dropIdle(oldest);
        return true;
      }
    }
    for (const [oldest, asked] of this.#asked) {
      if (!asked.isPresent || asked.workers.size > 0) continue;
      this.#letGo(oldest, asked);
      return true;
    }
    return false;
  }

  #dropIdle(name: string): void {
    this.#absent.delete(name);
    this.#unanswered.delete(name);
    this.#options.unsubscribe(name);
    this.#options.forget(name);
  }

  #letGo(name: string, asked: Asked): void {
    this.#asked.delete(name);
    if (!asked.isPresent) this.#waiting--;
    this.#options.unsubscribe(name);
    this.#options.forget(name);
  }
}
