// Scalars of proto3 JSON that are text or take thought (https://protobuf.dev/programming-guides/json/), from the wire: the
// other direction of proto-json-scalar.ts.

import type { Reader } from 'protobufjs/minimal.js';
import { scalarCodec } from './wire-scalar.ts';

/** Reads a scalar as its JSON. 64-bit integers are text, to the last digit; bytes are base64. */
export function scalarJson(reader: Reader, type: string): unknown {
  switch (type) {
    case 'bytes':
      return base64(reader.bytes());
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return `${reader[type]()}`;
    case 'double':
      return numberJson(reader.double());
    case 'float':
      return numberJson(shortestFloat(reader.float()));
    default:
      return scalarCodec(type).read(reader);
  }
}

/** The JSON of what a scalar is when it is not on the wire. */
export function impliedScalarJson(type: string): unknown {
  if (type === 'bytes') return '';
  return type.endsWith('64') ? '0' : scalarCodec(type).implied;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** `1.5s`, with 0, 3, 6 or 9 digits of a second. */
export function durationText(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
}

/** RFC 3339, or the seconds where they are beyond its years. */
export function timestampText(seconds: number, nanos: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds}` : `${date.toISOString().slice(0, -5)}${fraction(nanos)}Z`;
}

function fraction(nanos: number): string {
  if (nanos === 0) return '';
  return `.${`${nanos}`.padStart(9, '0').replace(/(000){1,2}$/, '')}`;
}

function numberJson(value: number): number | string {
  return Number.isFinite(value) ? value : `${value}`;
}

/** The shortest number that is the same float: a float of 0.1 is 0.10000000149 as a double. */
function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return value;
}
