// Tells when something happens to the files of a folder. A folder and not a file is watched, because a file is replaced by
// moving another over it, and the watch of a file stays with the one that is gone. Kubernetes moves a link beside it.

import { type FSWatcher, watch } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Schedule } from './discovery.ts';

export interface FolderWatchOptions {
  readonly directory: string;
  readonly schedule: Schedule;
  /** `rename` when one came, went or was moved. `file` is null where the system does not say which. */
  readonly onEvent: (event: string, file: string | null) => void;
  /** The folder cannot be watched, or not any more. It is tried again after `retryMs`. */
  readonly onFailure: (reason: string, retryMs: number) => void;
  /** It is tried again: what is in it may have changed unseen. */
  readonly onRetry: () => void;
}

/** A folder that is not there is looked for again after this. */
const watchAgainMs = 5_000;

export class FolderWatch {
  readonly #options: FolderWatchOptions;
  /** In its plain form: what happens to the folder itself is told by the end of the path that is watched. */
  readonly #directory: string;
  #watcher: FSWatcher | undefined;
  #cancelRetry: () => void = nothing;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
    this.#directory = resolve(options.directory);
  }

  start(): void {
    try {
      const watcher = watch(this.#directory, (event, file) => this.#onEvent(event, file));
      watcher.on('error', (error: NodeJS.ErrnoException) => this.#retry(error));
      this.#watcher = watcher;
    } catch (error) {
      this.#retry(error as NodeJS.ErrnoException);
    }
  }

  stop(): void {
    this.#cancelRetry();
    this.#watcher?.close();
  }

  #onEvent(event: string, file: string | null): void {
    const { onEvent, onRetry } = this.#options;
    // The folder itself was removed or moved, unless a file has its name: the watch stays with the one that is gone, too.
    if (event === 'rename' && file === basename(this.#directory)) {
      this.#watcher?.close();
      this.start();
      onRetry();
    }
    onEvent(event, file);
  }

  #retry({ code = 'unknown' }: NodeJS.ErrnoException): void {
    const { directory, schedule, onFailure, onRetry } = this.#options;
    this.#watcher?.close();
    onFailure(`${directory} cannot be watched: ${code}`, watchAgainMs);
    this.#cancelRetry = schedule(watchAgainMs, () => {
      this.start();
      onRetry();
    });
  }
}

function nothing(): void {}
