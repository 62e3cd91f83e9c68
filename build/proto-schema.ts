// Envoy's proto files, read and reduced to the messages that have a support table.
//
// A field whose type has no table becomes opaque: it is known by name, so that setting it can be refused, and its
// content is not looked at. On the wire an opaque message is `bytes`, which has the same encoding: it is seen and
// refused there too, where a missing field would be dropped in silence.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { amendProtos } from './proto-amendments.ts';

export interface Schema {
  readonly messages: readonly SchemaMessage[];
  readonly enums: readonly SchemaEnum[];
}

export interface SchemaMessage {
  readonly name: string;
  readonly fields: readonly SchemaField[];
  /** Names of the oneofs of which one member must be set. */
  readonly requiredOneofs: readonly string[];
}

export interface SchemaField {
  readonly name: string;
  /** lowerCamelCase, by protoc's rule: the JSON name and the name of the property in memory. */
  readonly key: string;
  readonly id: number;
  readonly kind: 'scalar' | 'enum' | 'message' | 'opaque';
  /** Scalar name, or full name without a leading dot. */
  readonly type: string;
  readonly shape: 'single' | 'repeated' | 'map';
  readonly oneof?: string;
  /** protoc-gen-validate rules without the type level; durations in milliseconds. */
  readonly rules?: { readonly [rule: string]: unknown };
}

export interface SchemaEnum {
  readonly name: string;
  readonly values: { readonly [name: string]: number };
}

/** Well-known types that have a JSON form of their own. */
export const wellKnownTypes: readonly string[] = [
  'Any',
  'BoolValue',
  'BytesValue',
  'DoubleValue',
  'Duration',
  'Empty',
  'FloatValue',
  'Int32Value',
  'Int64Value',
  'ListValue',
  'StringValue',
  'Struct',
  'Timestamp',
  'UInt32Value',
  'UInt64Value',
  'Value',
].map((name) => `google.protobuf.${name}`);

/** Reads the proto files below `protoRoots` and keeps `messageNames`. Throws when a message does not exist. */
export function readSchema(protoRoots: readonly string[], messageNames: readonly string[]): Schema {
  const root = loadProtos(protoRoots, messageNames);
  const known = new Set([...messageNames, ...wellKnownTypes]);
  const enums = new Map<string, SchemaEnum>();
  const messages = [...messageNames].sort().map((name) => {
    const type = root.lookupType(name);
    return {
      name,
      fields: type.fieldsArray.map((field) => readField(field, known, enums)),
      requiredOneofs: type.oneofsArray
        .filter((oneof) => oneof.options?.['(validate.required)'] === true)
        .map((oneof) => oneof.name),
    };
  });
  return { messages, enums: [...enums.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function loadProtos(protoRoots: readonly string[], messageNames: readonly string[]): protobuf.Root {
  const root = new protobuf.Root();
  const locate = (path: string) => protoRoots.map((dir) => join(dir, path)).find((file) => existsSync(file));
  // The well-known types are built into protobufjs and need no file.
  root.resolvePath = (_origin, path) => locate(path) ?? path;
  const packages = new Map<string, Set<string>>();
  for (const name of messageNames) {
    const [, packageName = '', message = ''] = /^(.*?)\.([A-Z]\w*)/.exec(name) ?? [];
    const folder = packageName.replaceAll('.', '/');
    packages.set(folder, (packages.get(folder) ?? new Set()).add(message));
  }
  for (const folder of [...packages.keys()].sort()) {
    for (const file of protoFiles(folder, protoRoots)) {
      if (declaresAny(file, packages.get(folder)!)) root.loadSync(file, { keepCase: true });
    }
  }
  root.resolveAll();
  amendProtos(root);
  return root;
}

/** Of one package, which may be in several roots. */
function protoFiles(folder: string, protoRoots: readonly string[]): readonly string[] {
  const directories = protoRoots.map((root) => join(root, folder)).filter((directory) => existsSync(directory));
  if (directories.length === 0) throw new Error(`no proto folder ${folder}`);
  return directories.flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.proto'))
      .sort()
      .map((name) => join(directory, name)),
  );
}

/** Files beside the wanted ones may import what is not there. */
function declaresAny(file: string, messages: ReadonlySet<string>): boolean {
  const declared = readFileSync(file, 'utf8').matchAll(/^message (\w+)/gm);
  return [...declared].some(([, name]) => messages.has(name!));
}

function readField(field: protobuf.Field, known: Set<string>, enums: Map<string, SchemaEnum>): SchemaField {
  const { kind, type } = readType(field, known, enums);
  const rules = readRules(field);
  return {
    name: field.name,
    key: camelCase(field.name),
    id: field.id,
    kind,
    type,
    shape: field.map ? 'map' : field.repeated ? 'repeated' : 'single',
    ...(field.partOf === null ? {} : { oneof: field.partOf.name }),
    ...(rules === undefined ? {} : { rules }),
  };
}

function readType(field: protobuf.Field, known: Set<string>, enums: Map<string, SchemaEnum>) {
  if (field instanceof protobuf.MapField && field.keyType !== 'string') {
    throw new Error(`${field.fullName}: maps with ${field.keyType} keys are not generated`);
  }
  const resolved = field.resolvedType;
  if (resolved === null) return { kind: 'scalar' as const, type: field.type };
  const type = resolved.fullName.slice(1);
  if (resolved instanceof protobuf.Enum) {
    enums.set(type, { name: type, values: resolved.values });
    return { kind: 'enum' as const, type };
  }
  return { kind: known.has(type) ? ('message' as const) : ('opaque' as const), type };
}

/** protoc's rule for JSON names: an underscore is dropped and the next character is capitalised, digits too. */
function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, next: string) => next.toUpperCase());
}

type RuleTree = { [rule: string]: unknown };

function readRules(field: protobuf.Field): RuleTree | undefined {
  const options: RuleTree[] = field.parsedOptions ?? [];
  const option = options.find((entry) => '(validate.rules)' in entry)?.['(validate.rules)'] as RuleTree | undefined;
  if (option === undefined) return undefined;
  const rules = withoutTypeLevel(option);
  for (const rule of droppedRules) delete rules[rule];
  return Object.keys(rules).length === 0 ? undefined : rules;
}

/** Undefined values are refused for every enum, header names are always strict, keys of maps are never empty in JSON. */
const droppedRules = ['defined_only', 'strict', 'keys'];

function withoutTypeLevel(option: RuleTree): RuleTree {
  const merged: RuleTree = {};
  for (const [kind, value] of Object.entries(option)) {
    for (const [rule, limit] of Object.entries(value as RuleTree)) {
      if (rule === 'items') {
        const items = withoutTypeLevel(limit as RuleTree);
        for (const dropped of droppedRules) delete items[dropped];
        if (Object.keys(items).length > 0) merged['items'] = items;
      } else {
        merged[rule] = kind === 'duration' && typeof limit === 'object' ? durationMs(limit as RuleTree) : limit;
      }
    }
  }
  return merged;
}

function durationMs(duration: RuleTree): number {
  return Number(duration['seconds'] ?? 0) * 1000 + Number(duration['nanos'] ?? 0) / 1e6;
}
