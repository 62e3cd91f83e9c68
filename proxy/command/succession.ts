// Joins hot restarts to the process: who came before it, and who comes after. Without the flags for it there is neither.

import { fstatSync, readSync, writeSync } from 'node:fs';
import { describeErrno } from '../../native/errno.ts';
import { createMemoryFile } from '../../native/memory-file.ts';
import { close } from '../../native/socket.ts';
import { HotRestart, HotRestartError, type HotRestartOptions } from '../hot-restart/hot-restart.ts';
import { hotRestartVersion } from '../hot-restart/message.ts';
import type { NamedDescriptor } from '../hot-restart/parent.ts';
import type { HotRestartSettings } from '../hot-restart/settings.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import { CarriedStats, writeStats } from '../telemetry/carried-stats.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import { openConnections } from '../telemetry/process-stats.ts';
import type { StatsStore } from '../telemetry/stats-store.ts';
import type { BlockAnnouncement } from '../telemetry/worker-stats.ts';
import type { ServerState } from './server-state.ts';

export interface SuccessionOptions extends Pick<HotRestartOptions, 'socketsAt' | 'namedDescriptors' | 'retire'> {
  readonly settings: HotRestartSettings | null;
  readonly state: ServerState;
  readonly store: StatsStore;
  /** Whether counters go on from where those of the parent are. */
  readonly carriesStatistics: boolean;
  /** The process must not go on. */
  readonly exit: (code: number) => never;
  readonly log: ComponentLog;
}

/** How often a process that was replaced says what it has counted. */
const statisticsIntervalMs = 5000;
/** 10,000 clusters make 20 MB. */
const maxStatisticsBytes = 128 * 1024 * 1024;

export class Succession {
  readonly #options: SuccessionOptions;
  readonly #restart: HotRestart | null;
  readonly #carried: CarriedStats;

  /** Finds the parent and listens for a successor; ends the process when that cannot be. */
  constructor(options: SuccessionOptions) {
    const { settings, state, store } = options;
    this.#options = options;
    this.#carried = new CarriedStats(store);
    this.#restart = settings && this.#begin(settings);
    if (this.#restart === null) return;
    const { firstStartedAtMs, generation } = this.#restart;
    state.setAncestry({ hotRestartVersion, firstStartedAtMs, generation, parentConnections: 0 });
    setInterval(() => this.#keepStatistics(), statisticsIntervalMs).unref();
  }

  #begin(settings: HotRestartSettings): HotRestart {
    const { exit, log, retire, state } = this.#options;
    const giveUp = (reason: string): never => {
      log.critical(`no hot restart: ${reason}`);
      return exit(1);
    };
    try {
      const restart = new HotRestart({
        ...this.#options,
        settings,
        startedAtMs: state.startedAtMs,
        random: Math.random,
        retire: () => {
          retire();
          setImmediate(() => this.#sendStatistics());
        },
        onStatistics: (file) => this.#takeStatistics(file),
        giveUp,
      });
      log.info(`hot restart is possible: base id ${restart.baseId}, restart epoch ${settings.epoch}`);
      return restart;
    } catch (error) {
      if (!(error instanceof HotRestartError)) throw error;
      return giveUp(error.message);
    }
  }

  inherit(wanted: WantedAddress): readonly number[] {
    return this.#restart?.inherit(wanted) ?? [];
  }

  /** What the process before this one passed beside listening sockets; ours. */
  get inherited(): readonly NamedDescriptor[] {
    return [...(this.#restart?.namedDescriptors ?? [])].map(([name, fd]) => ({ name, fd }));
  }

  /** Every worker serves. */
  onServing(): void {
    this.#restart?.serves();
  }

  /** Resolves when nobody before us has the admin address. */
  get adminFree(): Promise<void> {
    return this.#restart?.adminFree ?? Promise.resolve();
  }

  /** The process ends; nothing is counted any more. */
  close(): void {
    this.#sendStatistics();
    this.#restart?.close();
  }

  /** A worker counts something new, which may go on from what the parent has counted. */
  onStats({ kind }: BlockAnnouncement): void {
    if (kind === 'set') this.#carried.apply();
  }

  #keepStatistics(): void {
    this.#sendStatistics();
    this.#carried.apply();
  }

  #sendStatistics(): void {
    if (!this.#restart?.isRetiring) return;
    const { log, store } = this.#options;
    const file = createMemoryFile('outrigger-statistics');
    if (file < 0) {
      log.warn(`the successor does not hear what was counted: ${describeErrno(-file)}`);
      return;
    }
    writeWhole(file, Buffer.from(`${openConnections(store)}\n${writeStats(store.groups())}`));
    this.#restart.sendStatistics(file);
    close(file);
  }

  #takeStatistics(file: number): void {
    const { carriesStatistics, log, state } = this.#options;
    const text = readWhole(file);
    const line = text?.indexOf('\n') ?? -1;
    const connections = line < 0 ? Number.NaN : Number(text!.slice(0, line));
    const isTaken =
      Number.isSafeInteger(connections) && (!carriesStatistics || this.#carried.take(text!.slice(line + 1)));
    if (!isTaken) log.warn('what the parent has counted cannot be read');
    else state.setAncestry({ ...state.ancestry, parentConnections: connections });
  }
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Undefined when it is larger than such a file may be. */
function readWhole(file: number): string | undefined {
  const { size } = fstatSync(file);
  if (size > maxStatisticsBytes) return undefined;
  const bytes = Buffer.alloc(size);
  let at = 0;
  for (let read = -1; read !== 0 && at < size; at += read) read = readSync(file, bytes, at, size - at, at);
  return bytes.toString('utf8', 0, at);
}
