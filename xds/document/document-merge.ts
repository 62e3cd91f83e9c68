// Two configuration documents as one, as `--config-yaml` does over the file: protobuf's MergeFrom, on JSON trees so that
// paths and spellings of the operator stay. Messages merge field by field, lists are appended, anything else is replaced.

import {
  type FieldDescriptor,
  type JsonObject,
  type MessageDescriptor,
  messageDescriptor,
} from '../message/message-descriptor.ts';
import { isScalarMessage } from '../message/proto-json-scalar.ts';

/**
 * The union of two documents of the message `typeName`. Wrappers, durations, `Struct` and `Any` are replaced as a whole. What
 * is not of the expected shape is taken from `override`; reading reports it.
 */
export function mergeDocuments(base: unknown, override: unknown, typeName: string): unknown {
  const descriptor = messageDescriptor(typeName);
  if (descriptor === undefined || !isObject(base) || !isObject(override)) return override ?? base;
  const merged: { [name: string]: unknown } = { ...base };
  for (const [name, value] of Object.entries(override)) {
    const field = descriptor.fieldsByName.get(name);
    if (field === undefined || value === null) merged[name] = value;
    else mergeField(merged, { name, value, field, descriptor });
  }
  return merged;
}

interface FieldOverride {
  readonly name: string;
  readonly value: unknown;
  readonly field: FieldDescriptor;
  readonly descriptor: MessageDescriptor;
}

function mergeField(merged: { [name: string]: unknown }, override: FieldOverride): void {
  const { name, value, field, descriptor } = override;
  const written = [field.name, field.key].find((spelling) => Object.hasOwn(merged, spelling));
  const before = written === undefined ? undefined : merged[written];
  if (field.oneof !== undefined) removeOtherMembers(merged, field, descriptor);
  merged[written ?? name] = mergeValue(before, value, field);
}

function mergeValue(before: unknown, value: unknown, field: FieldDescriptor): unknown {
  if (field.shape === 'repeated') return Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  if (field.shape === 'map') return isObject(before) && isObject(value) ? { ...before, ...value } : value;
  const isPlain = field.kind !== 'message' || isScalarMessage(field.type);
  return isPlain ? value : mergeDocuments(before, value, field.type);
}

function removeOtherMembers(
  merged: { [name: string]: unknown },
  field: FieldDescriptor,
  descriptor: MessageDescriptor,
): void {
  for (const other of descriptor.fields) {
    if (other.oneof !== field.oneof || other === field) continue;
    delete merged[other.name];
    delete merged[other.key];
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
