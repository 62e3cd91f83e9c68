// The life of the application's connections as the kernel tells it (`events: true`), added up for `/capture`: single
// connections are for `outrigger bpf events`.

import { findTargets } from '../../bpf/capture/capture-targets.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { type Events, openEvents } from '../../bpf/events/events.ts';
import { type ConnectionEventView, EventKind } from '../../bpf/generated/events.ts';
import { isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import type { ObjectFiles } from '../../bpf/loader/object-files.ts';

export class OwnEvents {
  readonly #totals: ConnectionTotals;
  readonly #events: Events;

  static open(settings: CaptureSettings, files: ObjectFiles): OwnEvents | LoadFailure {
    const targets = findTargets(settings, { netnsFd: null });
    if (isFailure(targets)) return targets;
    const totals = new ConnectionTotals();
    const events = openEvents({
      files,
      cgroups: [targets.places.application!],
      ringBytes: settings.eventRingMib * MIB,
      onEvent: (event) => totals.add(event),
      onLost: () => undefined,
    });
    targets.close();
    return isFailure(events) ? events : new OwnEvents(events, totals);
  }

  private constructor(events: Events, totals: ConnectionTotals) {
    this.#events = events;
    this.#totals = totals;
  }

  /** What was read, and what of it the kernel had no room for. */
  counts(): Readonly<Record<string, number>> {
    return { ...this.#totals.counts(), events_lost: this.#events.counters()['events_lost'] ?? 0 };
  }

  close(): void {
    this.#events.close();
  }
}

const MIB = 1024 * 1024;

export class ConnectionTotals {
  #opened = 0;
  #accepted = 0;
  #closed = 0;
  #failed = 0;
  #receivedBytes = 0;
  #sentBytes = 0;
  #retransmits = 0;

  add({ kind, bytesReceived, bytesAcked, retransmits }: ConnectionEventView): void {
    if (kind === EventKind.OPENED_ACTIVE) this.#opened++;
    else if (kind === EventKind.OPENED_PASSIVE) this.#accepted++;
    else {
      if (kind === EventKind.CLOSED) this.#closed++;
      else this.#failed++;
      this.#receivedBytes += bytesReceived;
      this.#sentBytes += bytesAcked;
      this.#retransmits += retransmits;
    }
  }

  counts(): Readonly<Record<string, number>> {
    return {
      connections_opened: this.#opened,
      connections_accepted: this.#accepted,
      connections_closed: this.#closed,
      connects_failed: this.#failed,
      bytes_received: this.#receivedBytes,
      bytes_sent: this.#sentBytes,
      retransmits: this.#retransmits,
    };
  }
}
