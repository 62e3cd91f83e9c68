// `/runtime` and `POST /runtime_modify`: runtime values by layer, and those that an operator lays over them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/runtime

import type { RuntimeLayer } from '../../config/bootstrap.ts';

export type RuntimeValue = string | number | boolean;

/** The layers of a running process that change: the operator's, and those that a control plane sends. */
export class RuntimeOverrides {
  /** The operator's: they live as long as the process. */
  readonly #values = new Map<string, RuntimeValue>();
  readonly #sent = new Map<string, ReadonlyMap<string, RuntimeValue>>();

  get size(): number {
    return this.#values.size;
  }

  /** Sets values by key; an empty one takes an override back. */
  modify(values: Iterable<readonly [string, string]>): void {
    for (const [key, value] of values) {
      if (value === '') this.#values.delete(key);
      else this.#values.set(key, parse(value));
    }
  }

  /** The values of a layer that a control plane sends. */
  setLayer(name: string, values: ReadonlyMap<string, RuntimeValue>): void {
    this.#sent.set(name, values);
  }

  /** The layers flattened, later ones before earlier ones. */
  flatten(layers: readonly RuntimeLayer[]): ReadonlyMap<string, RuntimeValue> {
    const flat = new Map<string, RuntimeValue>();
    for (const layer of layers) for (const [key, value] of this.#valuesOf(layer)) flat.set(key, value);
    return flat;
  }

  /** Envoy's JSON: what each layer says of each key, and what counts. */
  dump(layers: readonly RuntimeLayer[]): unknown {
    const entries: Record<string, { final_value: string; layer_values: string[] }> = Object.create(null);
    for (const [key, value] of this.flatten(layers)) {
      entries[key] = {
        final_value: String(value),
        layer_values: layers.map((layer) => String(this.#valuesOf(layer).get(key) ?? '')),
      };
    }
    return { layers: layers.map((layer) => layer.name), entries };
  }

  #valuesOf(layer: RuntimeLayer): ReadonlyMap<string, RuntimeValue> {
    if (layer.kind === 'admin') return this.#values;
    return this.#sent.get(layer.name) ?? layer.values;
  }
}

// As in a file: a number, a boolean, else text.
function parse(value: string): RuntimeValue {
  if (value === 'true' || value === 'false') return value === 'true';
  const number = Number(value);
  return value.trim() === value && Number.isFinite(number) ? number : value;
}
