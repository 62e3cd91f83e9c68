// Earliest deadline first: an item of weight w is due every 1/w. Over any stretch each item comes up as often as its
// weight says, evenly spaced rather than in bursts. Envoy schedules weighted endpoints and localities the same way.
// https://en.wikipedia.org/wiki/Earliest_deadline_first_scheduling

/** A schedule of the items 0 … n-1. Deadlines of equal time come up in the order in which they were set. */
export class WeightedSchedule {
  // A binary heap over parallel arrays, the next item at 0. Only its root ever changes, so it needs no push and no pop.
  readonly #deadlines: Float64Array;
  readonly #orders: Float64Array;
  readonly #items: Uint32Array;
  #nextOrder: number;

  /** `weights` are above 0. */
  constructor(weights: Float64Array) {
    this.#deadlines = new Float64Array(weights.length);
    this.#orders = new Float64Array(weights.length);
    this.#items = new Uint32Array(weights.length);
    this.#nextOrder = weights.length;
    this.#fill(Array.from(weights, (weight, item) => ({ deadline: 1 / weight, order: item, item })));
  }

  /** The item that is due next. It stays so until `reschedule`. */
  get next(): number {
    return this.#items[0]!;
  }

  /** Puts the item that was due back with the weight it has now. */
  reschedule(weight: number): void {
    const deadlines = this.#deadlines;
    const orders = this.#orders;
    const items = this.#items;
    const length = items.length;
    const deadline = deadlines[0]! + 1 / weight;
    const order = this.#nextOrder++;
    const item = items[0]!;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= length) break;
      const right = child + 1;
      if (
        right < length &&
        (deadlines[right]! < deadlines[child]! ||
          (deadlines[right]! === deadlines[child]! && orders[right]! < orders[child]!))
      ) {
        child = right;
      }
      // The rescheduled item has the latest order: at equal deadlines the child goes first.
      if (deadlines[child]! > deadline) break;
      deadlines[hole] = deadlines[child]!;
      orders[hole] = orders[child]!;
      items[hole] = items[child]!;
      hole = child;
    }
    deadlines[hole] = deadline;
    orders[hole] = order;
    items[hole] = item;
  }

  /** Weights changed: who weighs twice as much as before waits for half of what was left. */
  rescale(before: Float64Array, after: Float64Array): void {
    const now = this.#deadlines[0]!;
    this.#fill(
      Array.from(this.#items, (item, place) => ({
        deadline: now + ((this.#deadlines[place]! - now) * before[item]!) / after[item]!,
        order: this.#orders[place]!,
        item,
      })),
    );
  }

  // An array sorted by deadline is a heap.
  #fill(entries: { readonly deadline: number; readonly order: number; readonly item: number }[]): void {
    entries.sort((a, b) => a.deadline - b.deadline || a.order - b.order);
    for (const [place, { deadline, order, item }] of entries.entries()) {
      this.#deadlines[place] = deadline;
      this.#orders[place] = order;
      this.#items[place] = item;
    }
  }
}

/**
 * The weight of each, above 0, or null when all weigh the same and need no schedule. A copy: an endpoint's weight changes
 * while the next set is built, and a schedule must not change under way.
 */
export function unevenWeights(items: readonly { readonly weight: number }[]): Float64Array | null {
  if (items.every(({ weight }) => weight === items[0]!.weight)) return null;
  return Float64Array.from(items, ({ weight }) => weight);
}
