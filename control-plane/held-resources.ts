// What an upstream has of one type, as bytes with the changes that they are made of.

import { Problems } from '../config/problems.ts';
import type {
  DiscoveryUpdate,
  RefusedResource,
  ResourceConsumer,
  ResourceSubscriptions,
  ResourceType,
} from '../xds/client/discovery.ts';
import { decodeMessage } from '../xds/message/wire-message.ts';
import { resourceNameOf } from '../xds/resource/resource-name.ts';
import { checkResource } from './resource-check.ts';
import type { StatedResource, StatedType } from './resource-union.ts';
import { noReferences, type ResourceReferences, versionOf } from './served-snapshot.ts';
import type { ServedType } from './served-type.ts';
import { changesOf, hopsIn, originIn, sharesIn } from './stated-version.ts';
import { compareVectors, emptyVector, type VersionVector } from './version-vector.ts';

export interface HeldResourcesOptions {
  readonly type: ServedType;
  readonly origin: string;
  /** For people: where it comes from. */
  readonly place: string;
  readonly onChange: () => void;
  /** A response came from this run of the source. */
  readonly onServedBy: (origin: string) => void;
}

/** Envoy's default. */
export const initialFetchTimeoutMs = 15_000;

export class HeldResources implements ResourceConsumer, StatedType {
  readonly type: ResourceType;
  readonly byName = new Map<string, StatedResource>();
  seen: VersionVector = emptyVector;
  told: VersionVector = emptyVector;
  hasAnswered = false;
  revision = 0;
  readonly #options: HeldResourcesOptions;
  /** As the source spells them. */
  readonly #versions = new Map<string, string>();
  #subscribed: ReadonlySet<string> = new Set();
  /** Of the subscribed names those that are not there. */
  readonly #absent = new Set<string>();
  #changes = 0;
  #hops: VersionVector = emptyVector;
  /** Not so when names were asked for and all of them let go. */
  #isAsked = true;

  constructor(options: HeldResourcesOptions) {
    const { typeUrl, shortName } = options.type;
    this.type = { typeUrl, shortName, nameOf: resourceNameOf };
    this.#options = options;
  }

  heldVersions(): Iterable<readonly [string, string]> {
    return this.#versions;
  }

  onUpdate({ version, resources, removed }: DiscoveryUpdate): readonly RefusedResource[] {
    const { type, origin, place, onChange, onServedBy } = this.#options;
    // One change for all that came together, by a source that does not count them.
    const counted: VersionVector = new Map([[`${origin}/${type.shortName}`, ++this.#changes]]);
    const said = changesOf(version);
    const seen = said ?? counted;
    if (resources.length > 0 || removed.length > 0 || compareVectors(seen, this.seen) !== 'equal') this.revision++;
    this.seen = seen;
    this.#hops = (said && hopsIn(version)) ?? neighbours(seen);
    const servedBy = originIn(version);
    if (servedBy !== '') onServedBy(servedBy);
    for (const { name, version: own, message } of resources) {
      if (message === undefined) continue;
      const bytes = Uint8Array.from(message);
      const changes = changesOf(own) ?? counted;
      const references = referencesOf(type, bytes);
      const stated = { version: versionOf(bytes), changes, shares: sharesIn(own) };
      this.byName.set(name, { type, name, message: bytes, references, place, ...stated });
      this.#versions.set(name, own);
      this.#absent.delete(name);
    }
    for (const name of removed) this.#remove(name);
    this.hasAnswered = true;
    onChange();
    return [];
  }

  onAbsent(name: string): void {
    this.revision++;
    this.#remove(name);
    this.hasAnswered = true;
    this.#options.onChange();
  }

  awaits(name: string): boolean {
    return this.#subscribed.has(name) && !this.byName.has(name) && !this.#absent.has(name);
  }

  asks(name: string): boolean {
    return this.#subscribed.has(name);
  }

  get isAwaiting(): boolean {
    return [...this.#subscribed].some((name) => this.awaits(name));
  }

  /** Nothing is awaited, neither of these resources nor of those that they need. */
  settle(): void {
    this.told = this.seen;
  }

  /** A source that is asked for nothing does not tell of it any more: what it said last must not keep an origin alive. */
  get hops(): VersionVector {
    return this.#isAsked ? this.#hops : emptyVector;
  }

  forget(): void {
    this.revision++;
    this.byName.clear();
    this.#versions.clear();
    this.#absent.clear();
    this.seen = emptyVector;
    this.told = emptyVector;
    this.#hops = emptyVector;
    this.#options.onChange();
  }

  subscribeTo(names: ReadonlySet<string>, subscriptions: ResourceSubscriptions): void {
    for (const name of names) {
      if (this.#subscribed.has(name)) continue;
      this.revision++;
      subscriptions.subscribe(this.type.typeUrl, name, initialFetchTimeoutMs);
    }
    for (const name of this.#subscribed) {
      if (names.has(name)) continue;
      this.revision++;
      subscriptions.unsubscribe(this.type.typeUrl, name);
      this.#remove(name);
      this.#absent.delete(name);
    }
    this.#subscribed = names;
    this.#isAsked = names.size > 0;
  }

  #remove(name: string): void {
    this.byName.delete(name);
    this.#versions.delete(name);
    if (this.#subscribed.has(name)) this.#absent.add(name);
  }
}

/** Of a control plane that does not say how far away origins are: it may be any of them itself. */
function neighbours(seen: VersionVector): VersionVector {
  return new Map([...seen.keys()].map((origin) => [origin, 1]));
}

/** Data planes judge what is right; here only the names count that are to be asked for. */
function referencesOf(type: ServedType, bytes: Uint8Array): ResourceReferences {
  const unjudged = new Problems();
  const message = decodeMessage(bytes, type.messageType, unjudged);
  return message === undefined ? noReferences : checkResource(type, message, unjudged);
}
