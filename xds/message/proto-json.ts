// JSON (or YAML) trees to messages by the rules of proto3 JSON (https://protobuf.dev/programming-guides/json/),
// driven by the generated descriptors. Every problem is recorded with the path as it was written; what could be read is
// returned all the same, so that later checks find the rest of the problems in the same run.
//
// The path is a stack that is pushed and popped while walking and becomes text only for a problem: a bootstrap of
// 10,000 clusters has half a million values.

import type { Problem } from '../../config/problems.ts';
import {
  type Any,
  type EnumDescriptor,
  enumDescriptor,
  type FieldDescriptor,
  type JsonObject,
  type Message,
  type MessageDescriptor,
  messageDescriptor,
} from './message-descriptor.ts';
import { nearestField, nearestName } from './nearest-name.ts';
import { isScalarMessage, meantDuration, readScalar, scalarExpectation } from './proto-json-scalar.ts';

export interface ProtoJsonResult {
  readonly message: Message;
  readonly problems: readonly Problem[];
  /** Fields that no message has; the caller decides whether they are problems. */
  readonly unknownFields: readonly Problem[];
}

/** Reads `json` as a message of the given type. Throws only when the type has no descriptor. Never throws for input. */
export function readProtoJson(json: unknown, typeName: string): ProtoJsonResult {
  const descriptor = messageDescriptor(typeName);
  if (descriptor === undefined) throw new Error(`no descriptor of message ${typeName}`);
  const reader = new ProtoJsonReader();
  const message = reader.readMessage(json, descriptor) ?? {};
  return { message, problems: reader.problems, unknownFields: reader.unknownFields };
}

/** protobuf's own limit of nesting; it also ends a YAML alias that contains itself. */
const maxDepth = 100;

export const typedStructs: ReadonlySet<string> = new Set(['udpa.type.v1.TypedStruct', 'xds.type.v3.TypedStruct']);

/** Fields of Envoy's API before version 3 that live on in old files, and what took their place. */
const formerFields: ReadonlyMap<string, string> = new Map([
  ['envoy.config.cluster.v3.Cluster.hosts', 'load_assignment'],
  ['envoy.config.cluster.v3.Cluster.tls_context', 'transport_socket'],
  ['envoy.config.listener.v3.FilterChain.tls_context', 'transport_socket'],
  ['envoy.config.bootstrap.v3.Bootstrap.runtime', 'layered_runtime'],
  ['envoy.config.listener.v3.Filter.config', 'typed_config'],
  ['envoy.config.listener.v3.ListenerFilter.config', 'typed_config'],
  ['envoy.config.accesslog.v3.AccessLog.config', 'typed_config'],
  ['envoy.config.core.v3.TransportSocket.config', 'typed_config'],
  ['envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.config', 'typed_config'],
]);

class ProtoJsonReader {
  readonly problems: Problem[] = [];
  readonly unknownFields: Problem[] = [];
  readonly #path: (string | number)[] = [];
  #depth = 0;

  /** The message, or undefined when the value is not an object at all (recorded). */
  readMessage(json: unknown, descriptor: MessageDescriptor, isInAny = false): Message | undefined {
    if (!isObject(json)) {
      this.#report(`expected an object, got ${this.#shown(json)}`);
      return undefined;
    }
    if (this.#depth === maxDepth) {
      this.#report(`nested deeper than ${maxDepth} levels`);
      return undefined;
    }
    this.#depth++;
    const message: { [key: string]: unknown } = {};
    let oneofs: Map<string, string> | undefined;
    for (const name in json) {
      const value = json[name];
      if (isInAny && name === '@type') continue;
      this.#path.push(name);
      const field = descriptor.fieldsByName.get(name);
      if (field === undefined) this.#reportUnknown(name, descriptor);
      else if (value !== null || field.type === 'google.protobuf.Value') {
        if (field.oneof !== undefined) {
          oneofs ??= new Map();
          this.#checkOneof(field.oneof, name, oneofs);
        }
        if (message[field.key] !== undefined) this.#report(`${field.name} is given twice, in both spellings`);
        const read = this.#readField(value, field);
        if (read !== undefined) message[field.key] = read;
      }
      this.#path.pop();
    }
    this.#depth--;
    return message;
  }

  #checkOneof(oneof: string, name: string, seen: Map<string, string>): void {
    const other = seen.get(oneof);
    if (other !== undefined) this.#report(`only one of ${other} and ${name} may be set`);
    seen.set(oneof, name);
  }

  /** Undefined also when the value is the default of a field without presence: the wire would not carry it either. */
  #readField(json: unknown, field: FieldDescriptor): unknown {
    if (field.shape === 'repeated') return this.#readRepeated(json, field);
    if (field.shape === 'map') return this.#readMap(json, field);
    const value = this.#readValue(json, field);
    return field.oneof === undefined && isDefault(value, field) ? undefined : value;
  }

  #readRepeated(json: unknown, field: FieldDescriptor): readonly unknown[] | undefined {
    if (!Array.isArray(json)) {
      this.#report(`expected a list, got ${this.#shown(json)}`);
      return undefined;
    }
    const items: unknown[] = [];
    for (let index = 0; index < json.length; index++) {
      this.#path.push(index);
      const item = this.#readValue(json[index], field);
      // A bad element keeps its place, so that paths of later problems have the index that was written.
      items.push(item ?? (field.kind === 'message' && !isScalarMessage(field.type) ? {} : undefined));
      this.#path.pop();
    }
    const read = items.includes(undefined) ? items.filter((item) => item !== undefined) : items;
    return read.length === 0 ? undefined : read;
  }

  #readMap(json: unknown, field: FieldDescriptor): Message | undefined {
    if (!isObject(json)) {
      this.#report(`expected an object, got ${this.#shown(json)}`);
      return undefined;
    }
    // Without a prototype: keys are the operator's, `__proto__` too.
    const map: { [key: string]: unknown } = Object.create(null);
    let isEmpty = true;
    for (const key in json) {
      this.#path.push(`[${JSON.stringify(key)}]`);
      const value = this.#readValue(json[key], field);
      this.#path.pop();
      if (value === undefined) continue;
      map[key] = value;
      isEmpty = false;
    }
    return isEmpty ? undefined : map;
  }

  #readValue(json: unknown, field: FieldDescriptor): unknown {
    if (field.kind === 'opaque') return json;
    if (field.kind === 'enum') return this.#readEnum(json, field.type);
    if (field.kind === 'scalar' || isScalarMessage(field.type)) return this.#readScalar(json, field.type);
    return this.#readTyped(json, field.type);
  }

  #readScalar(json: unknown, type: string): unknown {
    const value = readScalar(type, json);
    if (value === undefined) {
      const meant = type === 'google.protobuf.Duration' ? meantDuration(json) : undefined;
      const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
      this.#report(`expected ${scalarExpectation(type)}, got ${this.#shown(json)}${hint}`);
    }
    return value;
  }

  #readEnum(json: unknown, type: string): string | undefined {
    const descriptor = enumDescriptor(type);
    const { byName } = descriptor;
    if (typeof json === 'string' && byName.has(json)) return json;
    const name = enumName(json, descriptor);
    if (name !== undefined) return name;
    const meant = typeof json === 'string' ? nearestName(json, byName.keys()) : undefined;
    const hint = meant === undefined ? `expected one of ${[...byName.keys()].join(', ')}` : `did you mean ${meant}?`;
    this.#report(`${this.#shown(json)} is not a value of this field; ${hint}`);
    return undefined;
  }

  /** A message, or a well-known type with a JSON form of its own. */
  #readTyped(json: unknown, type: string): unknown {
    switch (type) {
      case 'google.protobuf.Any':
        return this.#readAny(json);
      case 'google.protobuf.Struct':
        return this.#readJson(json, isObject(json), 'an object');
      case 'google.protobuf.ListValue':
        return this.#readJson(json, Array.isArray(json), 'a list');
      case 'google.protobuf.Value':
        return this.#readJson(json, true, '');
      case 'google.protobuf.Empty':
        return this.#readJson(json, isObject(json) && Object.keys(json).length === 0, 'an empty object');
      default:
        return this.readMessage(json, messageDescriptor(type)!);
    }
  }

  #readJson(json: unknown, isExpectedKind: boolean, expectation: string): unknown {
    if (!isExpectedKind) {
      this.#report(`expected ${expectation}, got ${this.#shown(json)}`);
      return undefined;
    }
    if (isFiniteJson(json, 0)) return json;
    this.#report(`a number is not finite, or the value is nested deeper than ${maxDepth} levels`);
    return undefined;
  }

  #readAny(json: unknown): Any | undefined {
    if (!isObject(json) || typeof json['@type'] !== 'string') {
      this.#report('expected an object with "@type", the type URL of its message');
      return undefined;
    }
    const typeUrl = json['@type'];
    const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
    if (typeName === typeUrl || typeName === '') {
      this.#report(
        `${this.#shown(typeUrl)} is not a type URL; expected type.googleapis.com/ and the name of a message`,
      );
      return undefined;
    }
    if (typedStructs.has(typeName)) return this.#readTypedStruct(json);
    const descriptor = messageDescriptor(typeName);
    if (descriptor !== undefined) return { typeUrl, typeName, message: this.readMessage(json, descriptor, true) ?? {} };
    return typeName.startsWith('google.protobuf.') ? this.#readWellKnownAny(json, typeUrl) : { typeUrl, typeName };
  }

  /** A type with a JSON form of its own has it under `value`. */
  #readWellKnownAny(json: JsonObject, typeUrl: string): Any {
    const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
    if (typeName === 'google.protobuf.Empty') return { typeUrl, typeName, message: {} };
    this.#path.push('value');
    const isScalar = isScalarMessage(typeName);
    const isJson = /\.(Struct|ListValue|Value)$/.test(typeName);
    const value = isScalar
      ? this.#readScalar(json['value'], typeName)
      : isJson
        ? this.#readTyped(json['value'], typeName)
        : undefined;
    this.#path.pop();
    return value === undefined ? { typeUrl, typeName } : { typeUrl, typeName, message: value };
  }

  /** A message that the sender could not type: its type URL is inside, its fields are under `value`. */
  #readTypedStruct(json: JsonObject): Any | undefined {
    const typeUrl = json['type_url'] ?? json['typeUrl'];
    if (typeof typeUrl !== 'string') {
      this.#report('expected type_url, the type URL of the message in value');
      return undefined;
    }
    const value = json['value'] ?? {};
    this.#path.push('value');
    const message = isObject(value) ? this.#readAny({ ...value, '@type': typeUrl }) : undefined;
    if (!isObject(value)) this.#report(`expected an object, got ${this.#shown(value)}`);
    this.#path.pop();
    return message;
  }

  /** What was written where a key or password belongs is not repeated. */
  #shown(json: unknown): string {
    const isSecret = this.#path.some((step) => typeof step === 'string' && secretFields.has(step));
    return isSecret && !Array.isArray(json) && !isObject(json) ? 'something else' : shown(json);
  }

  #report(message: string): void {
    this.problems.push({ path: pathText(this.#path), message });
  }

  #reportUnknown(name: string, descriptor: MessageDescriptor): void {
    const isSnakeCase = name.includes('_') || !/[A-Z]/.test(name);
    const names = descriptor.fields.map((field) => (isSnakeCase ? field.name : field.key));
    const meant = formerFields.get(`${descriptor.name}.${name}`) ?? nearestField(name, names);
    const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
    this.unknownFields.push({ path: pathText(this.#path), message: `unknown field of ${descriptor.name}${hint}` });
  }
}

/** `a.b[0].c["key"]` of the steps. */
function pathText(steps: readonly (string | number)[]): string {
  let text = '';
  for (const step of steps) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' || step.startsWith('["') ? step : `.${step}`;
  }
  return text;
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** By number, also in quotes, or by name in any case: what protobuf's own reader takes beyond the rules. */
function enumName(json: unknown, { byName, byNumber }: EnumDescriptor): string | undefined {
  if (typeof json === 'number') return byNumber.get(json);
  if (typeof json !== 'string') return undefined;
  const upper = json.toUpperCase();
  return byName.has(upper) ? upper : /^\d+$/.test(json) ? byNumber.get(Number(json)) : undefined;
}

function isDefault(value: unknown, field: FieldDescriptor): boolean {
  if (field.kind === 'enum') return enumDescriptor(field.type).byName.get(value as string) === 0;
  if (field.kind !== 'scalar') return false;
  return value === '' || value === 0 || value === false || (value instanceof Uint8Array && value.length === 0);
}

function isFiniteJson(json: unknown, depth: number): boolean {
  if (typeof json === 'number') return Number.isFinite(json);
  if (typeof json !== 'object' || json === null) return true;
  if (depth === maxDepth) return false;
  return Object.values(json).every((value) => isFiniteJson(value, depth + 1));
}

/** Fields that hold secrets, or bytes that may be one, in both spellings. */
const secretFields: ReadonlySet<string> = new Set(
  [
    ...['private_key', 'password', 'pkcs12', 'session_ticket_keys', 'generic_secret', 'keys', 'secret'],
    ...['inline_bytes', 'inline_string', 'access_token'],
  ].flatMap((name) => [name, name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())]),
);

/** The value as it was written, short enough for one line. */
function shown(json: unknown): string {
  if (Array.isArray(json)) return 'a list';
  if (isObject(json)) return 'an object';
  const text = JSON.stringify(json) ?? String(json);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
