// Redirection that this process sets up itself: by eBPF or by iptables, and with eBPF the short-circuit where settings ask
// for it, and events.

import { closeSync, fstatSync } from 'node:fs';
import { type Capture, openCapture } from '../../bpf/capture/capture.ts';
import { openOwnNamespace } from '../../bpf/capture/network-namespace.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { failureText, isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../bpf/loader/object-files.ts';
import { PinFolder } from '../../bpf/loader/pin-folder.ts';
import type { Shortcut } from '../../bpf/shortcut/shortcut.ts';
import type { ShortcutMaps } from '../reactor/shortcut-exit.ts';
import type { CaptureCounters } from './capture-overview.ts';
import { OwnEvents } from './own-events.ts';
import { openOwnShortcut } from './own-shortcut.ts';
import type { NamedDescriptor, Redirection, RedirectionFailure } from './redirection.ts';

export interface LocalRedirectionOptions {
  readonly mode: 'auto' | 'ebpf' | 'iptables';
  readonly settings: CaptureSettings;
  /** Of the process before this one; stay the caller's. */
  readonly inherited: readonly NamedDescriptor[];
}

/** What is attached is attached when this returns. */
export function openLocalRedirection(options: LocalRedirectionOptions): Redirection | RedirectionFailure {
  const { mode, settings, inherited } = options;
  const notes: string[] = [];
  const pins = findPins();
  const capture = openCapture({ mode, settings, targets: {}, pins: isFailure(pins) ? null : pins, inherited });
  if (isFailure(capture)) return { problem: failureText(capture), notes };
  notes.push(...capture.explain, ...settlePins(pins, capture, settings));
  const extras = openExtras(capture.kind, settings, notes);
  return new LocalRedirection(capture, extras, notes);
}

class LocalRedirection implements Redirection {
  readonly by: string | null;
  readonly notes: readonly string[];
  readonly problem = null;
  readonly #capture: Capture;
  readonly #shortcut: Shortcut | null;
  readonly #events: OwnEvents | null;

  constructor(capture: Capture, { shortcut, events }: Extras, notes: readonly string[]) {
    this.by = NAMES[capture.kind];
    this.notes = notes;
    this.#capture = capture;
    this.#shortcut = shortcut;
    this.#events = events;
  }

  get shortcutMaps(): ShortcutMaps | null {
    return this.#shortcut === null ? null : this.#shortcut.maps;
  }

  setListener(family: 4 | 6, fd: number): string | undefined {
    const failure = this.#capture.setListener(family, fd);
    return failure && failureText(failure);
  }

  counters(): readonly CaptureCounters[] {
    const [shortcut, events] = [this.#shortcut, this.#events];
    return [
      ...this.#capture.counters(),
      ...(shortcut === null ? [] : [{ group: 'short-circuit', counts: shortcut.counters() }]),
      ...(events === null ? [] : [{ group: 'events', counts: events.counts() }]),
    ];
  }

  descriptors(): readonly NamedDescriptor[] {
    const shortcut = this.#shortcut;
    return [
      ...this.#capture.descriptors(),
      // What is queued past TCP lives as long as this map does: whoever holds it keeps it.
      ...(shortcut === null ? [] : [{ name: 'shortcut-members', fd: shortcut.membersFd }]),
    ];
  }

  /** Both processes have it: links and maps are the same. */
  handOver(): void {}

  /** What the application writes from now on goes by TCP, so that nothing is queued when the process ends. */
  stopListening(): void {
    this.#shortcut?.turnOff();
  }

  release(outcome: 'detach' | 'stay'): string | undefined {
    this.#events?.close();
    // Refused while bytes are queued in it. They are read as long as a successor holds its map, and else end with the process.
    this.#shortcut?.close();
    const failure = this.#capture.release(outcome);
    return failure && failureText(failure);
  }
}

const NAMES = { ebpf: 'eBPF', iptables: 'iptables', none: null } as const;

/** The same for every process of the pod, whatever becomes of its containers. */
function findPins(): PinFolder | LoadFailure {
  const namespace = openOwnNamespace();
  const { ino } = fstatSync(namespace, { bigint: true });
  closeSync(namespace);
  return PinFolder.at({ name: `netns-${ino}` });
}

/**
 * What a process before this one left in place goes when this one captures in another way, or wants no pins; closed, it
 * stays when there is no way at all. Returns what an operator should know.
 */
function settlePins(
  pins: PinFolder | LoadFailure,
  { kind }: Pick<Capture, 'kind'>,
  { policy }: CaptureSettings,
): readonly string[] {
  const wantsPins = kind === 'ebpf' && policy === 'closed';
  if (isFailure(pins)) return wantsPins ? [failureText(pins)] : [];
  if (wantsPins || !pins.exists()) return [];
  if (kind === 'none' && policy === 'closed') return ['what was captured before still is, since the policy is closed'];
  const failure = pins.remove();
  return failure === undefined ? [] : [`what was captured before still is, beside this: ${failureText(failure)}`];
}

interface Extras {
  readonly shortcut: Shortcut | null;
  readonly events: OwnEvents | null;
}

/** Each that is wanted and cannot be had is a note: connections are captured without it. */
function openExtras(kind: Capture['kind'], settings: CaptureSettings, notes: string[]): Extras {
  const open = <Opened extends object>(what: string, opener: (files: ObjectFiles) => Opened | LoadFailure) => {
    const needed = kind === 'ebpf' ? ObjectFiles.open() : { reason: 'it takes eBPF' };
    const opened = isFailure(needed) ? needed : opener(needed);
    if (!isFailure(opened)) return opened;
    notes.push(`${what} off: ${failureText(opened)}`);
    return null;
  };
  const { shortcut, events } = settings;
  return {
    shortcut: shortcut.enabled ? open('the short-circuit is', (ours) => openOwnShortcut(settings, ours)) : null,
    events: events ? open('events are', (ours) => OwnEvents.open(settings, ours)) : null,
  };
}
