// Scalar types on the wire and in memory (https://protobuf.dev/programming-guides/encoding/). 64-bit integers are numbers
// in memory, the nearest double: no field of Envoy's API needs more.

import type { Reader, Writer } from 'protobufjs/minimal.js';

/** The low three bits of a tag. */
export const wireTypes = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;

export interface ScalarCodec {
  /** Its name in proto files. */
  readonly type: string;
  /** Of one value: repeated numbers may also come packed, with a length in front. */
  readonly wireType: number;
  /** What a field without presence has when it is not on the wire. */
  readonly implied: unknown;
  /** Throws what protobufjs throws for bytes that are no such value. */
  readonly read: (reader: Reader) => unknown;
  readonly write: (writer: Writer, value: unknown) => void;
}

/** By the type's name in proto files. Throws for a name that is none. */
export function scalarCodec(type: string): ScalarCodec {
  const codec = codecs[type];
  if (codec === undefined) throw new Error(`${type} is not a scalar type`);
  return codec;
}

/** protobufjs reads 64-bit integers as objects of two halves. Their own `valueOf` would make text on the way. */
export function nearestDouble(value: unknown): number {
  return typeof value === 'number' ? value : (value as { toNumber(): number }).toNumber();
}

/** The scalar in a wrapper such as `google.protobuf.BoolValue`; undefined when the type is not a wrapper. */
export function wrappedScalar(type: string): ScalarCodec | undefined {
  const name = wrappers[type];
  return name === undefined ? undefined : codecs[name];
}

const wrappers: { readonly [type: string]: string } = {
  'google.protobuf.BoolValue': 'bool',
  'google.protobuf.BytesValue': 'bytes',
  'google.protobuf.DoubleValue': 'double',
  'google.protobuf.FloatValue': 'float',
  'google.protobuf.Int32Value': 'int32',
  'google.protobuf.Int64Value': 'int64',
  'google.protobuf.StringValue': 'string',
  'google.protobuf.UInt32Value': 'uint32',
  'google.protobuf.UInt64Value': 'uint64',
};

const { varint, fixed64, length, fixed32 } = wireTypes;

const codecs: { readonly [type: string]: ScalarCodec } = {
  string: {
    type: 'string',
    wireType: length,
    implied: '',
    read: (reader) => reader.stringVerify(),
    write: (writer, value) => writer.string(value as string),
  },
  bytes: {
    type: 'bytes',
    wireType: length,
    implied: new Uint8Array(),
    // A view would keep the whole response in memory.
    read: (reader) => new Uint8Array(reader.bytes()),
    write: (writer, value) => writer.bytes(value as Uint8Array),
  },
  bool: {
    type: 'bool',
    wireType: varint,
    implied: false,
    read: (reader) => reader.bool(),
    write: (writer, value) => writer.bool(value as boolean),
  },
  int32: number(varint, 'int32'),
  uint32: number(varint, 'uint32'),
  sint32: number(varint, 'sint32'),
  int64: number(varint, 'int64'),
  uint64: number(varint, 'uint64'),
  sint64: number(varint, 'sint64'),
  fixed32: number(fixed32, 'fixed32'),
  sfixed32: number(fixed32, 'sfixed32'),
  float: number(fixed32, 'float'),
  fixed64: number(fixed64, 'fixed64'),
  sfixed64: number(fixed64, 'sfixed64'),
  double: number(fixed64, 'double'),
};

type NumberType = `${'' | 'u' | 's'}int${32 | 64}` | `${'' | 's'}fixed${32 | 64}` | 'float' | 'double';

/** protobufjs has a method for each type, with the type's name, in both directions. */
function number(wireType: number, type: NumberType): ScalarCodec {
  const is64Bit = type.endsWith('64');
  return {
    type,
    wireType,
    implied: 0,
    read: is64Bit ? (reader) => nearestDouble(reader[type as 'int64']()) : (reader) => reader[type as 'int32'](),
    write: (writer, value) => writer[type as 'int32'](value as number),
  };
}
