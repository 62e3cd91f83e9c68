// The runtime: named values in layers, of which the last that has a name wins (`LayeredRuntime`).

import type { RuntimeLayer } from '../../config/bootstrap.ts';
import type { Problems } from '../../config/problems.ts';
import type { LayeredRuntime, RuntimeLayer as LayerMessage } from '../generated/messages.ts';
import type { JsonObject } from '../message/message-descriptor.ts';
import type { KnownSources } from './config-source-problem.ts';
import { decodeKnownSource } from './dynamic-resources.ts';
import { given } from './given.ts';

export type RuntimeValues = ReadonlyMap<string, string | number | boolean>;

export function decodeRuntime(
  message: LayeredRuntime | undefined,
  known: KnownSources,
  problems: Problems,
): { readonly layers: readonly RuntimeLayer[]; readonly values: RuntimeValues } {
  const values = new Map<string, string | number | boolean>();
  const layers: RuntimeLayer[] = [];
  for (const [index, layer] of (message?.layers ?? []).entries()) {
    const decoded = decodeLayer(layer, known, problems.at('layers').item(index));
    checkLayer(decoded, layers, problems.at('layers').item(index));
    layers.push(decoded);
    for (const [key, value] of decoded.values) values.set(key, value);
  }
  return { layers, values };
}

/** A number, also one in quotes, as Envoy reads it; undefined without. */
export function runtimeNumber(values: RuntimeValues, key: string): number | undefined {
  const value = values.get(key);
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
}

function checkLayer(layer: RuntimeLayer, earlier: readonly RuntimeLayer[], problems: Problems): void {
  if (earlier.some(({ name }) => name === layer.name)) problems.at('name').add(`${layer.name} exists already`);
  if (layer.kind === 'admin' && earlier.some(({ kind }) => kind === 'admin')) {
    problems.at('admin_layer').add('there is an admin layer already');
  }
}

function decodeLayer(message: LayerMessage, known: KnownSources, problems: Problems): RuntimeLayer {
  if (message.rtdsLayer !== undefined) return decodeRtdsLayer(message, known, problems.at('rtds_layer'));
  const values = decodeRuntimeValues(message.staticLayer ?? {}, problems.at('static_layer'));
  return { name: message.name ?? '', kind: message.adminLayer === undefined ? 'static' : 'admin', values };
}

/** Empty until its resource comes. */
function decodeRtdsLayer(
  { name = '', rtdsLayer }: LayerMessage,
  known: KnownSources,
  problems: Problems,
): RuntimeLayer {
  const { name: resource, rtdsConfig } = rtdsLayer ?? {};
  if (resource === undefined) problems.at('name').add('name is required: it is the resource that is asked for');
  if (rtdsConfig === undefined) problems.at('rtds_config').add('rtds_config is required: it says where it comes from');
  const source = rtdsConfig && decodeKnownSource(rtdsConfig, known, problems.at('rtds_config'));
  return { name, kind: 'rtds', ...given('resource', resource), ...given('source', source), values: new Map() };
}

/** The values of one layer by their whole names. */
export function decodeRuntimeValues(tree: JsonObject, problems: Problems): RuntimeValues {
  const values = new Map<string, string | number | boolean>();
  flatten(tree, { prefix: '', values }, problems);
  return values;
}

/** `{a: {b: 1}}` is the value `a.b`, unless it is a fractional percent, which is one value of its own. */
function flatten(
  tree: JsonObject,
  into: { readonly prefix: string; readonly values: Map<string, string | number | boolean> },
  problems: Problems,
): void {
  for (const [name, value] of Object.entries(tree)) {
    const key = into.prefix === '' ? name : `${into.prefix}.${name}`;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      into.values.set(key, value);
    } else if (value === null || Array.isArray(value)) {
      problems.item(name).add(`${key} must be a number, text, true or false, or an object of such`);
    } else if ('numerator' in (value as JsonObject)) {
      problems.item(name).unsupported(`a fractional percent for ${key}`, 'write a percentage as a number');
    } else flatten(value as JsonObject, { prefix: key, values: into.values }, problems.item(name));
  }
}
