// Messages from the protobuf wire format, in one step by the generated descriptors: code that protobufjs generates makes
// its own objects first, and turning those into the form that messages have here took longer than reading them
// (figures in bench/FINDINGS.md).
//
// By the rules of https://protobuf.dev/programming-guides/encoding/: the last member of a oneof wins, a message that is
// given twice is merged, numbers come packed or not, unknown fields and groups are skipped.

import protobuf, { type Reader } from 'protobufjs/minimal.js';
import type { Problems } from '../../config/problems.ts';
import {
  type Any,
  type JsonObject,
  type JsonValue,
  type Message,
  type MessageDescriptor,
  messageDescriptor,
} from './message-descriptor.ts';
import { typedStructs } from './proto-json.ts';
import { unwrapTypedStruct } from './typed-struct.ts';
import { closeFrame, openFrame } from './wire-frame.ts';
import {
  type FieldPlan,
  generatedPlan,
  type MessagePlan,
  messagePlan,
  nestedPlan,
  type ValuePlan,
  valueKinds,
  wellKnownPlan,
} from './wire-plan.ts';
import { nearestDouble, wireTypes } from './wire-scalar.ts';

/** protobuf's own limit of nesting. What an `Any` holds counts too. */
const maxDepth = 100;

/** Throws only from `read`, an Error for bytes that are no message of the type. */
export class WireReader {
  readonly #reader: Reader;
  readonly #problems: Problems;
  /** Fields, indexes, and keys of maps in lists of one; becomes text only for a problem. */
  readonly #path: (string | number | readonly [key: string])[] = [];
  #depth = 0;

  constructor(bytes: Uint8Array, problems: Problems) {
    this.#reader = protobuf.Reader.create(bytes);
    this.#problems = problems;
  }

  /** All bytes as one message. What no enum has, and what an `Any` does not hold, is recorded. */
  read(descriptor: MessageDescriptor): Message {
    return this.#readFields(messagePlan(descriptor), {});
  }

  #readFields(plan: MessagePlan, message: MutableMessage): Message {
    const reader = this.#reader;
    this.#enter();
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      const field = plan.fields[tag >>> 3];
      if (field === undefined || !this.#readField(field, tag & 7, message)) this.#skip(tag);
    }
    this.#depth--;
    return message;
  }

  /** False for a wire type that the field does not have: it is skipped like an unknown field. */
  #readField(field: FieldPlan, wireType: number, message: MutableMessage): boolean {
    const isPacked = field.isPackable && wireType === wireTypes.length;
    if (wireType !== field.wireType && !isPacked) return false;
    this.#path.push(field.name);
    if (isPacked) this.#readPacked(field, message);
    else if (field.shape === 'single') this.#readSingle(field, message);
    else if (field.shape === 'repeated') this.#readItem(field, message);
    else this.#readEntry(field, message);
    this.#path.pop();
    return true;
  }

  #readSingle(field: FieldPlan, message: MutableMessage): void {
    const { key, rivals } = field;
    for (let index = 0; index < rivals.length; index++) {
      const { key: rival } = rivals[index]!;
      if (message[rival] !== undefined) delete message[rival];
    }
    const value = this.#readValue(field, message[key]);
    if (value !== undefined && (field.hasPresence || !isImplied(value, field))) message[key] = value;
    else if (message[key] !== undefined) delete message[key];
  }

  #readPacked(field: FieldPlan, message: MutableMessage): void {
    const reader = this.#reader;
    const outer = openFrame(this.#reader);
    while (reader.pos < reader.len) this.#readItem(field, message);
    closeFrame(this.#reader, outer);
  }

  #readItem(field: FieldPlan, message: MutableMessage): void {
    const items = message[field.key] as unknown[] | undefined;
    this.#path.push(items === undefined ? 0 : items.length);
    const item = this.#readValue(field, undefined);
    this.#path.pop();
    if (item === undefined) return;
    if (items === undefined) message[field.key] = [item];
    else items.push(item);
  }

  #readEntry(field: FieldPlan, message: MutableMessage): void {
    const reader = this.#reader;
    const outer = openFrame(this.#reader);
    let key = '';
    let hasValue = false;
    let value: unknown;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === keyTag) key = reader.stringVerify();
      else if (tag >>> 3 === 2 && (tag & 7) === field.wireType) {
        this.#path.push([key]);
        value = this.#readValue(field, value);
        this.#path.pop();
        hasValue = true;
      } else this.#skip(tag);
    }
    if (!hasValue) value = this.#readMissing(field);
    closeFrame(this.#reader, outer);
    if (value === undefined) return;
    // Without a prototype: keys are the sender's, `__proto__` too.
    message[field.key] ??= Object.create(null);
    (message[field.key] as MutableMessage)[key] = value;
  }

  /** The value of an entry that has none: where nothing is left to read, messages are empty. */
  #readMissing(plan: ValuePlan): unknown {
    if (plan.kind === valueKinds.scalar || plan.kind === valueKinds.enum) return plan.implied;
    return plan.kind === valueKinds.opaque ? noBytes : this.#readContent(plan, undefined);
  }

  /** `before` is what the same field had before on the wire; messages are merged into it. */
  #readValue(plan: ValuePlan, before: unknown): unknown {
    switch (plan.kind) {
      case valueKinds.scalar:
        return plan.scalar!.read(this.#reader);
      case valueKinds.enum:
        return this.#readEnum(plan);
      case valueKinds.opaque:
        return this.#reader.bytes();
    }
    const outer = openFrame(this.#reader);
    const value = this.#readContent(plan, before);
    closeFrame(this.#reader, outer);
    return value;
  }

  #readEnum({ names, type }: ValuePlan): string | undefined {
    const number = this.#reader.int32();
    const name = names!.byNumber.get(number);
    if (name === undefined) this.#problemsHere().add(`${number} is not a value of ${type}`);
    return name;
  }

  /** What is left before the end of the message that was opened. */
  #readContent(plan: ValuePlan, before: unknown): unknown {
    switch (plan.kind) {
      case valueKinds.message:
        return this.#readFields(nestedPlan(plan), (before ?? {}) as MutableMessage);
      case valueKinds.wrapper:
        return this.#readWrapped(plan, before);
      case valueKinds.instant:
        return this.#readInstant((before ?? 0) as number);
      case valueKinds.any:
        return this.#readAny(before as Any | undefined);
      case valueKinds.struct:
        return this.#readStruct((before ?? Object.create(null)) as MutableMessage);
      case valueKinds.value:
        return this.#readJson((before ?? null) as JsonValue);
      case valueKinds.list:
        return this.#readList((before ?? []) as JsonValue[]);
      default:
        return this.#readFields(emptyPlan, {});
    }
  }

  #readWrapped({ scalar }: ValuePlan, before: unknown): unknown {
    const reader = this.#reader;
    let value = before ?? scalar!.implied;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | scalar!.wireType)) value = scalar!.read(reader);
      else this.#skip(tag);
    }
    return value;
  }

  /** Milliseconds of a `Duration` or `Timestamp`. */
  #readInstant(before: number): number {
    const reader = this.#reader;
    let seconds = Math.trunc(before / 1000);
    let nanos = (before - seconds * 1000) * 1e6;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === secondsTag) seconds = nearestDouble(reader.int64());
      else if (tag === nanosTag) nanos = reader.int32();
      else this.#skip(tag);
    }
    return seconds * 1000 + nanos / 1e6;
  }

  #readAny(before: Any | undefined): Any {
    const reader = this.#reader;
    let typeUrl: string | undefined;
    let end = -1;
    let start = -1;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === typeUrlTag) typeUrl = reader.stringVerify();
      else if (tag === valueTag) {
        end = reader.size() + reader.pos;
        start = reader.pos;
        reader.skip(end - start);
      } else this.#skip(tag);
    }
    if (before !== undefined && (typeUrl === undefined || start < 0)) {
      this.#problemsHere().add('is given twice, in parts; give its type_url and value together');
    }
    return this.#readAnyContent(typeUrl ?? '', start < 0 ? reader.pos : start, start < 0 ? reader.pos : end);
  }

  /** An `Any` of an unknown type keeps its name only; one that does not hold what it says is a problem. */
  #readAnyContent(typeUrl: string, start: number, end: number): Any {
    const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
    const plan = messageDescriptor(typeName) === undefined ? wellKnownPlan(typeName) : generatedPlan(typeName);
    if (plan === undefined || plan.kind === valueKinds.any) return { typeUrl, typeName };
    const message = this.#readRange(plan, start, end);
    if (typedStructs.has(typeName)) return unwrapTypedStruct(message as Message, this.#problemsHere());
    return { typeUrl, typeName, message };
  }

  #readRange(plan: ValuePlan, start: number, end: number): unknown {
    const reader = this.#reader;
    const { pos, len } = reader;
    const depth = this.#depth;
    const steps = this.#path.length;
    reader.pos = start;
    reader.len = end;
    try {
      return this.#readContent(plan, undefined);
    } catch (error) {
      this.#path.length = steps;
      this.#depth = depth;
      this.#problemsHere().add(`its bytes cannot be read as ${plan.type}: ${(error as Error).message}`);
      return {};
    } finally {
      reader.pos = pos;
      reader.len = len;
    }
  }

  #readStruct(struct: MutableMessage): JsonObject {
    const reader = this.#reader;
    this.#enter();
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === fieldsTag) this.#readStructEntry(struct);
      else this.#skip(tag);
    }
    this.#depth--;
    return struct as JsonObject;
  }

  #readStructEntry(struct: MutableMessage): void {
    const reader = this.#reader;
    const outer = openFrame(this.#reader);
    let key = '';
    let value: JsonValue = null;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === keyTag) key = reader.stringVerify();
      else if (tag === entryValueTag) value = this.#readNestedJson(value);
      else this.#skip(tag);
    }
    closeFrame(this.#reader, outer);
    struct[key] = value;
  }

  #readList(list: JsonValue[]): readonly JsonValue[] {
    const reader = this.#reader;
    this.#enter();
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === itemTag) list.push(this.#readNestedJson(null));
      else this.#skip(tag);
    }
    this.#depth--;
    return list;
  }

  #readNestedJson(before: JsonValue): JsonValue {
    const outer = openFrame(this.#reader);
    const value = this.#readJson(before);
    closeFrame(this.#reader, outer);
    return value;
  }

  /** A `Value`: the last of its kinds wins, lists and structs that come twice are merged. */
  #readJson(before: JsonValue): JsonValue {
    const reader = this.#reader;
    let value = before;
    this.#enter();
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === nullTag) {
        reader.int32();
        value = null;
      } else if (tag === numberTag) value = reader.double();
      else if (tag === stringTag) value = reader.stringVerify();
      else if (tag === boolTag) value = reader.bool();
      else if (tag === structTag || tag === listTag) {
        const outer = openFrame(this.#reader);
        const isList = Array.isArray(value);
        if (tag === listTag) value = this.#readList(isList ? (value as JsonValue[]) : []);
        else value = this.#readStruct(isObject(value) && !isList ? value : Object.create(null));
        closeFrame(this.#reader, outer);
      } else this.#skip(tag);
    }
    this.#depth--;
    return value;
  }

  #enter(): void {
    if (this.#depth++ > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`);
  }

  #skip(tag: number): void {
    this.#reader.skipType(tag & 7, this.#depth, tag >>> 3);
  }

  #problemsHere(): Problems {
    let problems = this.#problems;
    for (const step of this.#path) {
      if (typeof step === 'string') problems = problems.at(step);
      else problems = problems.item(typeof step === 'number' ? step : step[0]);
    }
    return problems;
  }
}

type MutableMessage = { [key: string]: unknown };

const { varint, fixed64, length } = wireTypes;

// Of the well-known types; keys and values of maps, of which there is one form for all.
const keyTag = (1 << 3) | length;
const entryValueTag = (2 << 3) | length;
const secondsTag = (1 << 3) | varint;
const nanosTag = (2 << 3) | varint;
const typeUrlTag = (1 << 3) | length;
const valueTag = (2 << 3) | length;
const fieldsTag = (1 << 3) | length;
const itemTag = (1 << 3) | length;
const nullTag = (1 << 3) | varint;
const numberTag = (2 << 3) | fixed64;
const stringTag = (3 << 3) | length;
const boolTag = (4 << 3) | varint;
const structTag = (5 << 3) | length;
const listTag = (6 << 3) | length;

const noBytes = new Uint8Array();

const emptyPlan: MessagePlan = messagePlan({
  name: 'google.protobuf.Empty',
  fields: [],
  fieldsByName: new Map(),
  requiredOneofs: [],
});

function isImplied(value: unknown, { implied }: FieldPlan): boolean {
  return value === implied || (value instanceof Uint8Array && value.length === 0);
}

function isObject(value: unknown): value is MutableMessage {
  return typeof value === 'object' && value !== null;
}
