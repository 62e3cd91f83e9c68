// Commands that read metadata: DYNAMIC_METADATA, CLUSTER_METADATA, UPSTREAM_METADATA and METADATA(TYPE:…). The argument is
// `namespace:key:…`; without a key it is the whole namespace. What is not a string is written as JSON.

import type { Metadata } from '../../config/endpoint.ts';
import type { FormatCommand } from '../../config/format-commands.ts';
import { toByteString, withoutControls } from './byte-string.ts';
import { type FormatContext, type FormatValue, JsonText, type Operator } from './format-context.ts';

/** By command name: makes the operator for one use of the command. */
export const metadataOperators: Readonly<Record<string, (command: FormatCommand) => Operator>> = {
  DYNAMIC_METADATA: ({ argument }) => dynamic(argument!),
  CLUSTER_METADATA: ({ argument }) => fixed(argument!, ({ info }) => info.clusterMetadata),
  UPSTREAM_METADATA: ({ argument }) => fixed(argument!, ({ info }) => info.endpointMetadata),
  METADATA: ({ argument }) => {
    const colon = argument!.indexOf(':');
    const type = colon < 0 ? argument! : argument!.slice(0, colon);
    const path = colon < 0 ? '' : argument!.slice(colon + 1);
    switch (type) {
      case 'CLUSTER':
        return fixed(path, ({ info }) => info.clusterMetadata);
      case 'LISTENER':
        return fixed(path, ({ info }) => info.connection?.listenerMetadata ?? null);
      case 'LISTENER_FILTER_CHAIN':
        return fixed(path, ({ info }) => info.connection?.filterChainMetadata ?? null);
      case 'VIRTUAL_HOST':
        return fixed(path, ({ info }) => info.virtualHostMetadata);
      case 'ROUTE':
        return fixed(path, ({ info }) => info.routeMetadata);
      case 'UPSTREAM_HOST':
        return fixed(path, ({ info }) => info.endpointMetadata);
      default:
        return dynamic(path);
    }
  },
};

function fixed(argument: string, source: (context: FormatContext) => Metadata | null): Operator {
  const [namespace, ...keys] = argument.split(':');
  return (context) => {
    const metadata = source(context);
    return metadata === null ? null : writeMetadata(descend(own(metadata, namespace!), keys));
  };
}

function dynamic(argument: string): Operator {
  const [namespace, ...keys] = argument.split(':');
  return ({ info }) => {
    const values = info.dynamicMetadata?.get(namespace!);
    if (values === undefined) return null;
    if (keys.length === 0) return writeMetadata(Object.fromEntries(values));
    return writeMetadata(descend(values.get(keys[0]!), keys.slice(1)));
  };
}

/** What is found at the end of a path of keys; undefined when there is nothing. */
export function descend(value: unknown, keys: readonly string[]): unknown {
  let found = value;
  for (const key of keys) found = own(found, key);
  return found;
}

// Only what the object itself has: a key such as `constructor` must not reach the prototype.
function own(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

/** A value as formats write it: text as a byte string, a number as it is, all else as JSON. */
export function writeMetadata(value: unknown): FormatValue | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : notFinite(value);
  return typeof value === 'string' ? withoutControls(toByteString(value)) : JsonText.of(value);
}

// A control plane can send them. JSON has no word for them: Envoy writes null for NaN too, and `inf` in JSON as in text.
function notFinite(value: number): JsonText {
  const plain = Number.isNaN(value) ? 'null' : value > 0 ? 'inf' : '-inf';
  return new JsonText('null', { plain });
}
