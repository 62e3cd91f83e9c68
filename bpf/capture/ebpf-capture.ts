// Capture by eBPF: outbound at the application's cgroup, answers to SO_ORIGINAL_DST at the proxy's, inbound at the network
// namespace. What is in place already, pinned or handed over by a process before this one, is taken over without a gap.

import { InboundCounter, ListenerSlot } from '../generated/inbound.ts';
import { OutboundCounter } from '../generated/outbound.ts';
import { CounterArray } from '../loader/counter-array.ts';
import { isFailure, type LoadFailure, systemFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import type { PinFolder } from '../loader/pin-folder.ts';
import { type Probes, programsToLeaveOut } from '../loader/probes.ts';
import { type AttachedPrograms, BegunObject, type ObjectPlaces } from './attached-programs.ts';
import type { CaptureCounters } from './capture.ts';
import { planInbound, planOutbound } from './capture-plan.ts';
import { type CaptureTargets, type FoundTargets, findTargets } from './capture-targets.ts';
import { closeHeld, describeHeld, findHeld, type HeldCapture, type NamedDescriptor } from './held-capture.ts';
import type { CaptureSettings } from './settings.ts';

export interface EbpfCaptureOptions {
  readonly settings: CaptureSettings;
  readonly targets: CaptureTargets;
  /** Where capture stays when this process goes, under the policy `closed`; null: nowhere. */
  readonly pins: PinFolder | null;
  /** Pins under the policy `open`, too: for whoever puts redirection in place and goes. */
  readonly pinsAlways?: boolean;
  /** From the process before this one; stay the caller's. */
  readonly inherited: readonly NamedDescriptor[];
  readonly files: ObjectFiles;
  readonly probes: Probes;
}

/** A failure leaves nothing attached that was not before. */
export function openEbpfCapture(options: EbpfCaptureOptions): EbpfCapture | LoadFailure {
  const targets = findTargets(options.settings, options.targets);
  if (isFailure(targets)) return targets;
  const held = findHeld(options.inherited, options.pins);
  const opened = isFailure(held) ? held : openAt(options, targets, held);
  if (!isFailure(held)) closeHeld(held);
  targets.close();
  return opened;
}

export class EbpfCapture {
  readonly #pins: PinFolder | null;
  readonly #outbound: OpenObject;
  /** Null when inbound connections are left alone. */
  readonly #inbound: OpenObject | null;

  constructor(outbound: OpenObject, inbound: OpenObject | null, pins: PinFolder | null) {
    this.#outbound = outbound;
    this.#inbound = inbound;
    this.#pins = pins;
  }

  /**
   * Inbound connections of the family go to this listening socket, and to those that share its port, until it is closed.
   * The descriptor stays the caller's.
   */
  setListener(family: 4 | 6, fd: number): LoadFailure | undefined {
    if (this.#inbound === null) return { reason: 'inbound connections are not captured here' };
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(BigInt(fd));
    const slot = family === 4 ? ListenerSlot.LISTENER4 : ListenerSlot.LISTENER6;
    const set = this.#inbound.programs.object.map('listeners').update(slotKey(slot), value);
    return set < 0 ? systemFailure(`give inbound connections of IPv${family} to this socket`, set) : undefined;
  }

  counters(): readonly CaptureCounters[] {
    return this.#objects.map(({ name, counters }) => ({ group: name, counts: counters.values() }));
  }

  /** For a process after this one; they stay this one's. */
  descriptors(): readonly NamedDescriptor[] {
    return describeHeld(heldOf(this.#objects.map(({ programs }) => programs)));
  }

  /** `stay` leaves in place what is pinned or held by another process; `detach` takes everything away. */
  release(outcome: 'detach' | 'stay'): LoadFailure | undefined {
    const failures = this.#objects.map(({ programs }) => (outcome === 'detach' ? programs.detach() : programs.close()));
    for (const { counters } of this.#objects) counters.unmap();
    if (outcome === 'detach' && this.#pins?.exists()) failures.push(this.#pins.remove());
    return failures.find((failure) => failure !== undefined);
  }

  /** Outbound first: nothing is redirected any more when its answers go. */
  get #objects(): readonly OpenObject[] {
    return this.#inbound === null ? [this.#outbound] : [this.#outbound, this.#inbound];
  }
}

interface OpenObject {
  readonly name: 'outbound' | 'inbound';
  readonly programs: AttachedPrograms;
  readonly counters: CounterArray;
}

function openAt(options: EbpfCaptureOptions, targets: FoundTargets, held: HeldCapture): EbpfCapture | LoadFailure {
  const { settings, probes } = options;
  // The larger of two: it is verified while the other is loaded and attached.
  const begun = beginObject(options, { name: 'outbound', plan: planOutbound(settings, targets), targets, held });
  if (isFailure(begun)) return begun;
  // The proxy's end first: where connections come before it is there, they are refused or pass, as the policy says.
  const hasIngressInterface = probes.find('ingress-ifindex').state === 'there';
  const { hasIstioSource6 } = targets;
  const incoming = targets.hasInbound
    ? openObject(options, {
        name: 'inbound',
        plan: planInbound(settings, { hasIngressInterface, hasIstioSource6 }),
        targets,
        held,
      })
    : null;
  if (isFailure(incoming)) {
    begun.giveUp();
    return incoming;
  }
  const outgoing = attach(begun, 'outbound');
  if (isFailure(outgoing)) {
    incoming?.programs.giveUp();
    incoming?.counters.unmap();
    return outgoing;
  }
  const pins = settings.policy === 'closed' || options.pinsAlways === true ? options.pins : null;
  const failure =
    pins === null ? undefined : pinAll(pins, options, [outgoing, ...(incoming === null ? [] : [incoming])]);
  if (failure === undefined) return new EbpfCapture(outgoing, incoming, pins);
  for (const object of [outgoing, incoming]) {
    object?.programs.giveUp();
    object?.counters.unmap();
  }
  return failure;
}

type ObjectRequest = Omit<ObjectPlaces, 'files' | 'without' | 'hasDns'>;

function openObject(options: EbpfCaptureOptions, request: ObjectRequest): OpenObject | LoadFailure {
  const begun = beginObject(options, request);
  return isFailure(begun) ? begun : attach(begun, request.name);
}

function beginObject(options: EbpfCaptureOptions, request: ObjectRequest): BegunObject | LoadFailure {
  return BegunObject.begin({
    ...request,
    files: options.files,
    without: programsToLeaveOut(options.probes),
    hasDns: options.settings.dns !== undefined,
  });
}

function attach(begun: BegunObject, name: ObjectRequest['name']): OpenObject | LoadFailure {
  const programs = begun.attach();
  if (isFailure(programs)) return programs;
  const names = name === 'outbound' ? OutboundCounter : InboundCounter;
  const counters = CounterArray.map(programs.object.mapFd('counters'), names);
  if (!isFailure(counters)) return { name, programs, counters };
  programs.giveUp();
  return counters;
}

function heldOf(programs: readonly AttachedPrograms[]): HeldCapture {
  return {
    links: new Map(programs.flatMap((attached) => [...attached.links()])),
    maps: new Map(programs.flatMap((attached) => [...attached.lastingMaps()])),
  };
}

/** What is pinned from before is replaced as a whole: links may have been added or have gone since. */
function pinAll(
  pins: PinFolder,
  { settings, targets }: EbpfCaptureOptions,
  objects: readonly OpenObject[],
): LoadFailure | undefined {
  const { links, maps } = heldOf(objects.map(({ programs }) => programs));
  const { cgroup, sidecarCgroup } = targets;
  return pins.replace({
    links: Object.fromEntries(links),
    maps: Object.fromEntries(maps),
    settings: { settings, cgroup, sidecarCgroup },
  });
}

function slotKey(slot: number): Uint8Array {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(slot);
  return key;
}
