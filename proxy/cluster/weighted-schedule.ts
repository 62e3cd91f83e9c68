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
    // An array sorted by deadline is a heap.
    const sorted = Array.from(weights, (weight, item) => ({ deadline: 1 / weight, item }));
    sorted.sort((a, b) => a.deadline - b.deadline || a.item - b.item);
    this.#deadlines = Float64Array.from(sorted, (entry) => entry.deadline);
    this.#items = Uint32Array.from(sorted, (entry) => entry.item);
    this.#orders = Float64Array.from(sorted, (entry) => entry.item);
    this.#nextOrder = weights.length;
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
}
