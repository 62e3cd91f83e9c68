// Redirection that this process sets up itself: by eBPF or by iptables, and with eBPF the short-circuit where settings ask
// for it.

import { closeSync, fstatSync } from 'node:fs';
import { type Capture, openCapture } from '../../bpf/capture/capture.ts';
import { openOwnNamespace } from '../../bpf/capture/network-namespace.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { failureText, isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../bpf/loader/object-files.ts';
import { PinFolder } from '../../bpf/loader/pin-folder.ts';
import type { Shortcut } from '../../bpf/shortcut/shortcut.ts';
import type { CaptureCounters } from './capture-overview.ts';
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
  const shortcut = settings.shortcut.enabled ? findShortcut(capture, settings, notes) : null;
  return new LocalRedirection(capture, shortcut, notes);
}

class LocalRedirection implements Redirection {
  readonly by: string | null;
  readonly notes: readonly string[];
  readonly problem = null;
  readonly #capture: Capture;
  readonly #shortcut: Shortcut | null;

  constructor(capture: Capture, shortcut: Shortcut | null, notes: readonly string[]) {
    this.by = NAMES[capture.kind];
    this.notes = notes;
    this.#capture = capture;
    this.#shortcut = shortcut;
  }

  get hasShortcut(): boolean {
    return this.#shortcut !== null;
  }

  setListener(family: 4 | 6, fd: number): string | undefined {
    const failure = this.#capture.setListener(family, fd);
    return failure && failureText(failure);
  }

  counters(): readonly CaptureCounters[] {
    const shortcut = this.#shortcut;
    return [
      ...this.#capture.counters(),
      ...(shortcut === null ? [] : [{ group: 'short-circuit', counts: shortcut.counters() }]),
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

  /** What the application writes from now on goes by TCP, so that nothing is queued when the process ends. */
  stopListening(): void {
    this.#shortcut?.turnOff();
  }

  release(outcome: 'detach' | 'stay'): string | undefined {
    const failures = [this.#shortcut?.close(), this.#capture.release(outcome)];
    const failure = failures.find((each) => each !== undefined);
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

/** What a process before this one left in place and this one does not want goes. Returns what an operator should know. */
function settlePins(
  pins: PinFolder | LoadFailure,
  { kind }: Pick<Capture, 'kind'>,
  { policy }: CaptureSettings,
): readonly string[] {
  const wantsPins = kind === 'ebpf' && policy === 'closed';
  if (isFailure(pins)) return wantsPins ? [failureText(pins)] : [];
  if (wantsPins || !pins.exists()) return [];
  const failure = pins.remove();
  return failure === undefined ? [] : [`what was captured before still is, beside this: ${failureText(failure)}`];
}

function findShortcut(capture: Capture, settings: CaptureSettings, notes: string[]): Shortcut | null {
  if (capture.kind !== 'ebpf') {
    notes.push('the short-circuit is off: it takes eBPF');
    return null;
  }
  const files = ObjectFiles.open();
  const shortcut = isFailure(files) ? files : openOwnShortcut(settings, files);
  if (!isFailure(shortcut)) return shortcut;
  notes.push(`the short-circuit is off: ${failureText(shortcut)}`);
  return null;
}
