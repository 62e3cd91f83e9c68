// What the wire needs of a message's descriptor, worked out when the message is first met.

import {
  type EnumDescriptor,
  enumDescriptor,
  type FieldDescriptor,
  type MessageDescriptor,
  messageDescriptor,
} from './message-descriptor.ts';
import { type ScalarCodec, scalarCodec, wireTypes, wrappedScalar } from './wire-scalar.ts';

/** How a value is on the wire. `message` has fields; what follows it is well-known and has a form of its own in memory. */
export const valueKinds = {
  scalar: 0,
  enum: 1,
  opaque: 2,
  message: 3,
  wrapper: 4,
  instant: 5,
  any: 6,
  struct: 7,
  value: 8,
  list: 9,
  empty: 10,
} as const;

export interface MessagePlan {
  readonly descriptor: MessageDescriptor;
  /** By number. */
  readonly fields: readonly (FieldPlan | undefined)[];
  /** In the order of their numbers. */
  readonly inOrder: readonly FieldPlan[];
}

export interface FieldPlan extends ValuePlan {
  readonly name: string;
  readonly key: string;
  readonly id: number;
  readonly shape: FieldDescriptor['shape'];
  /** False when the default is the same as nothing: scalars outside of a oneof. */
  readonly hasPresence: boolean;
  /** The other members of its oneof. */
  readonly rivals: readonly FieldDescriptor[];
  /** Repeated numbers come packed, or one by one. */
  readonly isPackable: boolean;
}

export interface ValuePlan {
  readonly kind: (typeof valueKinds)[keyof typeof valueKinds];
  /** Full name, or the scalar's. */
  readonly type: string;
  readonly wireType: number;
  /** Of a scalar, or in a wrapper. */
  readonly scalar: ScalarCodec | undefined;
  /** Of an enum: its descriptor. */
  readonly names: EnumDescriptor | undefined;
  /** What a value without presence has when it is not on the wire. */
  readonly implied: unknown;
  /** Of `nestedPlan`: made late, because messages hold themselves. */
  nested: MessagePlan | undefined;
}

/** The plan of the message type that a value of kind `message` has. */
export function nestedPlan(plan: ValuePlan): MessagePlan {
  plan.nested ??= messagePlan(messageDescriptor(plan.type)!);
  return plan.nested;
}

const plans = new Map<MessageDescriptor, MessagePlan>();

export function messagePlan(descriptor: MessageDescriptor): MessagePlan {
  let plan = plans.get(descriptor);
  if (plan === undefined) {
    plan = makePlan(descriptor);
    plans.set(descriptor, plan);
  }
  return plan;
}

/** How a value of a well-known type is on the wire; undefined for other types. */
export function wellKnownPlan(type: string): ValuePlan | undefined {
  const scalar = wrappedScalar(type);
  const kind = scalar === undefined ? wellKnownKinds[type] : valueKinds.wrapper;
  return kind === undefined ? undefined : { ...noValue, kind, type, scalar };
}

/** How a message of a generated type is on the wire. */
export function generatedPlan(type: string): ValuePlan {
  return { ...noValue, kind: valueKinds.message, type };
}

const noValue = {
  wireType: wireTypes.length,
  scalar: undefined,
  names: undefined,
  implied: undefined,
  nested: undefined,
};

const wellKnownKinds: { readonly [type: string]: ValuePlan['kind'] } = {
  'google.protobuf.Any': valueKinds.any,
  'google.protobuf.Duration': valueKinds.instant,
  'google.protobuf.Timestamp': valueKinds.instant,
  'google.protobuf.Struct': valueKinds.struct,
  'google.protobuf.Value': valueKinds.value,
  'google.protobuf.ListValue': valueKinds.list,
  'google.protobuf.Empty': valueKinds.empty,
};

function makePlan(descriptor: MessageDescriptor): MessagePlan {
  const inOrder = descriptor.fields
    .map((field) => fieldPlan(field, descriptor))
    .sort((one, other) => one.id - other.id);
  const fields: (FieldPlan | undefined)[] = [];
  for (const field of inOrder) fields[field.id] = field;
  return { descriptor, fields, inOrder };
}

function fieldPlan(field: FieldDescriptor, { fields }: MessageDescriptor): FieldPlan {
  const { name, key, id, shape, oneof } = field;
  const value = valuePlan(field);
  const isMember = oneof !== undefined;
  return {
    ...value,
    name,
    key,
    id,
    shape,
    hasPresence: isMember || value.kind > valueKinds.enum,
    rivals: isMember ? fields.filter((one) => one.oneof === oneof && one !== field) : [],
    isPackable: shape === 'repeated' && value.wireType !== wireTypes.length,
  };
}

function valuePlan({ kind, type }: FieldDescriptor): ValuePlan {
  switch (kind) {
    case 'scalar': {
      const scalar = scalarCodec(type);
      const { wireType, implied } = scalar;
      return { ...noValue, kind: valueKinds.scalar, type, wireType, scalar, implied };
    }
    case 'enum': {
      const names = enumDescriptor(type);
      const implied = names.byNumber.get(0);
      return { ...noValue, kind: valueKinds.enum, type, wireType: wireTypes.varint, names, implied };
    }
    case 'opaque':
      return { ...noValue, kind: valueKinds.opaque, type };
    case 'message':
      return wellKnownPlan(type) ?? generatedPlan(type);
  }
}
