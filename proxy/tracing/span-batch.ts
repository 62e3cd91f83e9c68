// Records of kept requests on their way to the main thread: they are written one behind the other into one buffer, which leaves
// when it is large enough or its time has come.
//
// The main thread may be slow. Batches that it has not taken are counted, and when there are too many the newest records are
// dropped: first those of plain requests, then those of errors, so that memory is bounded and an incident is still seen.

import { Timer, type TimerWheel } from '../reactor/timer-wheel.ts';
import { SpanWriter } from './span-writer.ts';

export interface SpanBatchOptions {
  readonly timers: TimerWheel;
  /** Takes the buffer over. */
  readonly publish: (bytes: Uint8Array<ArrayBuffer>, count: number) => void;
}

/** A batch of this size leaves at once. */
const flushSizeBytes = 256 * 1024;
/** A record that was chosen waits so long at most: the main thread holds it for a second more. */
const flushIntervalMs = 1000;
/** One of an error, of a slow request: an operator who looks at the admin page should not notice. */
const outcomeIntervalMs = 200;
/** Batches that the main thread has not taken: 2 MiB a worker, or 100 ms of it at 20,000 kept requests a second. */
const maxUntaken = 8;
/** While none may leave, records of errors are added up to here. */
const fullBytes = 2 * flushSizeBytes;

export class SpanBatch {
  readonly writer = new SpanWriter(4 * 1024);
  readonly #options: SpanBatchOptions;
  readonly #timer = new Timer(() => this.flush());
  readonly #outcomeTimer = new Timer(() => this.flush());
  #count = 0;
  #untaken = 0;

  constructor(options: SpanBatchOptions) {
    this.#options = options;
  }

  /** Whether there is room for one more record. To be asked before it is written. */
  hasRoom(isError: boolean): boolean {
    return this.#untaken < maxUntaken || this.writer.used < (isError ? fullBytes : flushSizeBytes);
  }

  /** A record was written, of a request that probability chose, or else for its outcome. */
  onWritten(isChosen: boolean): void {
    const { timers } = this.#options;
    this.#count++;
    if (this.writer.used >= flushSizeBytes) this.flush();
    else if (!isChosen && !this.#outcomeTimer.isArmed) timers.schedule(this.#outcomeTimer, outcomeIntervalMs);
    else if (this.#count === 1) timers.schedule(this.#timer, flushIntervalMs);
  }

  /** The main thread took one batch. What waits for its time goes on waiting, unless it was held back. */
  onTaken(): void {
    const wasHeld = this.#untaken >= maxUntaken;
    if (this.#untaken > 0) this.#untaken--;
    // Otherwise each answer called for the next batch: the main thread woke 33 times a second instead of 21 at 150 records.
    if (wasHeld) this.flush();
  }

  /** Sends what waits, if the main thread is not too far behind. */
  flush(): void {
    if (this.#count === 0 || this.#untaken >= maxUntaken) return;
    this.#send();
  }

  /** Sends what waits in any case: the worker ends. */
  finish(): void {
    if (this.#count > 0) this.#send();
  }

  #send(): void {
    const { writer } = this;
    const bytes = Buffer.allocUnsafeSlow(writer.used);
    writer.bytes.copy(bytes, 0, 0, writer.used);
    const count = this.#count;
    writer.used = 0;
    this.#count = 0;
    this.#untaken++;
    this.#options.timers.cancel(this.#timer);
    this.#options.timers.cancel(this.#outcomeTimer);
    this.#options.publish(bytes, count);
  }
}
