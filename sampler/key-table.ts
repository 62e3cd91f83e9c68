// Gives the busiest keys a slot each: a small integer by which counters and thresholds lie in arrays and in shared memory.
//
// The number of slots is fixed, so that an operator's 10,000 routes, or a peer that finds a way to make keys, cost no more
// than 500. What finds no free slot counts on slot 0 together with all others in its place. There it is watched by
// Space-Saving (Metwally, Agrawal, El Abbadi 2005), which finds each key above 1/64 of that traffic in 64 counters; once it
// is clearly busier than the idlest owner, it takes that one's slot. Owners change in `age` only, about once a second:
// a flood of new keys neither pushes out those that are in use nor floods whoever is told of owners.

/** What requests have in common that are sampled alike. `headerRule` tells apart those that a rule about headers chose. */
export interface SamplingKey {
  readonly service: string;
  readonly route: string;
  readonly method: string;
  /** Index in `SamplingSettings.rules` of the rule about headers that chose the request; -1 when none did. */
  readonly headerRule: number;
}

/** A key that remembers its slot. Made by `KeyTable.keyFor`, kept by the caller as long as it likes, on one thread. */
export interface SlottedKey extends SamplingKey {
  readonly id: string;
  /** Where it was last; the table checks it before it is believed. */
  slot: number;
}

export interface KeyTableOptions {
  /** Number of slots, slot 0 included. */
  readonly slots?: number;
  /** A slot whose key was not seen for so long is free again. */
  readonly idleMs?: number;
  /** Told when a slot gets another owner, null when it gets none. Not told of slot 0. */
  readonly onOwner: (slot: number, key: SamplingKey | null) => void;
}

export const maxKeys = 500;

/** All keys without a slot of their own share slot 0 under this name. No rule about services or routes is meant for it. */
export const otherKey: SamplingKey = { service: '*', route: '*', method: '*', headerRule: -1 };
export const otherSlot = 0;

/** Text by which keys are equal, here and on other threads. */
export function keyId(key: SamplingKey): string {
  return `${oneLine(key.service)}\n${oneLine(key.route)}\n${oneLine(key.method)}\n${key.headerRule}`;
}

/** Nothing forbids a line break in the name of a cluster or route: it is its picture here, so that names can be told apart. */
function oneLine(name: string): string {
  return name.replaceAll('\n', '\u2424');
}

export class KeyTable {
  readonly slots: number;
  readonly #idleMs: number;
  readonly #onOwner: (slot: number, key: SamplingKey | null) => void;
  readonly #owners: (SlottedKey | null)[];
  readonly #epochs: Int32Array;
  readonly #slotOf = new Map<string, number>();
  readonly #counts: Float64Array;
  readonly #idleForMs: Float64Array;
  readonly #free: number[] = [];
  readonly #waiting = new SpaceSaving(watchedKeys);
  #agedAtMs: number | undefined;

  constructor({ slots = maxKeys, idleMs = 120_000, onOwner }: KeyTableOptions) {
    this.slots = slots;
    this.#idleMs = idleMs;
    this.#onOwner = onOwner;
    this.#owners = new Array<SlottedKey | null>(slots).fill(null);
    this.#epochs = new Int32Array(slots);
    this.#counts = new Float64Array(slots);
    this.#idleForMs = new Float64Array(slots);
    for (let slot = slots - 1; slot > otherSlot; slot--) this.#free.push(slot);
  }

  /** Once a route and method; the key has no slot before the first `slotFor`. */
  keyFor(key: SamplingKey): SlottedKey {
    const { service, route, method, headerRule } = key;
    return { service, route, method, headerRule, id: keyId(key), slot: otherSlot };
  }

  /** The key's slot, or slot 0. Counts `arrivals` of it. Allocates nothing for a key that has its slot. */
  slotFor(key: SlottedKey, arrivals = 1): number {
    const slot = this.#owners[key.slot] === key ? key.slot : this.#find(key, arrivals);
    this.#counts[slot]! += arrivals;
    this.#idleForMs[slot] = 0;
    return slot;
  }

  /** The slot that a key has now, without counting it; 0 when it has none. */
  slotOf(key: SlottedKey): number {
    return this.#slotOf.get(key.id) ?? otherSlot;
  }

  ownerOf(slot: number): SamplingKey | null {
    return slot === otherSlot ? otherKey : (this.#owners[slot] ?? null);
  }

  /** Which owner of the slot this is: another number with each, and while there is none. */
  epochAt(slot: number): number {
    return this.#epochs[slot]!;
  }

  /** To be called about once a second: frees idle slots and gives slots to busy keys that had none. Told of new owners. */
  age(nowMs: number): void {
    // A clock that is set forward makes no key idle, and one that is set back makes none younger.
    const elapsedMs = Math.min(Math.max(nowMs - (this.#agedAtMs ?? nowMs), 0), longestStepMs);
    this.#agedAtMs = nowMs;
    const kept = 0.5 ** (elapsedMs / halfLifeMs);
    for (let slot = 0; slot < this.slots; slot++) {
      this.#counts[slot]! *= kept;
      this.#idleForMs[slot]! += elapsedMs;
      if (this.#owners[slot] !== null && this.#idleForMs[slot]! >= this.#idleMs) this.#free.push(this.#release(slot));
    }
    this.#waiting.scale(kept);
    this.#promote();
  }

  #find(key: SlottedKey, arrivals: number): number {
    // Another object of the same key may own the slot: routes of an old and a new snapshot. The last that came has it.
    const slot = this.#slotOf.get(key.id) ?? this.#free.pop();
    if (slot === undefined) {
      this.#waiting.add(key, arrivals);
      return otherSlot;
    }
    this.#own(slot, key);
    return slot;
  }

  #own(slot: number, key: SlottedKey): void {
    this.#owners[slot] = key;
    key.slot = slot;
    if (this.#slotOf.get(key.id) === slot) return;
    this.#slotOf.set(key.id, slot);
    this.#counts[slot] = 0;
    this.#idleForMs[slot] = 0;
    this.#epochs[slot]!++;
    this.#onOwner(slot, key);
  }

  #release(slot: number): number {
    this.#slotOf.delete(this.#owners[slot]!.id);
    this.#owners[slot] = null;
    this.#counts[slot] = 0;
    this.#epochs[slot]!++;
    this.#onOwner(slot, null);
    return slot;
  }

  #promote(): void {
    for (const { key, count } of this.#waiting.listSure()) {
      let slot = this.#free.pop();
      if (slot === undefined) {
        const idlest = this.#idlest();
        // Twice as busy, so that two keys of about the same rate do not change places every second.
        if (count <= 2 * this.#counts[idlest]!) return;
        slot = this.#release(idlest);
      }
      this.#own(slot, key);
      this.#counts[slot] = count;
      this.#waiting.remove(key);
    }
  }

  #idlest(): number {
    let idlest = 1;
    for (let slot = 2; slot < this.slots; slot++) if (this.#counts[slot]! < this.#counts[idlest]!) idlest = slot;
    return idlest;
  }
}

/** Long enough that a key with a request every few seconds does not look idle. */
const halfLifeMs = 10_000;
const longestStepMs = 5_000;
const watchedKeys = 64;

/** Counts the busiest of many keys: a new one takes the counter of the lowest, and its count with it. */
class SpaceSaving {
  readonly #capacity: number;
  readonly #keys: SlottedKey[] = [];
  readonly #placeOf = new Map<string, number>();
  // Searched for the lowest with every key that is not watched: an array of numbers is a fifth of the time of a Map.
  readonly #counts: Float64Array;
  /** What each took over with its counter: so much of the count may be others'. */
  readonly #errors: Float64Array;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#counts = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
  }

  add(key: SlottedKey, arrivals: number): void {
    let place = this.#placeOf.get(key.id);
    if (place === undefined) {
      place = this.#keys.length < this.#capacity ? this.#keys.length : this.#takeLowest();
      this.#placeOf.set(key.id, place);
    }
    this.#keys[place] = key;
    this.#counts[place]! += arrivals;
  }

  remove(key: SlottedKey): void {
    const place = this.#placeOf.get(key.id)!;
    const last = this.#keys.pop()!;
    const lastPlace = this.#keys.length;
    this.#placeOf.delete(key.id);
    if (lastPlace !== place) {
      this.#keys[place] = last;
      this.#counts[place] = this.#counts[lastPlace]!;
      this.#errors[place] = this.#errors[lastPlace]!;
      this.#placeOf.set(last.id, place);
    }
    this.#counts[lastPlace] = 0;
    this.#errors[lastPlace] = 0;
  }

  scale(factor: number): void {
    for (let place = 0; place < this.#keys.length; place++) {
      this.#counts[place]! *= factor;
      this.#errors[place]! *= factor;
    }
  }

  /** What is surely each one's own, highest first. */
  listSure(): readonly { readonly key: SlottedKey; readonly count: number }[] {
    const sure = this.#keys.map((key, place) => ({ key, count: this.#counts[place]! - this.#errors[place]! }));
    return sure.sort((a, b) => b.count - a.count);
  }

  /** The place of the lowest, whose count is from now on the error of who takes it. */
  #takeLowest(): number {
    let lowest = 0;
    for (let place = 1; place < this.#capacity; place++) {
      if (this.#counts[place]! < this.#counts[lowest]!) lowest = place;
    }
    this.#placeOf.delete(this.#keys[lowest]!.id);
    this.#errors[lowest] = this.#counts[lowest]!;
    return lowest;
  }
}
