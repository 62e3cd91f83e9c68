// What waits to be exported: bounded, sent in batches, the newest refused when it is full.
//
// OpenTelemetry's batch processor, its Collector's sending queue and Envoy refuse the newest as well: what waits is part of
// traces whose other hops are on their way already. Room beyond the bound is kept for items that must not be lost to a
// flood of others (errors).
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor

import type { ExportClock, SendOutcome } from './sender.ts';

export interface ExportQueueOptions<Entry, Batch extends ExportBatch<Entry>> {
  readonly sender: BatchSender<Batch>;
  /** An empty batch. */
  readonly open: () => Batch;
  /** What may wait, on its way included. */
  readonly maxItems: number;
  /** Default 16 MiB. */
  readonly maxBytes?: number;
  readonly clock: ExportClock;
  readonly events: ExportEvents;
}

/** What becomes one request: it may take entries over as they are, or write down at once what they will be in it. */
export interface ExportBatch<Entry> {
  push(entry: Entry): unknown;
}

export interface BatchSender<Batch> {
  /** As `Sender.send`, which gets the bytes that this batch becomes. */
  send(batch: Batch): Promise<SendOutcome>;
  close(): void;
}

/** Of what stays together in one batch. */
export interface EntrySize {
  readonly items: number;
  readonly bytes: number;
}

/** What is counted of a queue. */
export interface ExportEvents {
  /** These items are given to the sender. */
  readonly onSend: (items: number, cause: 'size' | 'timer' | 'end') => void;
  readonly onOutcome: (outcome: SendOutcome, items: number) => void;
  /** They found no room. */
  readonly onDrop: (items: number) => void;
}

/** A batch leaves when it has so many items or bytes, or when its oldest has waited so long. */
export const batchLimits = { items: 512, bytes: 1024 * 1024, waitMs: 1000 } as const;

/** Requests that a collector may have to answer at a time: with one, 10,000 spans a second need answers within 50 ms. */
const maxInFlight = 4;
/** Beside the bound, for what must not be lost. */
const urgentShare = 0.25;
const defaultMaxBytes = 16 * 1024 * 1024;

interface Waiting<Batch> {
  readonly batch: Batch;
  items: number;
  bytes: number;
}

export class ExportQueue<Entry, Batch extends ExportBatch<Entry>> {
  readonly #options: ExportQueueOptions<Entry, Batch>;
  readonly #maxBytes: number;
  /** The oldest first. Entries are added to the last. */
  #waiting: Waiting<Batch>[] = [];
  #waitingItems = 0;
  #waitingBytes = 0;
  /** Of what waits and what is on its way. */
  #heldItems = 0;
  #heldBytes = 0;
  #inFlight = 0;
  /** A batch is due although it is not full, because of this. */
  #due: 'timer' | 'end' | null = null;
  #stopTimer: (() => void) | null = null;
  #onEmpty: (() => void)[] = [];

  constructor(options: ExportQueueOptions<Entry, Batch>) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
  }

  /** Items and bytes that wait or are on their way. */
  get held(): { readonly items: number; readonly bytes: number } {
    return { items: this.#heldItems, bytes: this.#heldBytes };
  }

  /** Takes an entry of this size. False: there is no room, and it is counted as dropped. `isUrgent` may use the room beyond the bound. */
  push(entry: Entry, size: EntrySize, isUrgent = false): boolean {
    const { items, bytes } = size;
    const share = isUrgent ? 1 + urgentShare : 1;
    const { maxItems, events } = this.#options;
    if (this.#heldItems + items > maxItems * share || this.#heldBytes + bytes > this.#maxBytes * share) {
      events.onDrop(items);
      return false;
    }
    const waiting = this.#lastWithRoom(items, bytes);
    waiting.batch.push(entry);
    waiting.items += items;
    waiting.bytes += bytes;
    this.#waitingItems += items;
    this.#waitingBytes += bytes;
    this.#heldItems += items;
    this.#heldBytes += bytes;
    this.#sendDue();
    return true;
  }

  /** Sends what waits now without waiting for more, as far as the collector has answered what is on its way. */
  hurry(): void {
    this.#due = 'timer';
    this.#sendDue();
  }

  /** Sends what waits without waiting for more. Resolves when nothing is held any more. */
  flush(): Promise<void> {
    if (this.#heldItems === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty.push(resolve);
    this.#due = 'end';
    this.#sendDue();
    return promise;
  }

  /** Flushes; what is not taken within `withinMs` is given up. */
  async close(withinMs: number): Promise<void> {
    const { sender, clock } = this.#options;
    const stop = clock.schedule(withinMs, () => {
      this.#discard();
      sender.close();
    });
    await this.flush();
    stop();
    sender.close();
  }

  #sendDue(): void {
    while (this.#inFlight < maxInFlight && this.#waiting.length > 0) {
      const isFull = this.#waitingItems >= batchLimits.items || this.#waitingBytes >= batchLimits.bytes;
      if (!isFull && this.#due === null) break;
      this.#send(this.#waiting.shift()!, isFull ? 'size' : this.#due!);
    }
    if (this.#waiting.length === 0) this.#due = null;
    this.#followTimer();
  }

  // It runs while something waits that is neither full nor due.
  #followTimer(): void {
    const isNeeded = this.#waiting.length > 0 && this.#due === null;
    if (!isNeeded) {
      this.#stopTimer?.();
      this.#stopTimer = null;
    } else if (this.#stopTimer === null) {
      this.#stopTimer = this.#options.clock.schedule(batchLimits.waitMs, () => {
        this.#stopTimer = null;
        this.#due = 'timer';
        this.#sendDue();
      });
    }
  }

  // An entry stays whole, in a batch of its own if need be.
  #lastWithRoom(items: number, bytes: number): Waiting<Batch> {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.items + items <= batchLimits.items && last.bytes + bytes <= batchLimits.bytes) {
      return last;
    }
    const next = { batch: this.#options.open(), items: 0, bytes: 0 };
    this.#waiting.push(next);
    return next;
  }

  #send({ batch, items, bytes }: Waiting<Batch>, cause: 'size' | 'timer' | 'end'): void {
    const { sender, events } = this.#options;
    this.#waitingItems -= items;
    this.#waitingBytes -= bytes;
    this.#inFlight++;
    events.onSend(items, cause);
    void sender.send(batch).then((outcome) => {
      this.#inFlight--;
      this.#heldItems -= items;
      this.#heldBytes -= bytes;
      events.onOutcome(outcome, items);
      this.#sendDue();
      this.#tellIfEmpty();
    });
  }

  #discard(): void {
    if (this.#waitingItems > 0) this.#options.events.onDrop(this.#waitingItems);
    this.#heldItems -= this.#waitingItems;
    this.#heldBytes -= this.#waitingBytes;
    this.#waiting = [];
    this.#waitingItems = 0;
    this.#waitingBytes = 0;
    this.#tellIfEmpty();
  }

  #tellIfEmpty(): void {
    if (this.#heldItems > 0) return;
    const resolvers = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of resolvers) resolve();
  }
}
