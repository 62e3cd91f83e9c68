// Layers of the runtime that a control plane sends.

import type { RuntimeLayer } from '../../config/bootstrap.ts';
import type { RuntimeValues } from '../decode/runtime.ts';
import { runtimeDecoder } from '../resource/runtime-resource.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { isSettled, type SubscribedResource, SubscribedType } from './subscribed-type.ts';

export class RuntimeLayers {
  readonly resources: SubscribedType<RuntimeValues, RuntimeLayer>;
  readonly #used: SubscribedResource<RuntimeValues, RuntimeLayer>[] = [];

  /** Without values a layer is empty: before they come, and when they are removed. */
  constructor({ sources, clock, onDue }: AssemblyContext, onLayer: (name: string, values: RuntimeValues) => void) {
    this.resources = new SubscribedType<RuntimeValues, RuntimeLayer>({
      decoder: runtimeDecoder,
      sources,
      clock,
      removal: 'honoured',
      onChange({ users, value }) {
        for (const { name } of users) onLayer(name, value ?? new Map());
        onDue();
      },
    });
  }

  subscribe(layers: readonly RuntimeLayer[]): void {
    for (const layer of layers) {
      const { source, resource } = layer;
      if (source !== undefined && resource !== undefined) this.#used.push(this.resources.use(source, resource, layer));
    }
  }

  /** Each came, or is known not to come. */
  get areKnown(): boolean {
    return this.#used.every((resource) => isSettled(resource, false));
  }
}
