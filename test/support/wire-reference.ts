// The wire format by another implementation than the one under test: protobufjs' own schema objects, made of the generated
// descriptors. Messages go in and out as protobufjs has them.

import protobuf from 'protobufjs';
import { messageTexts } from '../../xds/generated/descriptors.ts';
import {
  type Any,
  enumDescriptor,
  type FieldDescriptor,
  type JsonValue,
  type Message,
  messageDescriptor,
} from '../../xds/message/message-descriptor.ts';

type Tree = { [name: string]: unknown };

/** The bytes of a message in memory (xds/README.md). */
export function referenceBytes(message: Message, typeName: string): Uint8Array {
  return root.lookupType(typeName).encode(plainMessage(message, typeName)).finish();
}

/** The bytes that protobufjs writes of what it reads: one message, whatever form it came in. */
export function referenceCanonical(bytes: Uint8Array, typeName: string): Uint8Array {
  const type = root.lookupType(typeName);
  return type.encode(type.decode(bytes)).finish();
}

function makeRoot(): protobuf.Root {
  const tree: Tree = { nested: {} };
  const enums = new Set<string>();
  for (const name of Object.keys(messageTexts)) {
    const { fields } = messageDescriptor(name)!;
    for (const field of fields) if (field.kind === 'enum') enums.add(field.type);
    Object.assign(placeOf(tree, name), {
      fields: Object.fromEntries(fields.map((field) => [field.key, schemaField(field)])),
      oneofs: schemaOneofs(fields),
    });
  }
  for (const name of enums) {
    Object.assign(placeOf(tree, name), { values: Object.fromEntries(enumDescriptor(name).byName) });
  }
  // Made anew: those built into protobufjs read and write JSON forms of their own.
  for (const [name, fields] of Object.entries(wellKnownFields)) {
    const oneofs = name === 'Value' ? { kind: { oneof: Object.keys(fields) } } : {};
    Object.assign(placeOf(tree, `google.protobuf.${name}`), { fields, oneofs });
  }
  return protobuf.Root.fromJSON(tree as protobuf.INamespace).resolveAll() as protobuf.Root;
}

function placeOf(tree: Tree, name: string): Tree {
  let place = tree;
  for (const part of name.split('.')) {
    place['nested'] ??= {};
    const nested = place['nested'] as { [name: string]: Tree };
    nested[part] ??= {};
    place = nested[part];
  }
  return place;
}

function schemaField({ kind, type, id, shape }: FieldDescriptor): Tree {
  const field = { type: kind === 'opaque' ? 'bytes' : type, id };
  if (shape === 'map') return { ...field, keyType: 'string' };
  // Without `edition`, JSON schemas are proto2, where nothing is packed unless it says so.
  return shape === 'repeated' ? { ...field, rule: 'repeated', options: { packed: true } } : field;
}

function schemaOneofs(fields: readonly FieldDescriptor[]): Tree {
  const oneofs: { [name: string]: { oneof: string[] } } = {};
  for (const { key, oneof } of fields) {
    if (oneof === undefined) continue;
    oneofs[oneof] ??= { oneof: [] };
    oneofs[oneof].oneof.push(key);
  }
  return oneofs;
}

const wrapper = (type: string) => ({ value: { type, id: 1 } });
const instant = { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } };

const wellKnownFields: { readonly [name: string]: Tree } = {
  Any: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } },
  BoolValue: wrapper('bool'),
  BytesValue: wrapper('bytes'),
  DoubleValue: wrapper('double'),
  Duration: instant,
  Empty: {},
  FloatValue: wrapper('float'),
  Int32Value: wrapper('int32'),
  Int64Value: wrapper('int64'),
  ListValue: { values: { rule: 'repeated', type: 'Value', id: 1 } },
  StringValue: wrapper('string'),
  Struct: { fields: { keyType: 'string', type: 'Value', id: 1 } },
  Timestamp: instant,
  UInt32Value: wrapper('uint32'),
  UInt64Value: wrapper('uint64'),
  Value: {
    nullValue: { type: 'int32', id: 1 },
    numberValue: { type: 'double', id: 2 },
    stringValue: { type: 'string', id: 3 },
    boolValue: { type: 'bool', id: 4 },
    structValue: { type: 'Struct', id: 5 },
    listValue: { type: 'ListValue', id: 6 },
  },
};

const root = makeRoot();

function plainMessage(message: Message, typeName: string): Tree {
  const { fieldsByName } = messageDescriptor(typeName)!;
  const entries = Object.entries(message).map(([key, value]) => [key, plainField(value, fieldsByName.get(key)!)]);
  return Object.fromEntries(entries);
}

function plainField(value: unknown, field: FieldDescriptor): unknown {
  if (field.shape === 'single') return plainValue(value, field);
  if (field.shape === 'repeated') return (value as readonly unknown[]).map((item) => plainValue(item, field));
  return mapped(value as Message, (item) => plainValue(item, field));
}

function plainValue(value: unknown, { kind, type }: Pick<FieldDescriptor, 'kind' | 'type'>): unknown {
  if (kind === 'enum') return enumDescriptor(type).byName.get(value as string);
  return kind === 'message' ? plainNested(value, type) : value;
}

function plainNested(value: unknown, type: string): Tree {
  switch (type) {
    case 'google.protobuf.Any': {
      const { typeUrl, typeName, message } = value as Any;
      return { typeUrl, value: message === undefined ? [] : referenceBytes(message as Message, typeName) };
    }
    case 'google.protobuf.Duration':
    case 'google.protobuf.Timestamp':
      return { seconds: Math.trunc((value as number) / 1000), nanos: Math.round(((value as number) % 1000) * 1e6) };
    case 'google.protobuf.Struct':
      return { fields: mapped(value as Message, (item) => plainJson(item as JsonValue)) };
    case 'google.protobuf.ListValue':
      return { values: (value as readonly JsonValue[]).map(plainJson) };
    case 'google.protobuf.Value':
      return plainJson(value as JsonValue);
    default:
      if (type === 'google.protobuf.Empty') return {};
      return type.startsWith('google.protobuf.') ? { value } : plainMessage(value as Message, type);
  }
}

function plainJson(json: JsonValue): Tree {
  if (json === null) return { nullValue: 0 };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  return Array.isArray(json)
    ? { listValue: plainNested(json, 'google.protobuf.ListValue') }
    : { structValue: plainNested(json, 'google.protobuf.Struct') };
}

function mapped(map: Message, change: (value: unknown) => unknown): Tree {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
