// A set of texts that peers may choose: when it is full, the one that was added or looked up longest ago makes room.

export class RecentKeys {
  readonly #capacity: number;
  /** In the order of their last use: a set keeps the order of insertion. */
  readonly #keys = new Set<string>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    if (!this.#keys.delete(key)) return false;
    this.#keys.add(key);
    return true;
  }

  /** Returns whether it was not there. */
  add(key: string): boolean {
    if (this.has(key)) return false;
    if (this.#keys.size === this.#capacity) this.#keys.delete(this.#keys.values().next().value!);
    this.#keys.add(key);
    return true;
  }

  delete(key: string): void {
    this.#keys.delete(key);
  }
}
