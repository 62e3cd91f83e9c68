// SHA-256 by the OpenSSL that node carries (SHA256(3)). `node:crypto` has the same, and takes 4 to 6 ms to load in a process
// that needs nothing else of it: a sixth of what redirection takes to come about.

import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl, opensslProblem } from './openssl.ts';

/** The 32 bytes; undefined where node's own OpenSSL cannot be had (`opensslProblem`). */
export function sha256(bytes: Uint8Array): Uint8Array | undefined {
  if (opensslProblem() !== undefined) return undefined;
  const input = new NativeBuffer(bytes.length);
  input.bytes.set(bytes);
  const digest = new NativeBuffer(DIGEST_BYTES);
  return digestOf()(input.address, input.length, digest.address) === 0 ? undefined : digest.bytes;
}

const DIGEST_BYTES = 32;

const digestOf = declareOpenssl('uint64_t', 'SHA256', ['uint64_t', 'size_t', 'uint64_t']);
