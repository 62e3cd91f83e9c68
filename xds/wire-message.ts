// Messages to and from the protobuf wire format, by the generated protobufjs code. Only this and the
// client of control planes load protobufjs, which costs memory and start-up time that a static bootstrap does not need:
// nothing on its road imports them.
//
// protobufjs has its own form for well-known types and enums; here it is turned into the one form that messages have in
// memory (README.md), so that checks and decoders do not know which road a message came by.

import type { Problems } from '../config/problems.ts';
import { type CodecNamespace, envoy, google, istio, stats, udpa, xds } from './generated/codecs.js';
import {
  type Any,
  enumDescriptor,
  type FieldDescriptor,
  type JsonObject,
  type JsonValue,
  type Message,
  messageDescriptor,
} from './message-descriptor.ts';
import { typedStructs } from './proto-json.ts';
import { unwrapTypedStruct } from './typed-struct.ts';

/** The bytes of a message of a generated type. Throws for opaque fields: their content is not known. */
export function encodeMessage(message: Message, typeName: string): Uint8Array {
  return codecOf(typeName).encode(toPlain(message, typeName)).finish();
}

/** The message in `bytes`, or undefined when they are not one. What it holds that no enum has is recorded. */
export function decodeMessage(bytes: Uint8Array, typeName: string, problems: Problems): Message | undefined {
  const plain = decodePlain(bytes, typeName, problems);
  return plain && fromPlain(plain, typeName, problems);
}

/** What protobufjs generates for a message. */
interface Codec {
  encode(message: Plain): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Plain;
}

/** A message in protobufjs' form. */
type Plain = { readonly [key: string]: unknown };

function codecOf(typeName: string): Codec {
  let place: CodecNamespace | undefined = { envoy, google, istio, stats, udpa, xds };
  for (const part of typeName.split('.')) place = place?.[part];
  if (place === undefined) throw new Error(`no code for message ${typeName}`);
  return place as unknown as Codec;
}

function decodePlain(bytes: Uint8Array, typeName: string, problems: Problems): Plain | undefined {
  try {
    return codecOf(typeName).decode(bytes);
  } catch (error) {
    problems.add(`is not a ${typeName}: ${(error as Error).message}`);
    return undefined;
  }
}

function toPlain(message: Message, typeName: string): Plain {
  const { fieldsByName } = messageDescriptor(typeName)!;
  const plain: { [key: string]: unknown } = {};
  for (const key in message) plain[key] = fieldToPlain(message[key], fieldsByName.get(key)!);
  return plain;
}

function fieldToPlain(value: unknown, field: FieldDescriptor): unknown {
  if (field.shape === 'single') return valueToPlain(value, field);
  if (field.shape === 'repeated') return (value as readonly unknown[]).map((item) => valueToPlain(item, field));
  return mapValues(value as Plain, (item) => valueToPlain(item, field));
}

function valueToPlain(value: unknown, field: FieldDescriptor): unknown {
  switch (field.kind) {
    case 'scalar':
      return value;
    case 'enum':
      return enumDescriptor(field.type).byName.get(value as string);
    case 'opaque':
      throw new Error(`${field.name} is opaque and cannot be encoded`);
    case 'message':
      return messageToPlain(value, field.type);
  }
}

function messageToPlain(value: unknown, type: string): Plain {
  switch (type) {
    case 'google.protobuf.Any': {
      const { typeUrl, typeName, message } = value as Any;
      return { typeUrl, value: message === undefined ? new Uint8Array() : encodeMessage(message as Message, typeName) };
    }
    case 'google.protobuf.Duration':
    case 'google.protobuf.Timestamp':
      return instantToPlain(value as number);
    case 'google.protobuf.Struct':
      return { fields: mapValues(value as JsonObject, jsonToPlain) };
    case 'google.protobuf.ListValue':
      return { values: (value as readonly JsonValue[]).map(jsonToPlain) };
    case 'google.protobuf.Value':
      return jsonToPlain(value as JsonValue);
    case 'google.protobuf.Empty':
      return {};
    default:
      return type.startsWith('google.protobuf.') ? { value } : toPlain(value as Message, type);
  }
}

function instantToPlain(ms: number): Plain {
  const seconds = Math.trunc(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

function jsonToPlain(json: JsonValue): Plain {
  if (json === null) return { nullValue: 0 };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  if (Array.isArray(json)) return { listValue: { values: json.map(jsonToPlain) } };
  return { structValue: { fields: mapValues(json as JsonObject, jsonToPlain) } };
}

function fromPlain(plain: Plain, typeName: string, problems: Problems): Message {
  const message: { [key: string]: unknown } = {};
  for (const field of messageDescriptor(typeName)!.fields) {
    // Defaults are on the prototype: own properties are what the wire carried.
    if (!Object.hasOwn(plain, field.key)) continue;
    const value = fieldFromPlain(plain[field.key], field, problems.at(field.name));
    if (value !== undefined) message[field.key] = value;
  }
  return message;
}

function fieldFromPlain(value: unknown, field: FieldDescriptor, problems: Problems): unknown {
  if (field.shape === 'single') return valueFromPlain(value, field, problems);
  if (field.shape === 'repeated') {
    const items = (value as readonly unknown[]).map((item, index) => valueFromPlain(item, field, problems.item(index)));
    return items.length === 0 ? undefined : items;
  }
  const map = mapValues(value as Plain, (item, key) => valueFromPlain(item, field, problems.item(key)));
  return Object.keys(map).length === 0 ? undefined : map;
}

function valueFromPlain(value: unknown, field: FieldDescriptor, problems: Problems): unknown {
  switch (field.kind) {
    case 'scalar':
      return scalarFromPlain(value);
    case 'enum': {
      const name = enumDescriptor(field.type).byNumber.get(value as number);
      if (name === undefined) problems.add(`${value} is not a value of ${field.type}`);
      return name;
    }
    case 'opaque':
      return value;
    case 'message':
      return messageFromPlain(value as Plain, field.type, problems);
  }
}

/** 64-bit integers come as an object of two halves; bytes as a view that would keep the whole response in memory. */
function scalarFromPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  const isLong = typeof value === 'object' && value !== null && 'toNumber' in value;
  return isLong ? (value as { toNumber(): number }).toNumber() : value;
}

function messageFromPlain(plain: Plain, type: string, problems: Problems): unknown {
  switch (type) {
    case 'google.protobuf.Any':
      return anyFromPlain(plain, problems);
    case 'google.protobuf.Duration':
    case 'google.protobuf.Timestamp':
      return Number(scalarFromPlain(plain['seconds'])) * 1000 + Number(plain['nanos']) / 1e6;
    case 'google.protobuf.Struct':
      return mapValues(plain['fields'] as Plain, (value) => jsonFromPlain(value as Plain));
    case 'google.protobuf.ListValue':
      return (plain['values'] as readonly Plain[]).map(jsonFromPlain);
    case 'google.protobuf.Value':
      return jsonFromPlain(plain);
    case 'google.protobuf.Empty':
      return {};
    default:
      return type.startsWith('google.protobuf.') ? scalarFromPlain(plain['value']) : fromPlain(plain, type, problems);
  }
}

function anyFromPlain(plain: Plain, problems: Problems): Any {
  const typeUrl = plain['typeUrl'] as string;
  const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  if (messageDescriptor(typeName) === undefined) return { typeUrl, typeName };
  const message = decodeMessage(plain['value'] as Uint8Array, typeName, problems) ?? {};
  return typedStructs.has(typeName) ? unwrapTypedStruct(message, problems) : { typeUrl, typeName, message };
}

function jsonFromPlain(plain: Plain): JsonValue {
  if (Object.hasOwn(plain, 'numberValue')) return plain['numberValue'] as number;
  if (Object.hasOwn(plain, 'stringValue')) return plain['stringValue'] as string;
  if (Object.hasOwn(plain, 'boolValue')) return plain['boolValue'] as boolean;
  if (Object.hasOwn(plain, 'listValue')) {
    return ((plain['listValue'] as Plain)['values'] as readonly Plain[]).map(jsonFromPlain);
  }
  if (!Object.hasOwn(plain, 'structValue')) return null;
  return mapValues((plain['structValue'] as Plain)['fields'] as Plain, (value) => jsonFromPlain(value as Plain));
}

/** Without a prototype: keys are the sender's, `__proto__` too. */
function mapValues<A, B>(
  map: { readonly [key: string]: A },
  change: (value: A, key: string) => B,
): { [key: string]: B } {
  const changed: { [key: string]: B } = Object.create(null);
  for (const key of Object.keys(map)) changed[key] = change(map[key]!, key);
  return changed;
}
