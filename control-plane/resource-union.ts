// What several control planes say, as one set of resources.
//
// Each of them states resources, with the changes that each one is made of (at most one of each origin), and which changes
// it has seen at all. A change is over when somebody has seen it and states something without it: a newer state of the same
// origin, or nothing. That also tells what was removed from what has not arrived, without remembering what was removed.
//
// A name is taken apart by origin, and what is not over is put together again: a statement of another control plane may be
// merged of several origins, our own among them, and one that is over must not stay because the others are not.

import { mergeMessages, shareOf, sharesOf } from './endpoint-merge.ts';
import { type ServedResource, versionOf } from './served-snapshot.ts';
import { servedTypes } from './served-type.ts';
import { emptyVector, joinVectors, type VersionVector } from './version-vector.ts';

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

/**
 * Of concurrent statements that cannot be merged the first is taken: the order of `statements` is that of trust. What is of
 * origins that have ended for its type is left out: no statement says that it is over, and those who follow each other would
 * state it for ever.
 */
export function uniteResources(
  statements: readonly SourceStatement[],
  endedOf: (typeUrl: string) => ReadonlySet<string> = () => noOrigins,
): readonly StatedResource[] {
  const [only, ...others] = statements;
  if (only !== undefined && others.length === 0)
    return [...only.types.values()].flatMap(({ byName }) => [...byName.values()]);
  return servedTypes.flatMap((type) => {
    const stated = statements.map(({ types }) => types.get(type.typeUrl)).filter((each) => each !== undefined);
    const ended = endedOf(type.typeUrl);
    const names = new Set(stated.flatMap(({ byName }) => [...byName.keys()]));
    return [...names].map((name) => uniteName(name, stated, ended)).filter((each) => each !== undefined);
  });
}

const noOrigins: ReadonlySet<string> = new Set();

/** Everything that any of them has seen of a type, but for what `ended` origins did. */
export function seenByAll(
  statements: readonly SourceStatement[],
  typeUrl: string,
  ended: ReadonlySet<string> = noOrigins,
): VersionVector {
  const all = statements.reduce(
    (seen, { types }) => joinVectors(seen, types.get(typeUrl)?.seen ?? emptyVector),
    emptyVector,
  );
  return new Map([...all].filter(([origin]) => !ended.has(origin)));
}

function uniteName(
  name: string,
  stated: readonly StatedType[],
  ended: ReadonlySet<string>,
): StatedResource | undefined {
  const parts = new Map<string, Part>();
  for (const { byName } of stated) {
    const resource = byName.get(name);
    for (const [origin, count] of resource?.changes ?? emptyVector) {
      if (ended.has(origin) || stated.some((source) => isOverFor(source, name, [origin, count]))) continue;
      const part = { resource: resource!, origin, count };
      const known = parts.get(origin);
      if (known === undefined || isBetter(part, known)) parts.set(origin, part);
    }
  }
  const chosen = [...parts.values()];
  const [first] = chosen;
  const isWhole = chosen.length === first?.resource.changes.size;
  if (isWhole && chosen.every(({ resource }) => resource === first!.resource)) return first!.resource;
  return first && mergeParts([first, ...chosen.slice(1)]);
}

/** What a statement has of one origin. */
interface Part {
  readonly resource: StatedResource;
  readonly origin: string;
  readonly count: number;
}

type Change = readonly [origin: string, count: number];

function isOverFor(source: StatedType, name: string, [origin, count]: Change): boolean {
  if ((source.seen.get(origin) ?? 0) < count) return false;
  const stated = source.byName.get(name);
  if (stated === undefined) return !source.awaits(name);
  const held = stated.changes.get(origin);
  return held === undefined || held > count;
}

/** That which was merged with less is nearer to what its origin said; otherwise the first counts. */
function isBetter(part: Part, known: Part): boolean {
  // Their counts are equal: the smaller one would be over.
  return part.resource.changes.size < known.resource.changes.size;
}

function mergeParts(parts: readonly [Part, ...Part[]]): StatedResource {
  const [{ resource: first }] = parts;
  const messages = new Map(parts.map((part) => [part.origin, messageOf(part)]));
  const [one, ...others] = messages.values();
  let message = one!;
  // What cannot be merged is what the first has.
  for (const other of others) message = mergeMessages(first.type, message, other) ?? message;
  const ordered = [...parts].sort((a, b) => (a.origin < b.origin ? -1 : 1));
  const changes: VersionVector = new Map(ordered.map(({ origin, count }) => [origin, count]));
  const shares = sharesOf(
    first.type,
    message,
    ordered.map(({ origin }) => messages.get(origin)!),
  );
  const place = [...new Set(parts.map(({ resource }) => resource.place))].join(', ');
  return { ...first, message, version: versionOf(message), changes, shares, place };
}

function messageOf({ resource, origin }: Part): Uint8Array {
  const { type, message, changes, shares = '' } = resource;
  if (changes.size === 1 || shares === '') return message;
  const known = taken.get(resource) ?? new Map<string, Uint8Array>();
  taken.set(resource, known);
  const share = known.get(origin) ?? shareOf(type, message, { shares, index: [...changes.keys()].indexOf(origin) });
  known.set(origin, share);
  return share;
}

/** The same bytes each time, as long as the statement is the same: merged messages are known by the bytes that they are of. */
const taken = new WeakMap<StatedResource, Map<string, Uint8Array>>();
