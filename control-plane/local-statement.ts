// What this control plane states itself: its files, with the changes that they went through since it was started.

import type { SourceStatement, StatedResource, StatedType } from './resource-union.ts';
import type { ServedResource } from './served-snapshot.ts';
import { type ServedType, servedTypes } from './served-type.ts';
import { emptyVector, type VersionVector } from './version-vector.ts';

/** By type, then name. */
type Known = ReadonlyMap<ServedType, Map<string, StatedResource>>;

export class LocalStatement {
  readonly #origin: string;
  readonly #known = new Map<string, Known>();
  #changes = 0;
  #revision = 0;

  /** `origin` is of this run alone. */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** The resources of a group as they are now; each that differs from the last call is a change. */
  update(group: string, resources: readonly ServedResource[]): SourceStatement {
    const before = this.#known.get(group) ?? nothingKnown();
    const known = nothingKnown();
    for (const resource of resources) {
      const last = before.get(resource.type)!.get(resource.name);
      known.get(resource.type)!.set(resource.name, this.#stated(resource, last));
    }
    for (const [type, byName] of before) {
      for (const name of byName.keys()) if (!known.get(type)!.has(name)) this.#change();
    }
    this.#known.set(group, known);
    return { types: this.#typesOf(known) };
  }

  /** What did not change is the same object: of 10,000 resources one changes at a time. */
  #stated(resource: ServedResource, last: StatedResource | undefined): StatedResource {
    if (last?.version !== resource.version) return { ...resource, changes: this.#change() };
    if (last.place === resource.place) return last;
    this.#revision++;
    return { ...resource, changes: last.changes };
  }

  #typesOf(known: Known): ReadonlyMap<string, StatedType> {
    const own = (count: number): VersionVector =>
      this.#changes === 0 ? emptyVector : new Map([[this.#origin, count]]);
    const all = { seen: own(this.#changes), hops: own(0), awaits: () => false, revision: this.#revision };
    return new Map([...known].map(([type, byName]) => [type.typeUrl, { ...all, byName }]));
  }

  #change(): VersionVector {
    this.#revision++;
    return new Map([[this.#origin, ++this.#changes]]);
  }
}

function nothingKnown(): Known {
  return new Map(servedTypes.map((type) => [type, new Map()]));
}
