// A process between the one before it and the one after it. Made once, on the main thread, before listeners are opened.

import { writeFileSync } from 'node:fs';
import { cannotBeWritten } from '../../config/unreadable-file.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import { HotRestartParent, type ParentOptions } from './parent.ts';
import { closeRendezvous, openRendezvous, openUnusedRendezvous, type Rendezvous } from './rendezvous.ts';
import type { HotRestartSettings } from './settings.ts';
import { HotRestartSuccessor, introduce, type SuccessorOptions, type Welcome } from './successor.ts';

export interface HotRestartOptions
  extends Pick<ParentOptions, 'socketsAt' | 'namedDescriptors' | 'retire' | 'log'>,
    Pick<SuccessorOptions, 'onStatistics' | 'giveUp'> {
  readonly settings: HotRestartSettings;
  /** Of this process, milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly random: () => number;
}

/** The process must not start; the message says why. */
export class HotRestartError extends Error {}

export class HotRestart {
  /** How often a process was replaced by the next. */
  readonly generation: number;
  /** Of the first process of all, milliseconds since the epoch. */
  readonly firstStartedAtMs: number;
  /** What the parent passed beside listening sockets; ours. */
  readonly namedDescriptors: ReadonlyMap<string, number>;
  readonly baseId: number;
  readonly #rendezvous: Rendezvous;
  readonly #parent: HotRestartParent;
  readonly #successor: HotRestartSuccessor | null;
  #isRendezvousOpen = true;

  /** Finds the parent, if there is to be one, and listens for a successor. Throws `HotRestartError`. */
  constructor(options: HotRestartOptions) {
    const { settings, startedAtMs, log } = options;
    this.#rendezvous = openOwn(options);
    this.baseId = this.#rendezvous.baseId;
    const found = settings.epoch === 0 ? null : findParent(options, this.#rendezvous);
    const welcome: Welcome = found?.welcome ?? { generation: 0, firstStartedAtMs: startedAtMs, namedDescriptors };
    this.generation = welcome.generation + 1;
    this.firstStartedAtMs = welcome.firstStartedAtMs;
    this.namedDescriptors = welcome.namedDescriptors;
    const { onStatistics, giveUp } = options;
    this.#successor = found && new HotRestartSuccessor(found.channel, { onStatistics, giveUp, log });
    this.#parent = new HotRestartParent({
      fd: this.#rendezvous.fd,
      epoch: settings.epoch,
      generation: this.generation,
      firstStartedAtMs: this.firstStartedAtMs,
      socketsAt: options.socketsAt,
      namedDescriptors: options.namedDescriptors,
      retire: options.retire,
      log,
    });
  }

  /** The parent's sockets for an address; the caller owns them. */
  inherit(wanted: WantedAddress): readonly number[] {
    return this.#successor?.inherit(wanted) ?? [];
  }

  /** Every worker serves: the parent retires, and a successor is welcome. Again without effect. */
  serves(): void {
    this.#successor?.serves();
    this.#parent.serves();
  }

  /** Resolves when no parent has the admin address any more. */
  get adminFree(): Promise<void> {
    return this.#successor?.adminFree ?? Promise.resolve();
  }

  /** A successor serves in our place. */
  get isRetiring(): boolean {
    return this.#parent.isRetiring;
  }

  /** Gives the successor that has replaced us a file of what we have counted. It stays ours. */
  sendStatistics(file: number): void {
    this.#parent.sendStatistics(file);
  }

  /** The process ends. */
  close(): void {
    if (!this.#isRendezvousOpen) return;
    this.#isRendezvousOpen = false;
    this.#parent.close();
    this.#successor?.close();
    closeRendezvous(this.#rendezvous);
  }
}

function openOwn({ settings, random }: HotRestartOptions): Rendezvous {
  const { baseId, baseIdPath } = settings;
  const own = baseId === 'dynamic' ? openUnusedRendezvous(settings, random) : openRendezvous({ ...settings, baseId });
  if (typeof own === 'string') throw new HotRestartError(own);
  if (baseIdPath !== undefined) writeBaseId(baseIdPath, own);
  return own;
}

function writeBaseId(path: string, own: Rendezvous): void {
  try {
    writeFileSync(path, `${own.baseId}`);
  } catch (error) {
    closeRendezvous(own);
    throw new HotRestartError(`the base id is not kept: ${path} ${cannotBeWritten(path, error)}`);
  }
}

function findParent({ settings, log }: HotRestartOptions, own: Rendezvous) {
  const { baseId } = own;
  const { epoch, startsWithoutParent } = settings;
  const found = introduce({ ...settings, baseId, epoch: epoch - 1 }, epoch);
  if (found.kind === 'welcome') return found;
  if (found.kind === 'absent' && startsWithoutParent) {
    log.warn(`${found.reason}: this process starts without a parent`);
    return null;
  }
  closeRendezvous(own);
  throw new HotRestartError(found.reason);
}

const namedDescriptors: ReadonlyMap<string, number> = new Map();
