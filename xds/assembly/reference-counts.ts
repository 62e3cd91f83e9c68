// How often the served configuration names each cluster. Counted as tables come and go, because asking 10,000 routes
// whether one cluster may leave would cost as much as all of them.

export class ReferenceCounts {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  add(names: ReadonlySet<string>): void {
    for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  remove(names: ReadonlySet<string>): void {
    for (const name of names) {
      const count = this.#counts.get(name)!;
      if (count === 1) this.#counts.delete(name);
      else this.#counts.set(name, count - 1);
    }
  }
}
