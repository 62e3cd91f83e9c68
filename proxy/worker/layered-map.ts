// A map of 10,000 resources of which one changes a hundred times a second, and of which each state must stay as it is for
// those who look at it. Copying it for each change took 1.2 ms of the main thread; here a change copies what changed
// since the last whole copy, which is made when that is as much as the square root of the whole.

export class LayeredMap<T extends object> implements ReadonlyMap<string, T> {
  /** Nobody changes it any more. */
  readonly #base: ReadonlyMap<string, T>;
  /** Null is removed. */
  readonly #changes: ReadonlyMap<string, T | null>;
  readonly size: number;

  private constructor(base: ReadonlyMap<string, T>, changes: ReadonlyMap<string, T | null>, size: number) {
    this.#base = base;
    this.#changes = changes;
    this.size = size;
  }

  /** `map` with changes: null removes a name. Neither is to change afterwards. */
  static change<T extends object>(
    map: ReadonlyMap<string, T>,
    changes: ReadonlyMap<string, T | null>,
  ): ReadonlyMap<string, T> {
    const before = map instanceof LayeredMap ? (map as LayeredMap<T>) : new LayeredMap(map, new Map(), map.size);
    if (before.#changes.size + changes.size > Math.max(minChanges, Math.sqrt(before.#base.size))) {
      return flatten(before.#base, before.#changes, changes);
    }
    const all = new Map(before.#changes);
    let size = before.size;
    for (const [name, value] of changes) {
      if (before.has(name)) size--;
      if (value !== null) size++;
      all.set(name, value);
    }
    return new LayeredMap(before.#base, all, size);
  }

  get(name: string): T | undefined {
    const changed = this.#changes.get(name);
    return changed === undefined ? this.#base.get(name) : (changed ?? undefined);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *entries(): Generator<[string, T], undefined, unknown> {
    for (const [name, value] of this.#base) {
      const changed = this.#changes.get(name);
      if (changed !== null) yield [name, changed ?? value];
    }
    for (const [name, value] of this.#changes) if (value !== null && !this.#base.has(name)) yield [name, value];
    return undefined;
  }

  *keys(): Generator<string, undefined, unknown> {
    for (const [name] of this.entries()) yield name;
    return undefined;
  }

  *values(): Generator<T, undefined, unknown> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  forEach(callback: (value: T, name: string, map: ReadonlyMap<string, T>) => void): void {
    for (const [name, value] of this.entries()) callback(value, name, this);
  }

  [Symbol.iterator](): Generator<[string, T], undefined, unknown> {
    return this.entries();
  }
}

/** Below this a copy costs less than looking twice. */
const minChanges = 32;

/** A copy of a map itself is many times faster than one of what a generator yields. */
function flatten<T extends object>(
  base: ReadonlyMap<string, T>,
  ...layers: readonly ReadonlyMap<string, T | null>[]
): ReadonlyMap<string, T> {
  const whole = new Map(base);
  for (const changes of layers) {
    for (const [name, value] of changes) {
      if (value === null) whole.delete(name);
      else whole.set(name, value);
    }
  }
  return whole;
}
