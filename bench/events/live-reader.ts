// Reads events as the product does, its ring, its turns and its counters, on the bench's own thread; and how long that thread
// was away from the ring at most, which is what a loss comes of.
import { EventStream } from '../../bpf/events/event-stream.ts';
import { RingReader } from '../../bpf/events/ring-reader.ts';
import { type ConnectionEventView, EventsCounter } from '../../bpf/generated/events.ts';
import { CounterArray } from '../../bpf/loader/counter-array.ts';
import { isFailure } from '../../bpf/loader/load-failure.ts';
import type { EventSource } from './event-source.ts';

export class LiveReader {
  read = 0;
  longestAwayMs = 0;
  readonly #ring: RingReader;
  readonly #counters: CounterArray;
  readonly #stream: EventStream;
  #lookedAt = performance.now();

  // Begins at once. Throws when the ring cannot be mapped.
  static start(source: EventSource, onEvent: (event: ConnectionEventView) => void): LiveReader {
    const ring = RingReader.map(source.mapFd('ring'), source.ringBytes);
    if (isFailure(ring)) throw new Error(ring.reason);
    const counters = CounterArray.map(source.countersFd, EventsCounter);
    if (isFailure(counters)) throw new Error(counters.reason);
    return new LiveReader(ring, counters, onEvent);
  }

  private constructor(ring: RingReader, counters: CounterArray, onEvent: (event: ConnectionEventView) => void) {
    this.#ring = ring;
    this.#counters = counters;
    this.#stream = new EventStream({
      ring,
      counters,
      onEvent: (event) => {
        this.read++;
        onEvent(event);
      },
      onLost: () => undefined,
      schedule: (delayMs, callback) => setTimeout(() => this.#look(callback), delayMs),
    });
  }

  // Reads what is left.
  stop(): void {
    this.#look(() => this.#stream.stop());
    this.#ring.close();
    this.#counters.unmap();
  }

  #look(read: () => void): void {
    this.longestAwayMs = Math.max(this.longestAwayMs, performance.now() - this.#lookedAt);
    read();
    this.#lookedAt = performance.now();
  }
}
