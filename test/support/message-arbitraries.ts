// Messages of any generated type, in the form that messages have in memory (xds/README.md).

import fc from 'fast-check';
import { messageTexts } from '../../xds/generated/descriptors.ts';
import {
  enumDescriptor,
  type FieldDescriptor,
  type Message,
  messageDescriptor,
} from '../../xds/message/message-descriptor.ts';
import { typedStructs } from '../../xds/message/proto-json.ts';
import { isScalarMessage } from '../../xds/message/proto-json-scalar.ts';

/** A type's name and a message of it, up to three levels deep. */
export const typedMessages: fc.Arbitrary<readonly [typeName: string, message: Message]> = fc
  .constantFrom(...Object.keys(messageTexts))
  .chain((name) => fc.tuple(fc.constant(name), messageArbitrary(name, 3)));

/** Two messages of one type. */
export const messagePairs: fc.Arbitrary<readonly [typeName: string, one: Message, other: Message]> = fc
  .constantFrom(...Object.keys(messageTexts))
  .chain((name) => fc.tuple(fc.constant(name), messageArbitrary(name, 3), messageArbitrary(name, 3)));

function messageArbitrary(typeName: string, depth: number): fc.Arbitrary<Message> {
  const fields = messageDescriptor(typeName)!.fields.filter((field) => field.kind !== 'opaque');
  const usable = depth > 0 ? fields : fields.filter((field) => field.kind !== 'message');
  const entries = usable.map((field) => [field.key, fieldArbitrary(field, depth)] as const);
  return fc
    .record(Object.fromEntries(entries), { requiredKeys: [] })
    .map((message) => withoutDefaults(message, typeName));
}

/** As in memory: no empty list, no default without presence, one member of a oneof. */
function withoutDefaults(message: Message, typeName: string): Message {
  const seen = new Set<string>();
  const kept = messageDescriptor(typeName)!.fields.filter(({ key, shape, oneof, kind, type }) => {
    const value = message[key];
    if (value === undefined || (oneof !== undefined && seen.has(oneof))) return false;
    if (oneof !== undefined) seen.add(oneof);
    if (shape !== 'single') return Object.keys(value as object).length > 0;
    if (oneof !== undefined || kind === 'message') return true;
    if (value instanceof Uint8Array) return value.length > 0;
    return !(kind === 'enum'
      ? enumDescriptor(type).byName.get(value as string) === 0
      : ['', 0, false].includes(value as string));
  });
  return Object.fromEntries(kept.map(({ key }) => [key, message[key]]));
}

function fieldArbitrary(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  const value = valueArbitrary(field, depth);
  if (field.shape === 'repeated') return fc.array(value, { maxLength: 2 });
  return field.shape === 'map'
    ? fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        value,
        { maxKeys: 2 },
      )
    : value;
}

/** An Any that holds a TypedStruct becomes the message inside. */
const namesInAny = Object.keys(messageTexts).filter((name) => !typedStructs.has(name));

function valueArbitrary(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  if (field.kind === 'enum') return fc.constantFrom(...enumDescriptor(field.type).byName.keys());
  if (field.kind === 'scalar' || isScalarMessage(field.type)) return scalarArbitrary(field.type);
  switch (field.type) {
    case 'google.protobuf.Any':
      return fc.constantFrom(...namesInAny).chain((typeName) =>
        messageArbitrary(typeName, depth - 1).map((message) => ({
          typeUrl: `type.googleapis.com/${typeName}`,
          typeName,
          message,
        })),
      );
    case 'google.protobuf.Empty':
      return fc.constant({});
    case 'google.protobuf.Struct':
      return fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.constantFrom(1, 'a', true, null, [1, { b: [] }]),
      );
    default:
      return messageArbitrary(field.type, depth - 1);
  }
}

function scalarArbitrary(type: string): fc.Arbitrary<unknown> {
  if (/string/i.test(type)) return fc.string({ unit: 'grapheme' });
  if (/bool/i.test(type)) return fc.boolean();
  if (/bytes/i.test(type)) return fc.uint8Array({ maxLength: 5 });
  if (/double|float/i.test(type)) return fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value));
  return type.includes('Duration') ? fc.nat(1e6) : fc.nat();
}
