// Joins hot restarts to the process: who came before it, and who comes after. Without the flags for it there is neither.

import { HotRestart, HotRestartError, type HotRestartOptions } from '../hot-restart/hot-restart.ts';
import type { NamedDescriptor } from '../hot-restart/parent.ts';
import type { HotRestartSettings } from '../hot-restart/settings.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';

export interface SuccessionOptions extends Pick<HotRestartOptions, 'socketsAt' | 'namedDescriptors' | 'startedAtMs'> {
  readonly settings: HotRestartSettings | null;
  /** A successor serves: this process gives the admin address up and accepts nothing more. */
  readonly retire: () => void;
  /** The process must not go on. */
  readonly exit: (code: number) => never;
  readonly log: ComponentLog;
}

export class Succession {
  readonly #restart: HotRestart | null;

  /** Finds the parent and listens for a successor; ends the process when that cannot be. */
  constructor({ settings, exit, log, ...options }: SuccessionOptions) {
    const giveUp = (reason: string): never => {
      log.critical(`no hot restart: ${reason}`);
      return exit(1);
    };
    const parts = { ...options, log, giveUp, onStatistics: () => undefined, random: Math.random };
    this.#restart = settings && begin({ ...parts, settings });
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

  /** A successor serves in our place. */
  get isRetiring(): boolean {
    return this.#restart?.isRetiring ?? false;
  }

  /** The process ends. */
  close(): void {
    this.#restart?.close();
  }
}

function begin(options: HotRestartOptions): HotRestart {
  const { giveUp, log, settings } = options;
  try {
    const restart = new HotRestart(options);
    log.info(`hot restart is possible: base id ${restart.baseId}, restart epoch ${settings.epoch}`);
    return restart;
  } catch (error) {
    if (!(error instanceof HotRestartError)) throw error;
    return giveUp(error.message);
  }
}
