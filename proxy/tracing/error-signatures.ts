// Which kinds of errors were seen lately: the first of a kind is told apart, so that it is kept whatever the fuse says. A
// kind is a 32-bit hash; two that meet in one place only make one of them look new again.

import type { StreamInfo } from '../http/stream-info.ts';

/** How long a kind stays known. */
const knownForMs = 10_000;
const places = 1024;

export class ErrorSignatures {
  readonly #hashes = new Int32Array(places);
  readonly #seenAtMs = new Float64Array(places).fill(Number.NEGATIVE_INFINITY);

  /** Remembers the kind; true when it was not seen in the last ten seconds, counted from the one that was told apart. */
  isNew(signature: number, nowMs: number): boolean {
    const place = signature & (places - 1);
    if (this.#hashes[place] === signature && nowMs - this.#seenAtMs[place]! < knownForMs) return false;
    this.#hashes[place] = signature;
    this.#seenAtMs[place] = nowMs;
    return true;
  }
}

/** Route, cluster, code, gRPC status and flags (FNV-1a). */
export function errorSignature(info: StreamInfo, grpcStatus: number): number {
  let hash = 0x811c9dc5 | 0;
  hash = addText(hash, info.routeName);
  hash = addText(hash, info.upstreamCluster);
  hash = Math.imul(hash ^ info.responseCode, prime);
  hash = Math.imul(hash ^ grpcStatus, prime);
  return Math.imul(hash ^ info.responseFlags, prime);
}

const prime = 0x01000193;

function addText(hash: number, text: string): number {
  let result = hash;
  for (let index = 0; index < text.length; index++) result = Math.imul(result ^ text.charCodeAt(index), prime);
  return Math.imul(result ^ 0xff, prime);
}
