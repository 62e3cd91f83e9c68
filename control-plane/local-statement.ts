// What this control plane states itself: its files, with the changes that they went through since it was started.

import type { SourceStatement, StatedResource, StatedType } from './resource-union.ts';
import type { ServedResource } from './served-snapshot.ts';
import { servedTypes } from './served-type.ts';
import type { VersionVector } from './version-vector.ts';

export class LocalStatement {
  readonly #origin: string;
  /** By group, then type and name. */
  #known = new Map<string, ReadonlyMap<string, StatedResource>>();
  #changes = 0;

  /** `origin` is of this run alone. */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** The resources of a group as they are now; each that differs from the last call is a change. */
  update(group: string, resources: readonly ServedResource[]): SourceStatement {
    const before = this.#known.get(group) ?? new Map<string, StatedResource>();
    const known = new Map<string, StatedResource>();
    for (const resource of resources) {
      const key = `${resource.type.shortName} ${resource.name}`;
      const last = before.get(key);
      const isSame = last?.version === resource.version;
      known.set(key, { ...resource, changes: isSame ? last.changes : this.#change() });
    }
    for (const key of before.keys()) if (!known.has(key)) this.#change();
    this.#known.set(group, known);
    return { types: this.#typesOf([...known.values()]) };
  }

  #typesOf(resources: readonly StatedResource[]): ReadonlyMap<string, StatedType> {
    const seen: VersionVector = this.#changes === 0 ? new Map() : new Map([[this.#origin, this.#changes]]);
    return new Map(
      servedTypes.map((type) => {
        const ofType = resources.filter((resource) => resource.type === type);
        const byName = new Map(ofType.map((resource) => [resource.name, resource]));
        return [type.typeUrl, { seen, byName, awaits: () => false }];
      }),
    );
  }

  #change(): VersionVector {
    return new Map([[this.#origin, ++this.#changes]]);
  }
}
