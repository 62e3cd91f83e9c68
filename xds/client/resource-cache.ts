// The last known good: accepted resources on disk, so that a restart without a control plane serves at once. The file is
// replaced in one step, when it is whole and on the disk: what is there is always a state that was accepted.

import { createHash } from 'node:crypto';
import { accessSync, closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bootstrap } from '../../config/bootstrap.ts';
import { decodeCache, encodeCache, type KeptType } from './cache-format.ts';
import type { DiscoveryLog, Schedule } from './discovery.ts';
import { peersOf } from './grpc-peer.ts';

export interface ResourceCacheOptions {
  /** Made when it is not there. */
  readonly directory: string;
  /** Whose resources they are: another node's, or of another control plane, are not taken. */
  readonly identity: string;
  readonly schedule: Schedule;
  readonly log: DiscoveryLog;
}

/** `XDG_CACHE_HOME`, or the place that the file system hierarchy has for caches of programs. */
export function defaultCacheDirectory(environment: { readonly [name: string]: string | undefined }): string {
  const { XDG_CACHE_HOME: home } = environment;
  return join(home === undefined || home === '' ? '/var/cache' : home, 'outrigger');
}

/** Who asks, and where the answers come from. Without secrets. */
export function cacheIdentity({ node, grpcClusters, dynamicResources: { ads } }: IdentifyingBootstrap): string {
  const places = ads === undefined ? [] : peersOf(ads.service, grpcClusters).map(({ uri }) => uri);
  return JSON.stringify([node.id, node.cluster, ...places]);
}

type IdentifyingBootstrap = Pick<Bootstrap, 'node' | 'grpcClusters' | 'dynamicResources'>;

/** Undefined when the directory cannot be written to, which is logged once: a sidecar may have no disk at all. */
export function openResourceCache(options: ResourceCacheOptions): ResourceCache | undefined {
  const { directory, log } = options;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.W_OK | constants.X_OK);
    return new ResourceCache(options);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const text = 'accepted configuration is not kept on disk: the directory cannot be used; see --config-cache-dir';
    log('info', text, { directory, code });
    return undefined;
  }
}

/** A burst of changes is one file, and a storm of them does not wear out a disk. */
const writeDelayMs = 10_000;
/** Ten thousand clusters with their endpoints and routes have a twentieth of it. */
const maxFileBytes = 256 * 1024 * 1024;

export class ResourceCache {
  readonly #options: ResourceCacheOptions;
  readonly #path: string;
  /** What is to be kept now; undefined until something changed. */
  #content: (() => readonly KeptType[]) | undefined;
  #cancelWrite: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isTooLarge = false;

  constructor(options: ResourceCacheOptions) {
    this.#options = options;
    const digest = createHash('sha256').update(options.identity).digest('hex');
    this.#path = join(options.directory, `${digest.slice(0, 32)}.resources`);
  }

  /** What was kept by an earlier run; empty without a file that can be used, which is logged unless there is none. */
  load(): readonly KeptType[] {
    const { identity, log } = this.#options;
    try {
      const content = decodeCache(readOwnFile(this.#path), identity);
      if (content.kind === 'kept') return content.types;
      this.#warn('ignored', content.reason);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') log('debug', 'no configuration was kept by an earlier run', { path: this.#path });
      else this.#warn('ignored', code ?? message);
    }
    return [];
  }

  /** Something was accepted or removed: `content` is asked for when it is time to write. */
  noteChange(content: () => readonly KeptType[]): void {
    this.#content = content;
    this.#cancelWrite ??= this.#options.schedule(writeDelayMs, () => {
      this.#cancelWrite = undefined;
      void this.flush();
    });
  }

  /** Writes what is not written yet. Never rejects: a disk that fails is logged. */
  flush(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    const types = this.#content?.();
    this.#content = undefined;
    if (types !== undefined) this.#writing = this.#writing.then(() => this.#write(types));
    return this.#writing;
  }

  async #write(types: readonly KeptType[]): Promise<void> {
    if (this.#refuseTooLarge(types)) return;
    // Of this process: at a hot restart another one writes the same file.
    const temporary = `${this.#path}.${process.pid}.new`;
    try {
      await rm(temporary, { force: true });
      await writeWhole(temporary, encodeCache(this.#options.identity, types));
      await rename(temporary, this.#path);
    } catch (error) {
      this.#warn('not written', (error as NodeJS.ErrnoException).code ?? String(error));
    }
  }

  #refuseTooLarge(types: readonly KeptType[]): boolean {
    let bytes = 0;
    for (const { resources } of types) for (const resource of resources) bytes += resource.bytes.length;
    const isTooLarge = bytes > maxFileBytes;
    if (isTooLarge && !this.#isTooLarge) this.#warn('not written any more', `${bytes} bytes are too many`);
    this.#isTooLarge = isTooLarge;
    return isTooLarge;
  }

  #warn(what: string, reason: string): void {
    this.#options.log('warning', `the file of accepted configuration is ${what}`, { path: this.#path, reason });
  }
}

/** Throws for a file that somebody else could have written. */
function readOwnFile(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { uid, mode, size } = fstatSync(file);
    if (uid !== process.geteuid!() || (mode & 0o022) !== 0) throw new Error('others than this user may write it');
    if (size > 2 * maxFileBytes) throw new Error(`${size} bytes are too many`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** Nobody else may read it: a listener may have a key in place. */
async function writeWhole(path: string, blocks: Iterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    // Unlike `write` it goes on where a disk that is nearly full takes a part, until it takes nothing.
    await file.writeFile(blocks);
    await file.sync();
  } finally {
    await file.close();
  }
}
