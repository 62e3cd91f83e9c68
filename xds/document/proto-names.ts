// A document as it was written, with the names of the proto files: proto3 JSON takes `loadAssignment` for
// `load_assignment`, and who reads `/config_dump` asks for one of them.

import { type FieldDescriptor, type JsonObject, messageDescriptor } from '../message/message-descriptor.ts';
import { typedStructs } from '../message/proto-json.ts';
import { isScalarMessage } from '../message/proto-json-scalar.ts';

/** What is not known, or not of the shape that it should have, stays as it is. */
export function withProtoNames(document: unknown, typeName: string): unknown {
  const descriptor = messageDescriptor(typeName);
  if (descriptor === undefined || !isObject(document)) return document;
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => {
      const field = descriptor.fieldsByName.get(name);
      return field === undefined ? [name, value] : [field.name, renamed(value, field)];
    }),
  );
}

function renamed(value: unknown, field: FieldDescriptor): unknown {
  if (field.kind !== 'message' || isScalarMessage(field.type)) return value;
  if (field.shape === 'repeated' && Array.isArray(value)) return value.map((item) => renamedMessage(item, field.type));
  if (field.shape !== 'map' || !isObject(value)) return renamedMessage(value, field.type);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renamedMessage(item, field.type)]));
}

function renamedMessage(value: unknown, type: string): unknown {
  if (type !== 'google.protobuf.Any') return withProtoNames(value, type);
  const typeUrl = isObject(value) ? value['@type'] : undefined;
  if (typeof typeUrl !== 'string') return value;
  const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  // Its fields are those of a Struct, whose names are anybody's.
  return typedStructs.has(typeName) ? value : withProtoNames(value, typeName);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
