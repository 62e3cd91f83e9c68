// Connection events of cgroups: the programs loaded and attached, their ring mapped and read.

import { AttachType } from '../../native/bpf-link.ts';
import { pageBytes } from '../../native/page-size.ts';
import { type ConnectionEventView, EventsCounter } from '../generated/events.ts';
import { type Attachment, type AttachTarget, attach } from '../loader/attachment.ts';
import { CounterArray } from '../loader/counter-array.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { type LoadedObject, loadObject } from '../loader/loaded-object.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { EventStream } from './event-stream.ts';
import { RingReader } from './ring-reader.ts';

export interface EventsOptions {
  readonly files: ObjectFiles;
  /** Of the applications, none of them below another. */
  readonly cgroups: readonly AttachTarget[];
  /** Valid until it returns. */
  readonly onEvent: (event: ConnectionEventView) => void;
  /** So many events found no room since the last call. */
  readonly onLost: (count: number) => void;
  /** Calls back once after a delay. When absent, `setTimeout`, which keeps no process alive. */
  readonly schedule?: (delayMs: number, callback: () => void) => void;
  /** One connection in so many is reported. When absent, each. */
  readonly sampleOneIn?: number;
  /** A power of two, and whole pages. When absent, 4 MiB, which are 30,000 events. */
  readonly ringBytes?: number;
  /**
   * Descriptor of the map `sk_orig` of the loaded object `outbound`: events then say where a redirected connection was
   * going. Stays the caller's.
   */
  readonly originalsFd?: number;
}

/** A failure leaves nothing behind. */
export function openEvents(options: EventsOptions): Events | LoadFailure {
  const { files, sampleOneIn = 1, ringBytes = DEFAULT_RING_BYTES, originalsFd } = options;
  if (ringBytes < pageBytes() || !Number.isInteger(Math.log2(ringBytes))) {
    return { reason: `a ring of ${ringBytes} bytes cannot be: it has a power of two, ${pageBytes()} at least` };
  }
  const object = loadObject(files, 'events', {
    constants: { sample_one_in: sampleOneIn },
    maxEntries: { events: ringBytes },
    reuse: originalsFd === undefined ? {} : { sk_orig: originalsFd },
  });
  if (isFailure(object)) return object;
  const parts = openParts(object, options);
  if (isFailure(parts)) object.close();
  return isFailure(parts) ? parts : new Events(object, parts, options);
}

export class Events {
  readonly #object: LoadedObject;
  readonly #parts: EventsParts;
  readonly #stream: EventStream;

  constructor(
    object: LoadedObject,
    parts: EventsParts,
    { onEvent, onLost, schedule = scheduleUnreferenced }: EventsOptions,
  ) {
    this.#object = object;
    this.#parts = parts;
    this.#stream = new EventStream({ ...parts, onEvent, onLost, schedule });
  }

  /** By name: written, lost, connections left out. Throws after `close`. */
  counters(): Readonly<Record<string, number>> {
    return this.#parts.counters.values();
  }

  /** Detaches; what is in the ring is handed over before this returns. */
  close(): void {
    const { attachments, ring, counters } = this.#parts;
    for (const attachment of attachments) attachment.detach();
    this.#stream.stop();
    ring.close();
    counters.unmap();
    this.#object.close();
  }
}

interface EventsParts {
  readonly attachments: readonly Attachment[];
  readonly ring: RingReader;
  readonly counters: CounterArray;
}

/**
 * 154 ms of 200,000 events a second. With twenty runnable processes for two cores the reader's thread was away from the ring
 * for up to 102 ms in 16 runs, and for 193 in another. Of four runs each 1 MiB lost events in three, up to 1.5 %; 2 MiB none,
 * by chance once (away 80 ms, room for 77); 4 and 8 MiB none. Whoever makes the ring is charged for all of it at once: 4.4 MB
 * of a memory cgroup.
 */
export const DEFAULT_RING_BYTES = 4 * 1024 * 1024;

function openParts(object: LoadedObject, { cgroups, ringBytes = DEFAULT_RING_BYTES }: EventsOptions) {
  const counters = CounterArray.map(object.mapFd('counters'), EventsCounter);
  if (isFailure(counters)) return counters;
  const ring = RingReader.map(object.mapFd('events'), ringBytes);
  if (isFailure(ring)) {
    counters.unmap();
    return ring;
  }
  const attachments: Attachment[] = [];
  for (const cgroup of cgroups) {
    const attachment = attach(object.programFd('or_ev_sockops'), cgroup, AttachType.sockOps);
    if (isFailure(attachment)) {
      for (const other of attachments) other.detach();
      ring.close();
      counters.unmap();
      return attachment;
    }
    attachments.push(attachment);
  }
  return { attachments, ring, counters };
}

function scheduleUnreferenced(delayMs: number, callback: () => void): void {
  setTimeout(callback, delayMs).unref();
}
