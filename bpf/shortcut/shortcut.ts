// The short-circuit as its user has it (bpf/programs/shortcut.bpf.c says what it is): opened after a self-test, or refused
// with every reason; turned off without a connection that notices; closed when nothing can be lost.
//
// Closing is the delicate part. Bytes that were redirected and not read yet lie with the socket's membership in the map:
// with the map they are gone, and their reader sees a shorter stream. So turning off leaves the map and its members alone:
// what is queued is read, what is written from then on goes by TCP, and only a map without members is closed.

import { AttachType } from '../../native/bpf-link.ts';
import { Errno } from '../../native/errno.ts';
import type { ShortcutHazard } from '../capture/settings.ts';
import { Control, endLayout, endsLayout, flowLayout, nameLayout, ShortcutCounter } from '../generated/shortcut.ts';
import { type Attachment, type AttachTarget, attach } from '../loader/attachment.ts';
import { CounterArray } from '../loader/counter-array.ts';
import { isFailure, type LoadFailure, systemFailure } from '../loader/load-failure.ts';
import { type LoadedObject, loadObject } from '../loader/loaded-object.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { LoopbackListener } from './loopback-pair.ts';
import { MemoryWatch, tcpMemoryBytes } from './memory-watch.ts';
import { findHazards, type HazardFinding } from './self-test.ts';

export interface ShortcutOptions {
  readonly files: ObjectFiles;
  /** Local connections to these ports are short-circuited: the proxy's, and the application's for inbound ones. At most 63. */
  readonly ports: readonly number[];
  /** Cgroups of both ends; this process must be in one of them, or below, for the self-test. */
  readonly cgroups: readonly AttachTarget[];
  /** Hazards that the application is known to be immune to. */
  readonly accept: readonly ShortcutHazard[];
  /** When TCP has more, the short-circuit turns itself off. When absent, a thirty-second of the machine's memory. */
  readonly mostTcpMemoryBytes?: number;
  /** Told with a sentence when it turns itself off: where TCP's memory may be filled by a reader that does not read. */
  readonly onTurnedOff?: (reason: string) => void;
  /** For the self-test: milliseconds of a clock that never goes back. */
  readonly clock?: () => number;
  /** Calls back once after a delay. When absent, `setTimeout`, which keeps no process alive. */
  readonly schedule?: (delayMs: number, callback: () => void) => void;
}

export interface ShortcutRefusal extends LoadFailure {
  /** What the self-test found, accepted or not. */
  readonly findings: readonly HazardFinding[];
}

/** Blocks for some 50 ms, half a second at most: the self-test waits for the kernel. A refusal leaves nothing behind. */
export function openShortcut(options: ShortcutOptions): Shortcut | ShortcutRefusal {
  const object = loadObject(options.files, 'shortcut', { constants: { burst_limit: BURST_LIMIT_BYTES } });
  if (isFailure(object)) return { ...object, findings: [] };
  const attachments: Attachment[] = [];
  const opened = openWith(object, attachments, options);
  if (opened instanceof Shortcut) {
    opened.watchMemory(options);
    return opened;
  }
  for (const attachment of attachments) attachment.detach();
  object.close();
  return opened;
}

export class Shortcut {
  /** The accepted hazards of this kernel. */
  readonly findings: readonly HazardFinding[];
  readonly #object: LoadedObject;
  readonly #attachments: readonly Attachment[];
  readonly #counters: CounterArray;
  #watch: MemoryWatch | undefined;
  #isOff = false;

  constructor(
    object: LoadedObject,
    held: { readonly attachments: readonly Attachment[]; readonly counters: CounterArray },
    findings: readonly HazardFinding[],
  ) {
    this.#object = object;
    this.#attachments = held.attachments;
    this.#counters = held.counters;
    this.findings = findings;
  }

  /** By name; bytes and messages of a connection are counted in portions and at its end. Throws after `close`, as all here. */
  counters(): Readonly<Record<string, number>> {
    return this.#counters.values();
  }

  /** Whether no socket is a member any more, so that nothing can be queued. */
  get isEmpty(): boolean {
    return this.#object.map('socks').nextKey(null, new Uint8Array(nameLayout.bytes)) === -Errno.ENOENT;
  }

  get isOff(): boolean {
    return this.#isOff;
  }

  /** Turns it off, and tells why, when TCP has more memory than it should. Once. */
  watchMemory({ mostTcpMemoryBytes, onTurnedOff, schedule = scheduleUnreferenced }: WatchOptions): void {
    this.#watch = new MemoryWatch({
      read: tcpMemoryBytes,
      schedule,
      ...(mostTcpMemoryBytes !== undefined && { mostBytes: mostTcpMemoryBytes }),
      onExceeded: (reason) => {
        const failure = this.turnOff();
        onTurnedOff?.(failure === undefined ? `the short-circuit is turned off: ${reason}` : failure.reason);
      },
    });
  }

  /**
   * From now on no connection is taken, and every write goes by TCP. Connections go on; for good, since a direction that
   * is TCP's stays so. A proxy calls this when its drain begins.
   */
  turnOff(): LoadFailure | undefined {
    const result = this.#object.map('control').update(wordBytes(Control.TURNED_OFF), wordBytes(1));
    if (result < 0) return systemFailure('turn off the short-circuit', result);
    this.#isOff = true;
    this.#watch?.stop();
    return undefined;
  }

  /**
   * The map of members. Whoever holds a descriptor of it keeps what is queued: a successor holds it until it is empty when
   * this process ends before.
   */
  get membersFd(): number {
    return this.#object.mapFd('socks');
  }

  /** For who takes sockets out of it (proxy/reactor/shortcut-exit.ts). The descriptors stay this one's. */
  get maps() {
    return {
      endsFd: this.#object.mapFd('ends_sc'),
      flowsFd: this.#object.mapFd('flows'),
      membersFd: this.membersFd,
      ...MAP_LAYOUT,
    };
  }

  /** Detaches and lets go of everything. Refused while sockets are members: what is queued for them would be lost. */
  close(): LoadFailure | undefined {
    if (!this.isEmpty) {
      return {
        reason: 'cannot close the short-circuit: connections are in it, and bytes they have not read would be lost',
        wayOut: 'turn it off, and close it when these connections are gone',
      };
    }
    this.#watch?.stop();
    closeAll(this.#attachments, this.#counters, this.#object);
    return undefined;
  }
}

const nameEndsAt = offsetOf(nameLayout, 'ends');
const MAP_LAYOUT = {
  nameBytes: nameLayout.bytes,
  endBytes: endLayout.bytes,
  flowBytes: flowLayout.bytes,
  selfAt: offsetOf(endLayout, 'self'),
  peerAt: offsetOf(endLayout, 'peer'),
  sideAt: offsetOf(endLayout, 'side'),
  leftAfterAt: offsetOf(flowLayout, 'leftAfter'),
  localIpAt: nameEndsAt + offsetOf(endsLayout, 'local'),
  remoteIpAt: nameEndsAt + offsetOf(endsLayout, 'remote'),
  localPortAt: nameEndsAt + offsetOf(endsLayout, 'localPort'),
  remotePortAt: nameEndsAt + offsetOf(endsLayout, 'remotePort'),
};

function offsetOf(
  layout: { readonly fields: readonly { readonly name: string; readonly offset: number }[] },
  name: string,
) {
  return layout.fields.find((field) => field.name === name)!.offset;
}

type WatchOptions = Pick<ShortcutOptions, 'mostTcpMemoryBytes' | 'onTurnedOff' | 'schedule'>;

/**
 * What one side may write until the other does before TCP takes over, each write counted as 1 KiB more: what the kernel
 * can hold of a connection whose reader does not read. Larger messages gain nothing by the short-circuit.
 */
const BURST_LIMIT_BYTES = 64 * 1024;

function openWith(
  object: LoadedObject,
  attachments: Attachment[],
  { ports, cgroups, accept, clock = monotonicMs }: ShortcutOptions,
): Shortcut | ShortcutRefusal {
  const counters = CounterArray.map(object.mapFd('counters'), ShortcutCounter);
  if (isFailure(counters)) return { ...counters, findings: [] };
  const refuse = (refusal: ShortcutRefusal) => {
    counters.unmap();
    return refusal;
  };
  const failure = attachAll(object, attachments, cgroups);
  if (failure !== undefined) return refuse({ ...failure, findings: [] });
  const findings = selfTest(object, counters, clock);
  if (isFailure(findings)) return refuse({ ...findings, findings: [] });
  const unacceptable = findings.filter(({ hazard }) => hazard === 'order' || !accept.includes(hazard));
  if (unacceptable.length > 0) return refuse(hazardRefusal(unacceptable, findings));
  const full = addPorts(object, ports);
  if (full !== undefined) return refuse({ ...full, findings });
  return new Shortcut(object, { attachments, counters }, findings);
}

/** The verdict first: a socket that becomes a member later has it from its first byte. */
function attachAll(
  object: LoadedObject,
  attachments: Attachment[],
  cgroups: readonly AttachTarget[],
): LoadFailure | undefined {
  const members = { kind: 'map', fd: object.mapFd('socks'), name: 'the map of short-circuited sockets' } as const;
  const verdict = attach(object.programFd('or_sc_msg'), members, AttachType.skMsgVerdict);
  if (isFailure(verdict)) return verdict;
  attachments.push(verdict);
  for (const cgroup of cgroups) {
    const attachment = attach(object.programFd('or_sc_sockops'), cgroup, AttachType.sockOps);
    if (isFailure(attachment)) return attachment;
    attachments.push(attachment);
  }
  return undefined;
}

/** With the programs that connections get, on a port of its own: nobody else's connection is a member meanwhile. */
function selfTest(
  object: LoadedObject,
  counters: CounterArray,
  clock: () => number,
): readonly HazardFinding[] | LoadFailure {
  const listener = LoopbackListener.open();
  if (isFailure(listener)) return listener;
  const failure = addPorts(object, [listener.port]);
  const findings = failure ?? findHazards({ listener, burstLimitBytes: BURST_LIMIT_BYTES, clock });
  listener.close();
  object.map('ports_sc').delete(portBytes(listener.port));
  if (isFailure(findings)) return findings;
  return notTaken(counters) ?? findings;
}

/** A self-test of plain TCP would find nothing, and mean nothing. */
function notTaken(counters: CounterArray): LoadFailure | undefined {
  if (counters.value(ShortcutCounter.REDIRECTED_MESSAGES) > 0) return undefined;
  if (counters.value(ShortcutCounter.ENDS_REFUSED) > 0) {
    return {
      reason:
        'the short-circuit cannot have the sockets of this process: another program of this machine keeps them in a map of its own',
      wayOut: '`bpftool map list` names it (sockhash, sockmap); a socket has one such program',
    };
  }
  return {
    reason: 'the short-circuit cannot be tried out: this process is in none of its cgroups',
    wayOut: "name the cgroup of the proxy beside the application's, or one above both",
  };
}

function hazardRefusal(found: readonly HazardFinding[], findings: readonly HazardFinding[]): ShortcutRefusal {
  const reason = `on this kernel ${found.map(({ observed, breaks }) => `${observed} (${breaks})`).join('; ')}`;
  if (found.some(({ hazard }) => hazard === 'order')) return { reason, findings };
  const names = found.map(({ hazard }) => hazard).join(', ');
  return { reason, wayOut: `where the application is known to do none of this, accept: ${names}`, findings };
}

function addPorts(object: LoadedObject, ports: readonly number[]): LoadFailure | undefined {
  for (const port of ports) {
    const result = object.map('ports_sc').update(portBytes(port), Uint8Array.of(1));
    if (result === -Errno.E2BIG) return { reason: `there is no room for port ${port} in the short-circuit: it has 63` };
    if (result < 0) return systemFailure(`add port ${port} to the short-circuit`, result);
  }
  return undefined;
}

function closeAll(attachments: readonly Attachment[], counters: CounterArray, object: LoadedObject): void {
  // Sockets first stop entering, then the verdict goes.
  for (const attachment of attachments.toReversed()) attachment.detach();
  counters.unmap();
  object.close();
}

function portBytes(port: number): Uint8Array {
  return new Uint8Array(Uint16Array.of(port).buffer);
}

function wordBytes(word: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(word).buffer);
}

const monotonicMs = () => performance.now();

function scheduleUnreferenced(delayMs: number, callback: () => void): void {
  setTimeout(callback, delayMs).unref();
}
