// Messages on the wire to their JSON, by the rules of proto3 JSON (https://protobuf.dev/programming-guides/json/) with the
// field names of the proto files, as Envoy's admin interface prints them.
//
// From the bytes and not from messages in memory, which have less: names instead of unknown numbers, milliseconds,
// doubles, no bytes of what is not known.

import protobuf, { type Reader } from 'protobufjs/minimal.js';
import { messageDescriptor } from './message-descriptor.ts';
import { base64, durationText, impliedScalarJson, scalarJson, timestampText } from './proto-json-text.ts';
import { closeFrame, openFrame } from './wire-frame.ts';
import {
  type FieldPlan,
  generatedPlan,
  type MessagePlan,
  nestedPlan,
  type ValuePlan,
  valueKinds,
  wellKnownPlan,
} from './wire-plan.ts';
import { nearestDouble, type ScalarCodec, wireTypes } from './wire-scalar.ts';

/**
 * The JSON of a message of a generated type. What a message has by default is left out, unless it says which member of a
 * oneof is set. Content that is not known is base64: that of an `Any` of another type, and bytes that are no such message.
 * A field whose type is not generated is an empty message: clients that read the page by Envoy's protos, as istioctl does, give
 * up the whole page for a text where a message belongs. Throws only for a type that was not generated.
 */
export function writeProtoJson(bytes: Uint8Array, typeName: string): unknown {
  if (messageDescriptor(typeName) === undefined) throw new Error(`no descriptor of message ${typeName}`);
  return contentJson(bytes, { plan: generatedPlan(typeName), depth: 0 }) ?? base64(bytes);
}

type JsonTree = { [name: string]: unknown };

/** protobuf's own limit of nesting. */
const maxDepth = 100;

/** Undefined for bytes that are not of the type. */
function contentJson(bytes: Uint8Array, { plan, depth }: { plan: ValuePlan; depth: number }): unknown {
  try {
    return new ProtoJsonWriter(protobuf.Reader.create(bytes), depth).content(plan, undefined);
  } catch {
    // protobufjs' only way to say so; the caller shows the bytes.
    return undefined;
  }
}

class ProtoJsonWriter {
  readonly #reader: Reader;
  #depth: number;

  constructor(reader: Reader, depth: number) {
    this.#reader = reader;
    this.#depth = depth;
  }

  /** JSON of what is left to read. `before` is that of the same field before: messages are merged into it. */
  content(plan: ValuePlan, before: unknown): unknown {
    if (this.#depth > maxDepth) throw new Error(`nested deeper than ${maxDepth} levels`);
    this.#depth++;
    const json = this.#content(plan, before);
    this.#depth--;
    return json;
  }

  #content(plan: ValuePlan, before: unknown): unknown {
    switch (plan.kind) {
      case valueKinds.message:
        return this.#message(nestedPlan(plan), (before ?? {}) as JsonTree);
      case valueKinds.wrapper:
        return this.#wrapped(plan.scalar!);
      case valueKinds.instant:
        return this.#instant(plan.type);
      case valueKinds.any:
        return this.#any();
      case valueKinds.struct:
        return this.#struct((before ?? Object.create(null)) as JsonTree);
      case valueKinds.value:
        return this.#json();
      case valueKinds.list:
        return this.#list();
      default:
        this.#eachField(() => false);
        return {};
    }
  }

  #message(plan: MessagePlan, tree: JsonTree): JsonTree {
    this.#eachField((tag) => {
      const field = plan.fields[tag >>> 3];
      const wireType = tag & 7;
      if (field === undefined) return false;
      if (field.isPackable && wireType === wireTypes.length) this.#framed(() => this.#items(field, tree));
      else if (wireType !== field.wireType) return false;
      else if (field.shape === 'single') this.#single(field, tree);
      else if (field.shape === 'map') this.#framed(() => this.#entry(field, tree));
      else this.#item(field, tree);
      return true;
    });
    return tree;
  }

  #single(field: FieldPlan, tree: JsonTree): void {
    const { name } = field;
    for (const rival of field.rivals) delete tree[rival.name];
    const value = this.#value(field, tree[name]);
    if (field.hasPresence || value !== impliedJson(field)) tree[name] = value;
    else delete tree[name];
  }

  #items(field: FieldPlan, tree: JsonTree): void {
    while (this.#reader.pos < this.#reader.len) this.#item(field, tree);
  }

  #item(field: FieldPlan, tree: JsonTree): void {
    const { name } = field;
    tree[name] ??= [];
    (tree[name] as unknown[]).push(this.#value(field, undefined));
  }

  #entry(field: FieldPlan, tree: JsonTree): void {
    let key = '';
    let value: unknown;
    this.#eachField((tag) => {
      if (tag === lengthTag(1)) key = this.#reader.stringVerify();
      else if (tag === ((2 << 3) | field.wireType)) value = this.#value(field, value);
      else return false;
      return true;
    });
    const { name } = field;
    // Without a prototype: keys are the sender's, `__proto__` too.
    tree[name] ??= Object.create(null);
    (tree[name] as JsonTree)[key] = value ?? this.#missing(field);
  }

  /** The value of an entry that has none: where nothing is left to read, messages are empty. */
  #missing(plan: ValuePlan): unknown {
    return plan.kind < valueKinds.message ? impliedJson(plan) : this.content(plan, undefined);
  }

  #value(plan: ValuePlan, before: unknown): unknown {
    switch (plan.kind) {
      case valueKinds.scalar:
        return scalarJson(this.#reader, plan.type);
      case valueKinds.opaque:
        this.#reader.skip(this.#reader.uint32());
        return {};
      case valueKinds.enum: {
        const number = this.#reader.int32();
        return plan.names!.byNumber.get(number) ?? number;
      }
      default:
        return this.#framed(() => this.content(plan, before));
    }
  }

  #wrapped({ type, wireType }: ScalarCodec): unknown {
    let value = impliedScalarJson(type);
    this.#eachField((tag) => {
      if (tag !== ((1 << 3) | wireType)) return false;
      value = scalarJson(this.#reader, type);
      return true;
    });
    return value;
  }

  #instant(type: string): string {
    let seconds = 0;
    let nanos = 0;
    this.#eachField((tag) => {
      if (tag === ((1 << 3) | wireTypes.varint)) seconds = nearestDouble(this.#reader.int64());
      else if (tag === ((2 << 3) | wireTypes.varint)) nanos = this.#reader.int32();
      else return false;
      return true;
    });
    return type === 'google.protobuf.Duration' ? durationText(seconds, nanos) : timestampText(seconds, nanos);
  }

  #any(): JsonTree {
    let typeUrl = '';
    let bytes: Uint8Array = noBytes;
    this.#eachField((tag) => {
      if (tag === lengthTag(1)) typeUrl = this.#reader.stringVerify();
      else if (tag === lengthTag(2)) bytes = this.#reader.bytes();
      else return false;
      return true;
    });
    const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
    const isGenerated = messageDescriptor(typeName) !== undefined;
    const plan = isGenerated ? generatedPlan(typeName) : wellKnownPlan(typeName);
    const json = plan && contentJson(bytes, { plan, depth: this.#depth });
    if (json !== undefined && isGenerated) return { '@type': typeUrl, ...(json as JsonTree) };
    return { '@type': typeUrl, value: json === undefined ? base64(bytes) : json };
  }

  #struct(struct: JsonTree): JsonTree {
    this.#eachField((tag) => {
      if (tag !== lengthTag(1)) return false;
      this.#framed(() => this.#entryOfStruct(struct));
      return true;
    });
    return struct;
  }

  #entryOfStruct(struct: JsonTree): void {
    let key = '';
    let value: unknown = null;
    this.#eachField((tag) => {
      if (tag === lengthTag(1)) key = this.#reader.stringVerify();
      else if (tag === lengthTag(2)) value = this.#value(jsonPlan, undefined);
      else return false;
      return true;
    });
    struct[key] = value;
  }

  #list(): readonly unknown[] {
    const list: unknown[] = [];
    this.#eachField((tag) => {
      if (tag !== lengthTag(1)) return false;
      list.push(this.#value(jsonPlan, undefined));
      return true;
    });
    return list;
  }

  /** A `Value`: the last of its kinds. */
  #json(): unknown {
    const reader = this.#reader;
    let json: unknown = null;
    this.#eachField((tag) => {
      if (tag === ((2 << 3) | wireTypes.fixed64)) json = scalarJson(reader, 'double');
      else if (tag === lengthTag(3)) json = reader.stringVerify();
      else if (tag === ((4 << 3) | wireTypes.varint)) json = reader.bool();
      else if (tag === lengthTag(5)) json = this.#value(structPlan, undefined);
      else if (tag === lengthTag(6)) json = this.#value(listPlan, undefined);
      else {
        // A null, or nothing that a Value has.
        if (tag === ((1 << 3) | wireTypes.varint)) json = null;
        return false;
      }
      return true;
    });
    return json;
  }

  /** Reads to the end; what `read` does not take is skipped. */
  #eachField(read: (tag: number) => boolean): void {
    const reader = this.#reader;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (!read(tag)) reader.skipType(tag & 7, this.#depth, tag >>> 3);
    }
  }

  #framed<T>(read: () => T): T {
    const outer = openFrame(this.#reader);
    const result = read();
    closeFrame(this.#reader, outer);
    return result;
  }
}

const noBytes = new Uint8Array();

const jsonPlan = wellKnownPlan('google.protobuf.Value')!;
const structPlan = wellKnownPlan('google.protobuf.Struct')!;
const listPlan = wellKnownPlan('google.protobuf.ListValue')!;

function lengthTag(id: number): number {
  return (id << 3) | wireTypes.length;
}

function impliedJson(plan: ValuePlan): unknown {
  if (plan.kind === valueKinds.enum) return plan.implied;
  return plan.kind === valueKinds.scalar ? impliedScalarJson(plan.type) : '';
}
