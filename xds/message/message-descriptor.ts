// What the messages look like: fields, types, oneofs and rules, parsed from one generated string per message when the
// message is first met. A typical bootstrap meets some forty of them, so start-up does not pay for the rest.
//
// Text of a message, one line each:
//   !NAME                          one member of the oneof NAME must be set
//   name=number SHAPE KIND type oneof {rules}
// SHAPE is nothing, `*` (repeated) or `{` (map with string keys). KIND is nothing for a scalar, `=` for an enum, `.` for a
// message, `?` for an opaque message that is known by name only. `-` stands for no oneof. Rules are those of
// protoc-gen-validate as JSON; durations in milliseconds.

import { enumTexts, messageTexts } from '../generated/descriptors.ts';

export type JsonValue = string | number | boolean | null | JsonObject | readonly JsonValue[];

/** Also the form of `google.protobuf.Struct` in memory. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** `google.protobuf.Any` in memory. */
export interface Any {
  /** As written, such as `type.googleapis.com/envoy.config.listener.v3.Listener`. */
  readonly typeUrl: string;
  /** The part of the type URL after the last slash. */
  readonly typeName: string;
  /** The message; undefined when its type is not known here. */
  readonly message?: unknown;
}

/** A message in memory: lowerCamelCase keys, only what is set. The forms of the types are in README.md. */
export interface Message {
  readonly [key: string]: unknown;
}

export interface MessageDescriptor {
  readonly name: string;
  readonly fields: readonly FieldDescriptor[];
  /** By both spellings. */
  readonly fieldsByName: ReadonlyMap<string, FieldDescriptor>;
  readonly requiredOneofs: readonly string[];
}

export interface FieldDescriptor {
  /** Spelling of the proto file, also used in paths. */
  readonly name: string;
  /** lowerCamelCase: the JSON name and the key in memory. */
  readonly key: string;
  /** Number on the wire. */
  readonly id: number;
  readonly shape: 'single' | 'repeated' | 'map';
  readonly kind: 'scalar' | 'enum' | 'message' | 'opaque';
  /** Scalar name or full type name; empty for opaque fields. */
  readonly type: string;
  readonly oneof: string | undefined;
  readonly rules: FieldRules | undefined;
}

/** The rules of protoc-gen-validate that occur. Lengths are in characters, `_bytes` in bytes. */
export interface FieldRules {
  readonly required?: boolean;
  readonly const?: string | number | boolean;
  readonly gt?: number;
  readonly gte?: number;
  readonly lt?: number;
  readonly lte?: number;
  readonly min_len?: number;
  readonly max_len?: number;
  readonly max_bytes?: number;
  readonly pattern?: string;
  readonly in?: readonly (string | number)[];
  readonly well_known_regex?: 'HTTP_HEADER_NAME' | 'HTTP_HEADER_VALUE';
  readonly min_items?: number;
  readonly max_items?: number;
  readonly unique?: boolean;
  readonly items?: FieldRules;
}

export interface EnumDescriptor {
  readonly byName: ReadonlyMap<string, number>;
  readonly byNumber: ReadonlyMap<number, string>;
}

const parsedMessages = new Map<string, MessageDescriptor>();
const parsedEnums = new Map<string, EnumDescriptor>();

/** The descriptor of a message by its full name; undefined when it was not generated. */
export function messageDescriptor(name: string): MessageDescriptor | undefined {
  let descriptor = parsedMessages.get(name);
  if (descriptor === undefined && Object.hasOwn(messageTexts, name)) {
    descriptor = parseMessage(name, messageTexts[name]!);
    parsedMessages.set(name, descriptor);
  }
  return descriptor;
}

/** The descriptor of an enum by its full name. Throws when it was not generated: fields name only such. */
export function enumDescriptor(name: string): EnumDescriptor {
  let descriptor = parsedEnums.get(name);
  if (descriptor === undefined) {
    const text = enumTexts[name];
    if (text === undefined) throw new Error(`no descriptor of enum ${name}`);
    descriptor = parseEnum(text);
    parsedEnums.set(name, descriptor);
  }
  return descriptor;
}

function parseMessage(name: string, text: string): MessageDescriptor {
  const requiredOneofs: string[] = [];
  const fields: FieldDescriptor[] = [];
  for (const line of text === '' ? [] : text.split('\n')) {
    if (line.startsWith('!')) requiredOneofs.push(line.slice(1));
    else fields.push(parseField(line));
  }
  const fieldsByName = new Map<string, FieldDescriptor>();
  for (const field of fields) fieldsByName.set(field.name, field).set(field.key, field);
  return { name, fields, fieldsByName, requiredOneofs };
}

const shapes: { readonly [mark: string]: FieldDescriptor['shape'] } = { '*': 'repeated', '{': 'map' };
const kinds: { readonly [mark: string]: FieldDescriptor['kind'] } = { '=': 'enum', '.': 'message', '?': 'opaque' };

function parseField(line: string): FieldDescriptor {
  const [start, marked, oneof] = line.split(' ', 3) as [string, string, string];
  const [name, id] = start.split('=') as [string, string];
  const shape = shapes[marked[0] ?? ''];
  const type = shape === undefined ? marked : marked.slice(1);
  const kind = kinds[type[0] ?? ''];
  const rules = line.slice(start.length + marked.length + oneof.length + 3);
  return {
    name,
    key: name.replace(/_(.)/g, (_, next: string) => next.toUpperCase()),
    id: Number(id),
    shape: shape ?? 'single',
    kind: kind ?? 'scalar',
    type: kind === undefined ? type : type.slice(1),
    oneof: oneof === '-' ? undefined : oneof,
    rules: rules === '' ? undefined : JSON.parse(rules),
  };
}

function parseEnum(text: string): EnumDescriptor {
  const pairs = text.split(' ').map((pair): [string, number] => {
    const [name, value] = pair.split('=');
    return [name!, Number(value)];
  });
  return { byName: new Map(pairs), byNumber: new Map(pairs.map(([name, value]) => [value, name])) };
}
