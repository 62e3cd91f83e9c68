// The operator's settings of sampling (`--sampling-config FILE`): read at start, and again whenever the file changes.
//
// Unlike a file of resources this one may also be written in place, as editors and `cp` do. It is read when its folder has
// been quiet for a moment, so that half of it is not taken for the whole.

import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ConfigError, Problems } from '../../config/problems.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { SamplingSettings } from '../../sampler/settings.ts';
import { readSamplingSettings } from '../../sampler/settings-reader.ts';
import { FolderWatch } from '../../xds/client/folder-watch.ts';
import { parseFile } from '../../xds/document/config-document.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';

export interface SamplingFileOptions {
  readonly path: string;
  /** Told of every change that is right. */
  readonly onSettings: (settings: SamplingSettings) => void;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly log: Pick<ComponentLog, 'info' | 'warn'>;
}

/** No write of a file of this size takes longer between two of its parts. */
const quietMs = 50;

export class SamplingFile {
  readonly path: string;
  readonly #options: SamplingFileOptions;
  readonly #watch: FolderWatch;
  #settings: SamplingSettings;
  #text: string;
  #problem: string | null = null;
  #cancelRead: () => void = nothing;

  /** Throws ConfigError, with every problem and its path, when the file cannot be used. */
  constructor(options: SamplingFileOptions) {
    const { path, schedule } = options;
    this.path = path;
    this.#options = options;
    this.#text = readText(path);
    this.#settings = settingsOf(path, this.#text);
    this.#watch = new FolderWatch({
      directory: dirname(path),
      schedule,
      // Any move: what the name stands for may be behind a link that is replaced. A log that is written beside it is nothing
      // to wait for.
      onEvent: (event, file) => {
        if (event === 'rename' || file === null || file === basename(path)) this.#readSoon();
      },
      onFailure: (reason) => this.#refuse(reason),
      onRetry: () => this.#readSoon(),
    });
  }

  /** The last that were right. */
  get settings(): SamplingSettings {
    return this.#settings;
  }

  /** Why the file as it is now is not in use; null when it is. */
  get problem(): string | null {
    return this.#problem;
  }

  follow(): void {
    this.#watch.start();
    // What changed since the constructor read it.
    this.#readSoon();
  }

  stop(): void {
    this.#watch.stop();
    this.#cancelRead();
  }

  #readSoon(): void {
    this.#cancelRead();
    this.#cancelRead = this.#options.schedule(quietMs, () => this.#read());
  }

  #read(): void {
    const { path, onSettings, log } = this.#options;
    try {
      const text = readText(path);
      if (text === this.#text && this.#problem === null) return;
      this.#settings = settingsOf(path, text);
      this.#text = text;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#refuse(error.message);
      return;
    }
    this.#problem = null;
    onSettings(this.#settings);
    log.info({ path }, 'new sampling settings are in use');
  }

  #refuse(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.log.warn({ problem }, 'the sampling file cannot be used; the settings before it stay in use');
  }
}

/** For `--mode validate`. Throws as the constructor of `SamplingFile`. */
export function readSamplingFile(path: string): SamplingSettings {
  return settingsOf(path, readText(path));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, [{ path: '', message: cannotBeRead(path, error) }]);
  }
}

function settingsOf(path: string, text: string): SamplingSettings {
  const problems = new Problems();
  const tree = parseFile(path, text, problems);
  if (!problems.isEmpty) throw new ConfigError(path, problems.list);
  const read = readSamplingSettings(tree);
  if (read.kind === 'problems') throw new ConfigError(path, read.problems);
  return read.settings;
}

function nothing(): void {}
