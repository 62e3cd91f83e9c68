// Folders whose files belong to secrets, each watched once, however many secrets are in it.

import type { DiscoveryLog, Schedule } from '../client/discovery.ts';
import { FolderWatch } from '../client/folder-watch.ts';

/** One rotation moves several files: what happens within this is one event. */
const gatherMs = 100;

export class WatchedFolders {
  readonly #schedule: Schedule;
  readonly #log: DiscoveryLog;
  readonly #folders = new Map<string, WatchedFolder>();

  constructor(schedule: Schedule, log: DiscoveryLog) {
    this.#schedule = schedule;
    this.#log = log;
  }

  /** Calls back when something was moved there. Returns what ends it. */
  watch(directory: string, onMoved: () => void): () => void {
    let folder = this.#folders.get(directory);
    if (folder === undefined) {
      folder = this.#open(directory);
      this.#folders.set(directory, folder);
    }
    const { callbacks } = folder;
    // Two users may bring the same function.
    const callback = () => onMoved();
    callbacks.add(callback);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.#close(directory);
    };
  }

  stop(): void {
    for (const directory of [...this.#folders.keys()]) this.#close(directory);
  }

  #open(directory: string): WatchedFolder {
    const schedule = this.#schedule;
    const callbacks = new Set<() => void>();
    const folder: WatchedFolder = { callbacks, stopGathering: undefined, stop: () => watch.stop() };
    const onMoved = () => {
      folder.stopGathering ??= schedule(gatherMs, () => {
        folder.stopGathering = undefined;
        for (const callback of [...callbacks]) callback();
      });
    };
    const watch = new FolderWatch({
      directory,
      schedule,
      onEvent: (event) => {
        if (event === 'rename') onMoved();
      },
      onFailure: (reason) => this.#log('warning', 'a folder with secrets cannot be watched', { reason }),
      onRetry: onMoved,
    });
    watch.start();
    return folder;
  }

  #close(directory: string): void {
    const folder = this.#folders.get(directory);
    this.#folders.delete(directory);
    folder?.stopGathering?.();
    folder?.stop();
  }
}

interface WatchedFolder {
  readonly callbacks: Set<() => void>;
  readonly stop: () => void;
  stopGathering: (() => void) | undefined;
}
