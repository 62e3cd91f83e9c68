// Whether resources fit together, before any of them is served: a half-written change of several files must not reach a
// data plane, which would answer 503 where a route names a cluster that is not there yet.

import { nearestName } from '../xds/message/nearest-name.ts';
import type { ServedResource } from './served-snapshot.ts';
import { assignmentType, clusterType, listenerType, routeType, type ServedType } from './served-type.ts';

export interface Inconsistency {
  /** That which is not right. */
  readonly resource: ServedResource;
  /** A name that nothing has; its own name, or its address, which another has. */
  readonly kind: 'missing' | 'name' | 'address';
  /** The name or the address. */
  readonly wanted: string;
  readonly message: string;
}

/**
 * Everything that is wrong among the resources of one node group; nothing when they can be served together. With
 * `isPartial`, what they name may be elsewhere.
 */
export function checkSnapshot(resources: readonly ServedResource[], isPartial: boolean): readonly Inconsistency[] {
  const names = new Map<ServedType, Map<string, ServedResource>>();
  const found: Inconsistency[] = [];
  for (const resource of resources) {
    const ofType = names.get(resource.type) ?? new Map<string, ServedResource>();
    names.set(resource.type, ofType);
    const other = ofType.get(resource.name);
    if (other === undefined) ofType.set(resource.name, resource);
    else
      found.push({
        resource,
        kind: 'name',
        wanted: resource.name,
        message: `${titleOf(resource)} is also in ${other.place}; a name is for one`,
      });
  }
  if (!isPartial) for (const resource of resources) found.push(...missingReferences(resource, names));
  return [...found, ...sharedAddresses(resources)];
}

const titles: ReadonlyMap<ServedType, string> = new Map([
  [clusterType, 'cluster'],
  [assignmentType, 'load assignment'],
  [listenerType, 'listener'],
  [routeType, 'route configuration'],
]);

function titleOf({ type, name }: ServedResource): string {
  return `${titles.get(type) ?? type.shortName} ${JSON.stringify(name)}`;
}

type Names = ReadonlyMap<ServedType, ReadonlyMap<string, ServedResource>>;

function missingReferences(resource: ServedResource, names: Names): readonly Inconsistency[] {
  const { clusters, routes, assignment } = resource.references;
  const wanted: readonly (readonly [ServedType, readonly string[]])[] = [
    [clusterType, clusters],
    [routeType, routes],
    [assignmentType, assignment === undefined ? [] : [assignment]],
  ];
  return wanted.flatMap(([type, wantedNames]) => {
    const known = names.get(type);
    return wantedNames
      .filter((name) => known?.has(name) !== true)
      .map((name) => {
        const meant = nearestName(name, known?.keys() ?? []);
        const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
        const message = `${titleOf(resource)} needs ${titles.get(type)} ${JSON.stringify(name)}, which no file has${hint}`;
        return { resource, kind: 'missing', wanted: name, message };
      });
  });
}

/** A data plane would refuse the second listener of an address. */
function sharedAddresses(resources: readonly ServedResource[]): readonly Inconsistency[] {
  const owners = new Map<string, ServedResource>();
  const found: Inconsistency[] = [];
  for (const resource of resources) {
    for (const address of resource.references.addresses) {
      const owner = owners.get(address);
      if (owner === undefined) owners.set(address, resource);
      else if (owner.name !== resource.name) {
        const message = `${titleOf(resource)} listens on ${address}, which ${titleOf(owner)} in ${owner.place} has`;
        found.push({ resource, kind: 'address', wanted: address, message });
      }
    }
  }
  return found;
}
