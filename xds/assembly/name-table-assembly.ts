// The table of names that a sidecar answers DNS by: asked for where somebody takes it, and held as long as no other comes.

import type { NameTable } from '../../config/name-table.ts';
import { wildcard } from '../client/discovery.ts';
import { nameTableDecoder } from '../resource/name-table-resource.ts';
import { ResourceSet } from '../resource/resource-set.ts';
import type { AssemblyContext } from './assembly-context.ts';

export class NameTableAssembly {
  readonly resources: ResourceSet<NameTable>;
  readonly #context: AssemblyContext;

  constructor(context: AssemblyContext, onNames: (names: NameTable) => void) {
    this.#context = context;
    this.resources = new ResourceSet({
      decoder: nameTableDecoder,
      clock: context.clock,
      user: {
        set: ({ value }) => onNames(value),
        // A mesh without names says so in an empty table.
        remove: () => 'kept',
        onAnswer: () => undefined,
        stateOf: () => 'active',
      },
    });
  }

  /** Over the aggregated stream; nobody waits for it. */
  subscribe(): void {
    const { type } = this.resources;
    this.#context.sources
      .subscriptions({ kind: 'ads', initialFetchTimeoutMs: 0 }, type)
      .subscribe(type.typeUrl, wildcard, 0);
  }
}
