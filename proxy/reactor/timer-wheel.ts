// Timers by the million, each set, moved or cancelled in constant time: a hierarchical wheel (Varghese and Lauck, "Hashed
// and Hierarchical Timing Wheels", 1987). Five levels of 64 slots over ticks of one millisecond; a timer further away
// than a level's revolution waits in a coarser one and is moved down when its slot comes up. A heap would cost a
// logarithm for each request that sets a timeout it never meets.

/** What happens once, unless cancelled before. Links live in the timer itself, so arming allocates nothing. */
export class Timer {
  readonly onTimeout: () => void;
  /** For the wheel only: when it is due, and its neighbours; `next` is undefined while it is not armed. */
  deadlineMs = 0;
  next: Timer | undefined;
  previous: Timer | undefined;

  constructor(onTimeout: () => void) {
    this.onTimeout = onTimeout;
  }

  get isArmed(): boolean {
    return this.next !== undefined;
  }
}

export class TimerWheel {
  readonly #slots: Timer[] = [];
  /** The last whole millisecond whose timers were fired. */
  #tick: number;
  #nowMs: number;
  #count = 0;
  /** No timer needs `advance` before this tick; stale (too early) after a cancel, unknown when -1. */
  #earliestTick = Number.POSITIVE_INFINITY;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
    this.#tick = Math.floor(nowMs);
    for (let index = 0; index < LEVELS * SLOTS; index++) this.#slots.push(emptySlot());
  }

  get armedCount(): number {
    return this.#count;
  }

  /** Tells the time that later calls of `schedule` count from; fires nothing. */
  observe(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Fires `timer` at least `delayMs` from the observed time; an armed timer is moved. */
  schedule(timer: Timer, delayMs: number): void {
    this.cancel(timer);
    timer.deadlineMs = this.#nowMs + delayMs;
    this.#place(timer);
    this.#count++;
    const dueTick = this.#dueTick(timer);
    if (dueTick < this.#earliestTick) this.#earliestTick = dueTick;
  }

  /** Nothing when the timer is not armed. */
  cancel(timer: Timer): void {
    if (timer.next === undefined) return;
    unlink(timer);
    this.#count--;
  }

  /** Observes the time and fires what is due, earliest first; timers set meanwhile for now or the past come later. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    const end = Math.floor(nowMs);
    if (this.#earliestTick <= end) this.#earliestTick = UNKNOWN;
    while (this.#tick < end) {
      // After a long sleep the ticks without timers are skipped: a step each would cost 10 us a second.
      if (this.#count === 0) this.#tick = end;
      else if (end - this.#tick > SLOTS) this.#tick = Math.min(end + 1, this.#findEarliestTick()) - 1;
      if (this.#tick === end) return;
      this.#tick++;
      this.#cascade();
      this.#fire(this.#slots[this.#tick & SLOT_MASK]!);
    }
  }

  /** How long `advance` has nothing to do after `nowMs`; Infinity without timers. May be too short, never too long. */
  nextDelayMs(nowMs: number): number {
    if (this.#count === 0) return Number.POSITIVE_INFINITY;
    if (this.#earliestTick === UNKNOWN) this.#earliestTick = this.#findEarliestTick();
    return Math.max(0, this.#earliestTick - nowMs);
  }

  #dueTick(timer: Timer): number {
    return Math.max(Math.ceil(timer.deadlineMs), this.#tick + 1);
  }

  #place(timer: Timer): void {
    // Beyond the last level a timer waits in the furthest slot and is placed anew from there.
    const distance = Math.min(this.#dueTick(timer) - this.#tick, MAX_DISTANCE);
    let level = 0;
    while (distance >= SPANS[level]!) level++;
    // Bit operations take the tick modulo 2^32, of which every level's revolution is a divisor: no end after 24 days.
    const index = ((this.#tick + distance) >>> (level * SLOT_BITS)) & SLOT_MASK;
    link(this.#slots[level * SLOTS + index]!, timer);
  }

  /** Where a level begins a revolution, the next slot of the level above it is spread over it. */
  #cascade(): void {
    for (let level = 1; level < LEVELS; level++) {
      if (((this.#tick >>> ((level - 1) * SLOT_BITS)) & SLOT_MASK) !== 0) return;
      const slot = this.#slots[level * SLOTS + ((this.#tick >>> (level * SLOT_BITS)) & SLOT_MASK)]!;
      let timer = slot.next!;
      slot.next = slot;
      slot.previous = slot;
      while (timer !== slot) {
        const next = timer.next!;
        this.#placeCascaded(timer);
        timer = next;
      }
    }
  }

  #placeCascaded(timer: Timer): void {
    if (timer.deadlineMs <= this.#tick) link(this.#slots[this.#tick & SLOT_MASK]!, timer);
    else this.#place(timer);
  }

  #fire(slot: Timer): void {
    for (let timer = slot.next!; timer !== slot; timer = slot.next!) {
      unlink(timer);
      this.#count--;
      timer.onTimeout();
    }
  }

  /** The first tick at which a slot of any level that holds timers comes up. */
  #findEarliestTick(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level++) {
      const slotTicks = 2 ** (level * SLOT_BITS);
      const current = Math.floor(this.#tick / slotTicks);
      for (let step = 1; step <= SLOTS; step++) {
        const slot = this.#slots[level * SLOTS + ((current + step) & SLOT_MASK)]!;
        if (slot.next === slot) continue;
        earliest = Math.min(earliest, (current + step) * slotTicks);
        break;
      }
    }
    return earliest;
  }
}

const UNKNOWN = -1;
const LEVELS = 5;
const SLOT_BITS = 6;
const SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS - 1;
/** Distances below which a timer goes to the level. */
const SPANS = [1, 2, 3, 4, 5].map((level) => 2 ** (level * SLOT_BITS));
const MAX_DISTANCE = 2 ** (LEVELS * SLOT_BITS) - 1;

/** A slot is a ring that begins and ends with a timer that is never fired. */
function emptySlot(): Timer {
  const slot = new Timer(neverFires);
  slot.next = slot;
  slot.previous = slot;
  return slot;
}

function neverFires(): void {
  throw new Error('the head of a timer slot is no timer');
}

function link(slot: Timer, timer: Timer): void {
  const last = slot.previous!;
  timer.previous = last;
  timer.next = slot;
  last.next = timer;
  slot.previous = timer;
}

function unlink(timer: Timer): void {
  timer.previous!.next = timer.next;
  timer.next!.previous = timer.previous;
  timer.next = undefined;
  timer.previous = undefined;
}
