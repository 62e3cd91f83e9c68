// Messages to the protobuf wire format, by the generated descriptors: fields in the order of their numbers, so that equal
// messages are equal bytes. What is not on the wire because it says nothing (README.md) is not written.

import protobuf, { type Writer } from 'protobufjs/minimal.js';
import { type Any, type JsonObject, type JsonValue, type Message, messageDescriptor } from './message-descriptor.ts';
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
import { wireTypes } from './wire-scalar.ts';

/** The bytes of a message of a generated type. Throws for opaque fields: their content is not known. */
export function writeWire(message: Message, typeName: string): Uint8Array {
  const writer = protobuf.Writer.create();
  writeFields(writer, message, messagePlan(messageDescriptor(typeName)!));
  return writer.finish();
}

const { varint, fixed64, length } = wireTypes;

function writeFields(writer: Writer, message: Message, { inOrder }: MessagePlan): void {
  for (const field of inOrder) {
    const value = message[field.key];
    if (value !== undefined) writeField(writer, value, field);
  }
}

function writeField(writer: Writer, value: unknown, field: FieldPlan): void {
  if (field.shape === 'map') writeEntries(writer, value as Message, field);
  else if (field.shape === 'single') {
    if (field.hasPresence || !isImplied(value, field)) writeTagged(writer, field.id, { value, plan: field });
  } else if (field.isPackable) writePacked(writer, value as readonly unknown[], field);
  else for (const item of value as readonly unknown[]) writeTagged(writer, field.id, { value: item, plan: field });
}

function isImplied(value: unknown, { implied }: FieldPlan): boolean {
  return value === implied || (value instanceof Uint8Array && value.length === 0);
}

function writePacked(writer: Writer, items: readonly unknown[], field: FieldPlan): void {
  if (items.length === 0) return;
  writer.uint32((field.id << 3) | length).fork();
  for (const item of items) writeValue(writer, item, field);
  writer.ldelim();
}

function writeEntries(writer: Writer, map: Message, field: FieldPlan): void {
  for (const key of Object.keys(map)) {
    writer.uint32((field.id << 3) | length).fork();
    writer.uint32((1 << 3) | length).string(key);
    writeTagged(writer, 2, { value: map[key], plan: field });
    writer.ldelim();
  }
}

function writeTagged(writer: Writer, id: number, { value, plan }: { value: unknown; plan: ValuePlan }): void {
  writer.uint32(((id << 3) | plan.wireType) >>> 0);
  writeValue(writer, value, plan);
}

function writeValue(writer: Writer, value: unknown, plan: ValuePlan): void {
  switch (plan.kind) {
    case valueKinds.scalar:
      plan.scalar!.write(writer, value);
      break;
    case valueKinds.enum:
      writer.int32(plan.names!.byName.get(value as string)!);
      break;
    case valueKinds.opaque:
      throw new Error('an opaque field cannot be encoded');
    default:
      writer.fork();
      writeContent(writer, value, plan);
      writer.ldelim();
  }
}

function writeContent(writer: Writer, value: unknown, plan: ValuePlan): void {
  switch (plan.kind) {
    case valueKinds.message:
      writeFields(writer, value as Message, nestedPlan(plan));
      break;
    case valueKinds.wrapper:
      writeWrapped(writer, value, plan);
      break;
    case valueKinds.instant:
      writeInstant(writer, value as number);
      break;
    case valueKinds.any:
      writeAny(writer, value as Any);
      break;
    case valueKinds.struct:
      writeStruct(writer, value as JsonObject);
      break;
    case valueKinds.value:
      writeJson(writer, value as JsonValue);
      break;
    case valueKinds.list:
      writeList(writer, value as readonly JsonValue[]);
      break;
  }
}

function writeWrapped(writer: Writer, value: unknown, { scalar }: ValuePlan): void {
  const isEmpty = value === scalar!.implied || (value instanceof Uint8Array && value.length === 0);
  if (!isEmpty) scalar!.write(writer.uint32((1 << 3) | scalar!.wireType), value);
}

function writeInstant(writer: Writer, ms: number): void {
  let seconds = Math.trunc(ms / 1000);
  let nanos = Math.round((ms - seconds * 1000) * 1e6);
  if (nanos === 1e9) [seconds, nanos] = [seconds + 1, 0];
  if (seconds !== 0) writer.uint32((1 << 3) | varint).int64(seconds);
  if (nanos !== 0) writer.uint32((2 << 3) | varint).int32(nanos);
}

function writeAny(writer: Writer, { typeUrl, typeName, message }: Any): void {
  if (typeUrl !== '') writer.uint32((1 << 3) | length).string(typeUrl);
  if (message === undefined) return;
  const content = protobuf.Writer.create();
  const isGenerated = messageDescriptor(typeName) !== undefined;
  writeContent(content, message, isGenerated ? generatedPlan(typeName) : wellKnownPlan(typeName)!);
  const bytes = content.finish();
  if (bytes.length > 0) writer.uint32((2 << 3) | length).bytes(bytes);
}

function writeStruct(writer: Writer, struct: JsonObject): void {
  for (const key of Object.keys(struct)) {
    writer.uint32((1 << 3) | length).fork();
    writer.uint32((1 << 3) | length).string(key);
    writer.uint32((2 << 3) | length).fork();
    writeJson(writer, struct[key]!);
    writer.ldelim().ldelim();
  }
}

function writeList(writer: Writer, list: readonly JsonValue[]): void {
  for (const item of list) {
    writer.uint32((1 << 3) | length).fork();
    writeJson(writer, item);
    writer.ldelim();
  }
}

/** A `Value`. */
function writeJson(writer: Writer, json: JsonValue): void {
  if (json === null) writer.uint32((1 << 3) | varint).int32(0);
  else if (typeof json === 'number') writer.uint32((2 << 3) | fixed64).double(json);
  else if (typeof json === 'string') writer.uint32((3 << 3) | length).string(json);
  else if (typeof json === 'boolean') writer.uint32((4 << 3) | varint).bool(json);
  else {
    const isList = Array.isArray(json);
    writer.uint32(((isList ? 6 : 5) << 3) | length).fork();
    if (isList) writeList(writer, json);
    else writeStruct(writer, json as JsonObject);
    writer.ldelim();
  }
}
