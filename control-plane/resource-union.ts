// What several control planes say, as one set of resources.
//
// Each of them states resources, with the changes that each one is made of (at most one of each origin), and which changes
// it has seen at all. A change is over when somebody has seen it and states something without it: a newer state of the same
// origin, or nothing. That also tells what was removed from what has not arrived, without remembering what was removed.
// A resource that is made of changes that are over is left out; what is left of a name is concurrent, and is merged.

import { mergeMessages } from './endpoint-merge.ts';
import { type ServedResource, versionOf } from './served-snapshot.ts';
import { servedTypes } from './served-type.ts';
import { compareVectors, emptyVector, joinVectors, type VersionVector } from './version-vector.ts';

export interface SourceStatement {
  /** By type URL. */
  readonly types: ReadonlyMap<string, StatedType>;
}

export interface StatedType {
  /** All changes that the source knows of, also those of resources that are gone. */
  readonly seen: VersionVector;
  readonly byName: ReadonlyMap<string, StatedResource>;
  /** Whether the source was asked for a name and may still come to state it. */
  awaits(name: string): boolean;
}

export type StatedResource = ServedResource & { readonly changes: VersionVector };

/** Of concurrent statements that cannot be merged the first is taken: the order of `statements` is that of trust. */
export function uniteResources(statements: readonly SourceStatement[]): readonly StatedResource[] {
  const [only, ...others] = statements;
  if (only !== undefined && others.length === 0)
    return [...only.types.values()].flatMap(({ byName }) => [...byName.values()]);
  return servedTypes.flatMap((type) => {
    const stated = statements.map(({ types }) => types.get(type.typeUrl)).filter((each) => each !== undefined);
    const names = new Set(stated.flatMap(({ byName }) => [...byName.keys()]));
    return [...names].map((name) => uniteName(name, stated)).filter((each) => each !== undefined);
  });
}

/** Everything that any of them has seen of a type. */
export function seenByAll(statements: readonly SourceStatement[], typeUrl: string): VersionVector {
  return statements.reduce(
    (seen, { types }) => joinVectors(seen, types.get(typeUrl)?.seen ?? emptyVector),
    emptyVector,
  );
}

function uniteName(name: string, stated: readonly StatedType[]): StatedResource | undefined {
  const resources = stated.map(({ byName }) => byName.get(name)).filter((each) => each !== undefined);
  const isOver = ([origin, count]: Change) => stated.some((source) => isOverFor(source, name, [origin, count]));
  const current = resources.filter(({ changes }) => ![...changes].some(isOver));
  // Better a resource that is behind in part than to lose what nobody else has.
  const isElsewhere = ([origin, count]: Change) => current.some(({ changes }) => changes.get(origin) === count);
  const isNeeded = (change: Change) => !isOver(change) && !isElsewhere(change);
  const behind = resources.filter((each) => !current.includes(each) && [...each.changes].some(isNeeded));
  const united = mergeAll(withoutContained(current), joinVectors);
  return mergeAll(united === undefined ? behind : [united, ...behind], meetVectors);
}

type Change = readonly [origin: string, count: number];

function isOverFor(source: StatedType, name: string, [origin, count]: Change): boolean {
  if ((source.seen.get(origin) ?? 0) < count) return false;
  const stated = source.byName.get(name);
  if (stated === undefined) return !source.awaits(name);
  const held = stated.changes.get(origin);
  return held === undefined || held > count;
}

/** A resource whose changes are all in another one has nothing to add to it. */
function withoutContained(resources: readonly StatedResource[]): readonly StatedResource[] {
  return resources.filter(
    ({ changes }, index) =>
      !resources.some((other, otherIndex) => {
        const order = compareVectors(changes, other.changes);
        return order === 'before' || (order === 'equal' && otherIndex < index);
      }),
  );
}

function mergeAll(
  [first, ...others]: readonly StatedResource[],
  changesOfBoth: (a: VersionVector, b: VersionVector) => VersionVector,
): StatedResource | undefined {
  return others.reduce(
    (merged, other) => mergeTwo(merged!, other, changesOfBoth(merged!.changes, other.changes)),
    first,
  );
}

/** What is behind in part makes all that it is merged with so, until somebody knows better. */
function meetVectors(a: VersionVector, b: VersionVector): VersionVector {
  const met = joinVectors(a, b);
  return new Map([...met].map(([origin, count]) => [origin, Math.min(a.get(origin) ?? count, b.get(origin) ?? count)]));
}

function mergeTwo(first: StatedResource, second: StatedResource, changes: VersionVector): StatedResource {
  const message = mergeMessages(first.type, first.message, second.message);
  if (message === undefined) return { ...first, changes };
  return { ...first, changes, message, version: versionOf(message), place: `${first.place}, ${second.place}` };
}
