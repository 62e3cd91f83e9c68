// One consistent set of resources, as clients of a node group get it. Versions are hashes of content: a control plane
// that was restarted, or a second one over the same folder, gives the same versions, and a client that comes back with
// them is sent nothing.

import { createHash } from 'node:crypto';
import { type ServedType, servedTypes } from './served-type.ts';
import { compareVectors, emptyVector, type VersionVector } from './version-vector.ts';

export interface ServedResource {
  readonly type: ServedType;
  readonly name: string;
  /** Hash of `message`. */
  readonly version: string;
  readonly message: Uint8Array;
  /** What it names of other types. */
  readonly references: ResourceReferences;
  /** `FILE:LINE`, or the control plane that it came from. */
  readonly place: string;
  /** The changes that it is made of, where they are counted. */
  readonly changes?: VersionVector;
  /** Where it was merged of several changes: which of its endpoints is whose, as `sharesOf` of `endpoint-merge.ts` says it. */
  readonly shares?: string;
}

export interface ResourceReferences {
  readonly clusters: readonly string[];
  readonly routes: readonly string[];
  /** Name of the assignment that an EDS cluster has its endpoints from. */
  readonly assignment?: string;
  /** Addresses that a listener binds, as text. */
  readonly addresses: readonly string[];
}

export interface ServedSnapshot {
  /** By type URL; types of which nothing is known are left out. */
  readonly types: ReadonlyMap<string, ServedResources>;
}

export interface ServedResources {
  /** Hash of names and versions. */
  readonly version: string;
  /** All changes of the type that are known of, those of resources that are gone too. */
  readonly seen: VersionVector;
  /** How far away origins are for who is told, as in `StatedType`. */
  readonly hops: VersionVector;
  readonly byName: ReadonlyMap<string, ServedResource>;
  /** Of the run that serves them; empty where nobody follows it. */
  readonly origin: string;
}

export const noReferences: ResourceReferences = { clusters: [], routes: [], addresses: [] };
const noResources: ServedResources = {
  version: '',
  seen: emptyVector,
  hops: emptyVector,
  byName: new Map(),
  origin: '',
};

export interface SnapshotContext {
  /** What it has in the same form is taken from it, so that an unchanged type is the same object. */
  readonly previous?: ServedSnapshot | undefined;
  /** `ServedResources.seen` of a type; nothing when left out. */
  readonly seen?: (typeUrl: string) => VersionVector;
  /** `ServedResources.hops` of a type; nothing when left out. */
  readonly hops?: (typeUrl: string) => VersionVector;
  /** `ServedResources.origin`. */
  readonly origin?: string;
}

/** A snapshot of the resources, whose names are unique within their type. */
export function makeSnapshot(resources: Iterable<ServedResource>, context: SnapshotContext = {}): ServedSnapshot {
  const byType = new Map<string, Map<string, ServedResource>>();
  for (const resource of resources) {
    const { typeUrl } = resource.type;
    const byName = byType.get(typeUrl);
    if (byName === undefined) byType.set(typeUrl, new Map([[resource.name, resource]]));
    else byName.set(resource.name, resource);
  }
  for (const { typeUrl } of servedTypes) {
    // That the last one went is something to be told.
    if (!byType.has(typeUrl) && context.seen !== undefined && context.seen(typeUrl).size > 0)
      byType.set(typeUrl, new Map());
  }
  const types = new Map<string, ServedResources>();
  for (const [typeUrl, byName] of byType) {
    const seen = context.seen?.(typeUrl) ?? emptyVector;
    const hops = context.hops?.(typeUrl) ?? emptyVector;
    const made = { version: versionOfAll(byName), seen, hops, byName, origin: context.origin ?? '' };
    const before = context.previous?.types.get(typeUrl);
    types.set(typeUrl, before !== undefined && isSame(before, made) ? before : made);
  }
  return { types };
}

function isSame(a: ServedResources, b: ServedResources): boolean {
  if (a.version !== b.version || compareVectors(a.seen, b.seen) !== 'equal') return false;
  if (compareVectors(a.hops, b.hops) !== 'equal') return false;
  // Changes that led back to the same content are changes to a control plane that follows this one.
  for (const [name, { changes = emptyVector, shares = '' }] of a.byName) {
    const other = b.byName.get(name);
    if ((other?.shares ?? '') !== shares) return false;
    if (compareVectors(changes, other?.changes ?? emptyVector) !== 'equal') return false;
  }
  return true;
}

export function resourcesOf(snapshot: ServedSnapshot, typeUrl: string): ServedResources {
  return snapshot.types.get(typeUrl) ?? noResources;
}

/** 72 bits: enough that no two contents of one resource meet, short enough for a log line. */
const hashCharacters = 12;

export function versionOf(message: Uint8Array): string {
  return createHash('sha256').update(message).digest('base64url').slice(0, hashCharacters);
}

function versionOfAll(byName: ReadonlyMap<string, ServedResource>): string {
  let text = '';
  for (const name of [...byName.keys()].sort()) text += `${name}\0${byName.get(name)!.version}\0`;
  return createHash('sha256').update(text).digest('base64url').slice(0, hashCharacters);
}
