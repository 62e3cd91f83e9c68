// One consistent set of resources, as clients of a node group get it. Versions are hashes of content: a control plane
// that was restarted, or a second one over the same folder, gives the same versions, and a client that comes back with
// them is sent nothing.

import { createHash } from 'node:crypto';
import type { ServedType } from './served-type.ts';

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
  /** By type URL; types without resources are left out. */
  readonly types: ReadonlyMap<string, ServedResources>;
}

export interface ServedResources {
  /** Hash of names and versions. */
  readonly version: string;
  readonly byName: ReadonlyMap<string, ServedResource>;
}

export const noReferences: ResourceReferences = { clusters: [], routes: [], addresses: [] };
const noResources: ServedResources = { version: '', byName: new Map() };

/**
 * A snapshot of the resources, whose names are unique within their type. What `previous` has in the same form is taken
 * from it, so that an unchanged type is the same object.
 */
export function makeSnapshot(resources: Iterable<ServedResource>, previous?: ServedSnapshot): ServedSnapshot {
  const byType = new Map<string, Map<string, ServedResource>>();
  for (const resource of resources) {
    const { typeUrl } = resource.type;
    const byName = byType.get(typeUrl);
    if (byName === undefined) byType.set(typeUrl, new Map([[resource.name, resource]]));
    else byName.set(resource.name, resource);
  }
  const types = new Map<string, ServedResources>();
  for (const [typeUrl, byName] of byType) {
    const before = previous?.types.get(typeUrl);
    const version = versionOfAll(byName);
    types.set(typeUrl, before?.version === version ? before : { version, byName });
  }
  return { types };
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
  const hash = createHash('sha256');
  for (const name of [...byName.keys()].sort()) hash.update(`${name}\0${byName.get(name)!.version}\0`);
  return hash.digest('base64url').slice(0, hashCharacters);
}
