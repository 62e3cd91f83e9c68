// Names of one kind that requests asked for: each is subscribed to once, whoever waits for it, and stays so until it has to
// make room. Requests choose these names, so that both those that are waited for and all together are bounded.

import type { OnDemandRefusal, OnDemandStatus } from '../../config/on-demand.ts';

/** Of one kind, subscribed to: what is there and what was said not to be. */
const maxNames = 4096;
/** Of these, waited for. */
const maxWaiting = 1024;
/** So long a name that is not there is not asked for again; it is told of at once should it come. */
const absenceMs = 1000;

export interface OnDemandNamesOptions {
  readonly subscribe: (name: string) => void;
  readonly unsubscribe: (name: string) => void;
  /** It had to make room: what came under it goes. */
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
}

export class OnDemandNames {
  readonly #options: OnDemandNamesOptions;
  readonly #limits: { readonly names: number; readonly waiting: number };
  /** The one that was asked for longest ago first. */
  readonly #asked = new Map<string, Asked>();
  /** Not there, since when. */
  readonly #absent = new Map<string, number>();
  /** Let go before the answer, which may be on its way: as many as of those that are kept. */
  readonly #left = new Set<string>();
  #waiting = 0;

  constructor(options: OnDemandNamesOptions) {
    this.#options = options;
    this.#limits = options.limits ?? { names: maxNames, waiting: maxWaiting };
  }

  has(name: string): boolean {
    return this.#asked.has(name) || this.#absent.has(name) || this.#left.has(name);
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
    const absentSince = this.#absent.get(name);
    if (absentSince !== undefined && clock() - absentSince < absenceMs) refuse(name, [worker], 'absent');
    else if (this.#waiting >= this.#limits.waiting || !this.#makeRoom(name)) refuse(name, [worker], 'overflow');
    else {
      this.#absent.delete(name);
      this.#left.delete(name);
      this.#asked.set(name, { workers: new Set([worker]), isPresent: false });
      this.#waiting++;
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
    this.#letGo(name, asked);
    this.#left.add(name);
    if (this.#left.size > this.#limits.names) this.#left.delete(this.#left.keys().next().value!);
  }

  onCame(name: string): void {
    const asked = this.#asked.get(name) ?? this.#return(name);
    if (asked === undefined) this.#takeLate(name);
    else if (!asked.isPresent) {
      asked.isPresent = true;
      this.#waiting--;
    }
  }

  /** It is said not to be there, was refused, or was removed. */
  onGone(name: string): void {
    this.#left.delete(name);
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
    for (const name of this.#absent.keys()) if (isMeant(name)) this.#dropAbsent(name);
    for (const name of this.#left) if (isMeant(name)) this.#left.delete(name);
  }

  statuses(kind: OnDemandStatus['kind']): readonly OnDemandStatus[] {
    const asked = [...this.#asked].map(([name, { isPresent }]): OnDemandStatus => {
      return { kind, name, state: isPresent ? 'present' : 'waiting' };
    });
    return [...asked, ...[...this.#absent.keys()].map((name): OnDemandStatus => ({ kind, name, state: 'absent' }))];
  }

  /** What was not there came after all. */
  #return(name: string): Asked | undefined {
    if (!this.#absent.delete(name)) return undefined;
    const asked = { workers: new Set<number>(), isPresent: false };
    this.#asked.set(name, asked);
    this.#waiting++;
    return asked;
  }

  /** Kept like what came in time: it would follow no changes without a subscription, and nothing would bound it. */
  #takeLate(name: string): void {
    if (!this.#left.delete(name)) return;
    if (!this.#makeRoom(name)) {
      this.#options.forget(name);
      return;
    }
    this.#asked.set(name, { workers: new Set(), isPresent: true });
    this.#options.subscribe(name);
  }

  /** What is not there goes first: whoever asks for endless names that do not exist keeps none that does from others. */
  #makeRoom(name: string): boolean {
    if (this.#absent.has(name) || this.#asked.size + this.#absent.size < this.#limits.names) return true;
    for (const oldest of this.#absent.keys()) {
      this.#dropAbsent(oldest);
      return true;
    }
    for (const [oldest, asked] of this.#asked) {
      if (!asked.isPresent || asked.workers.size > 0) continue;
      this.#letGo(oldest, asked);
      return true;
    }
    return false;
  }

  #dropAbsent(name: string): void {
    this.#absent.delete(name);
    this.#options.unsubscribe(name);
  }

  #letGo(name: string, asked: Asked): void {
    this.#asked.delete(name);
    if (!asked.isPresent) this.#waiting--;
    this.#options.unsubscribe(name);
    if (asked.isPresent) this.#options.forget(name);
  }
}
