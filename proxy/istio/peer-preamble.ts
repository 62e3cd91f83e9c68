// What sidecars of Istio put in front of the bytes of a TCP connection, in both directions: four bytes that nothing else
// begins with, a length, and who they are, as a `google.protobuf.Any` with a struct in it.
//
// It is the same for every connection of a proxy, so it is written once.

import { NativeBuffer } from '../../native/native-buffer.ts';
import { decodeAnyStruct, encodeAnyStruct, type TextStruct } from './struct-wire.ts';
import { structOfWorkload, type Workload, type WorkloadNode, workloadOfNode, workloadOfStruct } from './workload.ts';

export type FoundPreamble =
  /** The bytes are somebody else's from the first on. */
  | { readonly kind: 'absent' }
  /** All of them may be of a preamble; of how many is known once its length is. */
  | { readonly kind: 'partial'; readonly hasLength: boolean }
  /** Longer than allowed. */
  | { readonly kind: 'too-long'; readonly lengthBytes: number }
  /** `peer` is null when what it says cannot be read. */
  | { readonly kind: 'whole'; readonly lengthBytes: number; readonly peer: Workload | null };

export function writePreamble(node: WorkloadNode, additionalLabels: readonly string[]): NativeBuffer {
  const struct = new Map<string, string | TextStruct>([
    [METADATA, structOfWorkload(workloadOfNode(node, additionalLabels))],
  ]);
  if (node.id !== '') struct.set(ID, node.id);
  const content = encodeAnyStruct(struct);
  const preamble = new NativeBuffer(HEADER_BYTES + content.length);
  preamble.bytes.writeUInt32BE(MAGIC, 0);
  preamble.bytes.writeUInt32BE(content.length, MAGIC_BYTES);
  content.copy(preamble.bytes, HEADER_BYTES);
  return preamble;
}

/** Of `bytes[start, end)`, the first of a connection. There is at least one. */
export function readPreamble(bytes: Buffer, additionalLabels: readonly string[]): FoundPreamble {
  for (let at = 0; at < Math.min(bytes.length, MAGIC_BYTES); at++) {
    if (bytes[at] !== (MAGIC >>> (8 * (MAGIC_BYTES - 1 - at))) % 256) return absent;
  }
  if (bytes.length < HEADER_BYTES) return { kind: 'partial', hasLength: false };
  const lengthBytes = HEADER_BYTES + bytes.readUInt32BE(MAGIC_BYTES);
  if (lengthBytes > MAX_PREAMBLE_BYTES) return { kind: 'too-long', lengthBytes };
  if (bytes.length < lengthBytes) return { kind: 'partial', hasLength: true };
  const struct = decodeAnyStruct(bytes.subarray(HEADER_BYTES, lengthBytes), DEPTH);
  const told = struct?.get(METADATA);
  const isTold = told !== undefined && typeof told !== 'string';
  return { kind: 'whole', lengthBytes, peer: isTold ? workloadOfStruct(told, additionalLabels) : null };
}

/** Sidecars need some hundred bytes. A stream keeps what was not consumed, and has room for it. */
export const MAX_PREAMBLE_BYTES = 16 * 1024;

const absent: FoundPreamble = { kind: 'absent' };
const MAGIC = 0x3d230467;
const MAGIC_BYTES = 4;
const HEADER_BYTES = 8;
/** Labels are a struct in the metadata, which is one in the message. */
const DEPTH = 2;
const METADATA = 'x-envoy-peer-metadata';
const ID = 'x-envoy-peer-metadata-id';
