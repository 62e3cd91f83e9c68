// What OpenSSL's strings hold (ASN1_STRING), as bytes of our own: text of a certificate may have a zero byte in it.

import { declare } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

/** A copy. */
export function bytesOfAsn1(text: number): Buffer {
  const length = textLength()(text);
  return length <= 0 ? Buffer.alloc(0) : bytesAt(textData()(text), length);
}

/** A copy of `length` bytes of the library's memory; above 0. */
export function bytesAt(address: number, length: number): Buffer {
  const copy = new NativeBuffer(length);
  sysMemcpy(copy.address, address, length);
  return copy.bytes;
}

const textLength = declareOpenssl('int', 'ASN1_STRING_length', ['uint64_t']);
const textData = declareOpenssl('uint64_t', 'ASN1_STRING_get0_data', ['uint64_t']);
const sysMemcpy = declare('uint64_t', 'memcpy', ['uint64_t', 'uint64_t', 'size_t']) as (
  to: number,
  from: number,
  length: number,
) => number;
