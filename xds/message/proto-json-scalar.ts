// Scalars of proto3 JSON, and the well-known types that are written as one scalar
// (https://protobuf.dev/programming-guides/json/).
//
// Files that Envoy starts with must start here, so what protobuf's own reader takes beyond those rules is taken too: the
// words of YAML 1.1 for booleans, and wrappers and durations spelled out as messages.

import type { JsonObject } from './message-descriptor.ts';

/** What a value of the type looks like, for "expected …". */
export function scalarExpectation(type: string): string {
  return expectations[type] ?? 'a whole number';
}

/**
 * The value in memory of a JSON value, or undefined when it is not one of the type: numbers for all numeric types
 * (64-bit ones as the nearest double), milliseconds for `Duration`, milliseconds since 1970 for `Timestamp`.
 */
export function readScalar(type: string, json: unknown): string | number | boolean | Uint8Array | undefined {
  if (typeof json === 'object' && json !== null) return readSpelledOut(type, json as JsonObject);
  switch (type) {
    case 'string':
    case 'google.protobuf.StringValue':
      return typeof json === 'string' ? json : undefined;
    case 'bool':
    case 'google.protobuf.BoolValue':
      return typeof json === 'string'
        ? booleanWords.get(json.toLowerCase())
        : typeof json === 'boolean'
          ? json
          : undefined;
    case 'bytes':
    case 'google.protobuf.BytesValue':
      return readBytes(json);
    case 'double':
    case 'float':
    case 'google.protobuf.DoubleValue':
    case 'google.protobuf.FloatValue':
      return readDouble(json);
    case 'google.protobuf.Duration':
      return readDuration(json);
    case 'google.protobuf.Timestamp':
      return readTimestamp(json);
    default:
      return readInteger(type, json);
  }
}

/** The duration that was probably meant by a number, or by text with another unit; undefined when there is none. */
export function meantDuration(json: unknown): string | undefined {
  if (typeof json !== 'number' && typeof json !== 'string') return undefined;
  const parts = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|)$/.exec(`${json}`);
  if (parts === null) return undefined;
  const seconds = Number(parts[1]) * secondsOf[parts[2]!]!;
  // Six digits are microseconds: finer than any timer, and free of rounding errors.
  return `${Number(seconds.toFixed(6))}s`;
}

const secondsOf: { readonly [unit: string]: number } = { ms: 0.001, s: 1, '': 1, m: 60, h: 3600 };

/** Types that `readScalar` reads although the proto file has them as messages: presence is kept. */
export function isScalarMessage(type: string): boolean {
  return type in integerRanges ? type.startsWith('google.') : scalarMessages.has(type);
}

const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', 'y'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', 'n'].map((word) => [word, false] as const),
]);

/** `{value: 5}` for a wrapper, `{seconds: 1, nanos: 500000000}` for a duration. */
function readSpelledOut(type: string, json: JsonObject): ReturnType<typeof readScalar> {
  if (!isScalarMessage(type) || Array.isArray(json)) return undefined;
  if (type === 'google.protobuf.Duration') return readDurationFields(json);
  const { value, ...others } = json;
  if (Object.keys(others).length > 0 || typeof value === 'object' || type === 'google.protobuf.Timestamp')
    return undefined;
  return value === undefined ? impliedValues[type] : readScalar(type, value);
}

function readDurationFields({ seconds = 0, nanos = 0, ...others }: JsonObject): number | undefined {
  const wholeSeconds = readInteger('int64', seconds);
  const wholeNanos = readInteger('int32', nanos);
  const isRight = wholeSeconds !== undefined && wholeNanos !== undefined && Object.keys(others).length === 0;
  return isRight && Math.abs(wholeSeconds) <= maxDurationSeconds ? wholeSeconds * 1000 + wholeNanos / 1e6 : undefined;
}

const impliedValues: { readonly [type: string]: string | number | boolean } = {
  'google.protobuf.StringValue': '',
  'google.protobuf.BoolValue': false,
  'google.protobuf.DoubleValue': 0,
  'google.protobuf.FloatValue': 0,
  'google.protobuf.Int32Value': 0,
  'google.protobuf.UInt32Value': 0,
  'google.protobuf.Int64Value': 0,
  'google.protobuf.UInt64Value': 0,
};

/** Largest magnitude of a Duration in seconds, from duration.proto: some 10,000 years. */
const maxDurationSeconds = 315_576_000_000;

const scalarMessages = new Set(
  ['StringValue', 'BoolValue', 'BytesValue', 'DoubleValue', 'FloatValue', 'Duration', 'Timestamp'].map(
    (name) => `google.protobuf.${name}`,
  ),
);

const expectations: { readonly [type: string]: string } = {
  string: 'text (numbers and true or false need quotes)',
  'google.protobuf.StringValue': 'text (numbers and true or false need quotes)',
  bool: 'true or false',
  'google.protobuf.BoolValue': 'true or false',
  bytes: 'base64 text',
  'google.protobuf.BytesValue': 'base64 text',
  double: 'a number',
  float: 'a number',
  'google.protobuf.DoubleValue': 'a number',
  'google.protobuf.FloatValue': 'a number',
  'google.protobuf.Duration': 'a duration in seconds such as "1.5s"',
  'google.protobuf.Timestamp': 'a time such as "2026-01-31T12:00:00Z"',
  uint32: 'a whole number from 0 to 4294967295',
  'google.protobuf.UInt32Value': 'a whole number from 0 to 4294967295',
  int32: 'a whole number from -2147483648 to 2147483647',
  'google.protobuf.Int32Value': 'a whole number from -2147483648 to 2147483647',
};

const int32 = [-(2 ** 31), 2 ** 31 - 1] as const;
const uint32 = [0, 2 ** 32 - 1] as const;
// A double cannot tell 2^63 - 1 from 2^63: the upper ends are the doubles that the largest values become.
const int64 = [-(2 ** 63), 2 ** 63] as const;
const uint64 = [0, 2 ** 64] as const;

const integerRanges: { readonly [type: string]: readonly [number, number] } = {
  int32,
  sint32: int32,
  sfixed32: int32,
  uint32,
  fixed32: uint32,
  int64,
  sint64: int64,
  sfixed64: int64,
  uint64,
  fixed64: uint64,
  'google.protobuf.Int32Value': int32,
  'google.protobuf.UInt32Value': uint32,
  'google.protobuf.Int64Value': int64,
  'google.protobuf.UInt64Value': uint64,
};

function readInteger(type: string, json: unknown): number | undefined {
  const value = typeof json === 'string' && decimal.test(json) ? Number(json) : json;
  if (typeof value !== 'number' || !Number.isInteger(value)) return undefined;
  const [min, max] = integerRanges[type]!;
  return value >= min && value <= max ? value : undefined;
}

const decimal = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

function readDouble(json: unknown): number | undefined {
  if (typeof json === 'number') return json;
  if (typeof json !== 'string') return undefined;
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
  return decimal.test(json) ? Number(json) : undefined;
}

function readBytes(json: unknown): Uint8Array | undefined {
  if (typeof json !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(json)) return undefined;
  return new Uint8Array(Buffer.from(json, 'base64'));
}

function readDuration(json: unknown): number | undefined {
  if (typeof json !== 'string') return undefined;
  const parts = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(json);
  if (parts === null) return undefined;
  const seconds = Number(parts[2]);
  if (seconds > maxDurationSeconds) return undefined;
  const nanos = Number((parts[3] ?? '').padEnd(9, '0'));
  const ms = seconds * 1000 + nanos / 1e6;
  return parts[1] === '-' && ms !== 0 ? -ms : ms;
}

function readTimestamp(json: unknown): number | undefined {
  if (typeof json !== 'string') return undefined;
  const isRfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(json);
  const ms = isRfc3339 ? Date.parse(json) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
