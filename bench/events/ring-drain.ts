// The product's reader of events on the bench's ring: each event is looked at where it lies.
import { RingReader } from '../../bpf/events/ring-reader.ts';
import { ConnectionEventView } from '../../bpf/generated/events.ts';
import { isFailure } from '../../bpf/loader/load-failure.ts';

export class RingDrain {
  readonly #reader: RingReader;
  readonly #event = new ConnectionEventView();

  // Throws when the ring cannot be mapped.
  static open(mapFd: number, capacityBytes: number): RingDrain {
    const reader = RingReader.map(mapFd, capacityBytes);
    if (isFailure(reader)) throw new Error(reader.reason);
    return new RingDrain(reader);
  }

  private constructor(reader: RingReader) {
    this.#reader = reader;
  }

  // Everything that is there, oldest first; the event is valid until the callback returns.
  drain(onEvent: (event: ConnectionEventView) => void): number {
    const event = this.#event;
    return this.#reader.read(Number.MAX_SAFE_INTEGER, (view, offset) => {
      event.moveTo(view, offset);
      onEvent(event);
    });
  }

  close(): void {
    this.#reader.close();
  }
}
