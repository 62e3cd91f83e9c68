// Resources of one type from a file (`path_config_source`): read when it is put in its place, as whole as it is.
//
// As in Envoy a file is replaced by moving another over it, which is one step: one that is written in place would be read
// when half of it is there. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/config_source.proto

import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { SourceStatus, TypeStatus } from '../../config/dynamic-state.ts';
import type { Problem } from '../../config/problems.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import {
  type DiscoveryLog,
  type DiscoveryUpdate,
  type ResourceConsumer,
  type ResourceSubscriptions,
  type Schedule,
  wildcard,
} from './discovery.ts';
import { readDiscoveryDocument } from './discovery-document.ts';
import type { DiscoveryObserver } from './discovery-observer.ts';
import { FolderWatch } from './folder-watch.ts';
import { NameTimers } from './name-timers.ts';
import { refusalText } from './refusal-text.ts';

export interface FileSourceOptions {
  /** As in `SourceStatus.name`. */
  readonly name: string;
  readonly path: string;
  /** A folder whose changes say that the file is to be read again; otherwise the file's own moves do. */
  readonly watchedDirectory?: string;
  readonly consumer: ResourceConsumer;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly schedule: Schedule;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly log: DiscoveryLog;
  readonly observer?: DiscoveryObserver;
}

export class FileSource implements ResourceSubscriptions {
  readonly #options: FileSourceOptions;
  readonly #subscribed = new Set<string>();
  readonly #late: NameTimers;
  readonly #watch: FolderWatch;
  /** Of the last file that was right. */
  #held: { readonly version: string; readonly names: ReadonlySet<string> } | undefined;
  #isReadDue = false;
  #isRunning = false;
  #connection: SourceStatus['connection'] = { kind: 'connecting' };
  #counts: Pick<TypeStatus, 'responses' | 'bytesReceived' | 'lastApplyMs' | 'lastAck' | 'lastNack'> = {
    responses: 0,
    bytesReceived: 0,
    lastApplyMs: 0,
  };

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#late = new NameTimers(options.schedule, (name) => {
      options.observer?.onFetchTimeout?.(options.consumer.type.typeUrl, name);
      options.consumer.onAbsent(name);
    });
    this.#watch = new FolderWatch({
      directory: options.watchedDirectory ?? dirname(options.path),
      schedule: options.schedule,
      onEvent: (event, file) => this.#onEvent(event, file),
      onFailure: (reason, retryMs) => this.#fail(reason, retryMs),
      onRetry: () => this.#readLater(),
    });
  }

  start(): void {
    this.#isRunning = true;
    this.#watch.start();
    this.#readLater();
  }

  stop(): void {
    this.#isRunning = false;
    this.#watch.stop();
    this.#late.cancelAll();
  }

  /** The type is that of the consumer. */
  subscribe(typeUrl: string, name: string, initialFetchTimeoutMs: number): void {
    if (this.#subscribed.has(name)) return;
    this.#subscribed.add(name);
    this.#options.observer?.onSubscribe?.(typeUrl, name);
    if (initialFetchTimeoutMs > 0) this.#late.start(name, initialFetchTimeoutMs);
    if (this.#isRunning) this.#readLater();
  }

  unsubscribe(typeUrl: string, name: string): void {
    if (this.#subscribed.delete(name)) this.#options.observer?.onUnsubscribe?.(typeUrl, name);
    this.#late.cancel(name);
  }

  status(): SourceStatus {
    const { name, path, consumer } = this.#options;
    const type: TypeStatus = {
      typeUrl: consumer.type.typeUrl,
      isWildcard: this.#subscribed.has(wildcard),
      subscribed: [...this.#subscribed].filter((each) => each !== wildcard),
      heldCount: [...consumer.heldVersions()].length,
      version: this.#held?.version ?? '',
      ...this.#counts,
    };
    return { name, target: path, protocol: 'file', connection: this.#connection, types: [type] };
  }

  /** A file that is new in its folder has no state that half of it could replace: it is tried until it is whole. */
  #onEvent(event: string, file: string | null): void {
    const { path, watchedDirectory } = this.#options;
    if (watchedDirectory === undefined && file !== null && file !== basename(path)) return;
    if (event === 'rename' || this.#held === undefined) this.#readLater();
  }

  /** Once for all that happens in a turn. */
  #readLater(): void {
    if (this.#isReadDue) return;
    this.#isReadDue = true;
    this.#options.defer(() => {
      this.#isReadDue = false;
      if (this.#isRunning && this.#subscribed.size > 0) this.#read();
    });
  }

  #read(): void {
    const { path, consumer } = this.#options;
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      this.#fail(`${path} ${cannotBeRead(path, error)}`, 0);
      return;
    }
    const document = readDiscoveryDocument(text, consumer.type);
    if (document.kind === 'malformed') this.#fail(`${path} is wrong: ${textOf(document.problems)}`, 0);
    else this.#apply(document, Buffer.byteLength(text));
  }

  #apply({ version, resources }: Pick<DiscoveryUpdate, 'version' | 'resources'>, bytes: number): void {
    const { consumer, clock, log, path, observer } = this.#options;
    const names = new Set(resources.map(({ name }) => name));
    // What is not in the file is gone where everything is asked for; a name may be elsewhere, or come later.
    const isWhole = this.#subscribed.has(wildcard);
    const removed = isWhole ? [...(this.#held?.names ?? [])].filter((name) => !names.has(name)) : [];
    const startMs = clock();
    this.#held = { version, names };
    for (const name of names) this.#late.cancel(name);
    this.#late.cancel(wildcard);
    const refused = consumer.onUpdate({ version, resources, removed });
    const atMs = clock();
    const outcome = { names, removed, isWhole, hasNamed: !isWhole, refused, bytes, applyMs: atMs - startMs };
    observer?.onResponse?.({ typeUrl: consumer.type.typeUrl, version, ...outcome });
    const { responses, bytesReceived } = this.#counts;
    const counted = { responses: responses + 1, bytesReceived: bytesReceived + bytes, lastApplyMs: atMs - startMs };
    this.#connection = { kind: 'connected', sinceMs: atMs, controlPlane: '' };
    if (refused.length === 0) {
      this.#counts = { ...this.#counts, ...counted, lastAck: { version, atMs } };
      return;
    }
    const text = refusalText(refused);
    this.#counts = { ...this.#counts, ...counted, lastNack: { version, atMs, text } };
    log('warning', 'refused resources of a file; what was accepted of them before, if anything, stays in use', {
      path,
      refusal: text,
    });
  }

  /** What was read before stays. */
  #fail(reason: string, retryMs: number): void {
    const { clock, log, name, observer } = this.#options;
    const isKnown = this.#connection.kind === 'waiting' && this.#connection.lastError === reason;
    this.#connection = { kind: 'waiting', untilMs: clock() + retryMs, lastError: reason };
    observer?.onFailure?.(name);
    if (isKnown) return;
    log('error', 'a file of configuration cannot be used; what was read before stays in use', { source: name, reason });
  }
}

const maxProblems = 20;

function textOf(problems: readonly Problem[]): string {
  const texts = problems
    .slice(0, maxProblems)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const more = problems.length - texts.length;
  return [...texts, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
