// The table of names of a mesh (Istio's NDS): one resource, which has no name of its own on the wire.
//
// 100,000 names take 1.0 to 1.5 s of CPU to decode, and 0.6 to 0.9 in slices. A large table is decoded in slices, each of which is a message of the same type:
// a message may be cut between its fields, and those of a table are its names.
// https://protobuf.dev/programming-guides/encoding/#last-one-wins

import protobuf, { type Reader } from 'protobufjs/minimal.js';
import type { NamedHost, NameTable } from '../../config/name-table.ts';
import { Problems } from '../../config/problems.ts';
import { decodeNameTable } from '../decode/name-table.ts';
import type { NameTable as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

const made = makeResourceDecoder<Message, NameTable>({
  messageName: 'istio.networking.nds.v1.NameTable',
  shortName: 'nds',
  isSentUnderOwnName: false,
  isDecodedAhead: true,
  decode: decodeNameTable,
});

/** 2.4 ms of CPU (median of 200 slices; the largest, in which V8 collects, 30 to 50). */
const namesInSlice = 500;
/** Below it is one slice anyway. */
const leastBytes = 32 * 1024;

/** By the bytes that they were decoded of. */
const prepared = new WeakMap<Uint8Array, NameTable>();

export const nameTableDecoder: ResourceDecoder<NameTable> = {
  ...made,
  type: { ...made.type, nameOf: () => 'names', isApart: true },
  decode: (bytes, problems) => prepared.get(bytes) ?? made.decode(bytes, problems),
  prepare: (bytes) => (bytes.length < leastBytes ? undefined : decodeInSlices(bytes)),
};

/** Yields how many names it took in a step. What is not as it should be is left to `decode`, which says what it is. */
function* decodeInSlices(bytes: Uint8Array): Generator<number, void> {
  const hosts = new Map<string, NamedHost>();
  const keys = new Set<string>();
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const names = readKeys(reader, keys);
    const problems = new Problems();
    const slice = names === undefined ? undefined : made.decode(bytes.subarray(from, reader.pos), problems);
    if (names === undefined || slice === undefined || !problems.isEmpty) return;
    for (const [name, host] of slice) hosts.set(name, host);
    yield names;
  }
  prepared.set(bytes, hosts);
}

const entryTag = (1 << 3) | 2;
const keyTag = entryTag;

/** Reads past the names of a slice. Undefined where a field is another one, or a name comes again: the last of them counts. */
function readKeys(reader: Reader, keys: Set<string>): number | undefined {
  const before = keys.size;
  try {
    while (reader.pos < reader.len && keys.size - before < namesInSlice) {
      if (reader.uint32() !== entryTag) return undefined;
      const entry = protobuf.Reader.create(reader.bytes());
      if (entry.uint32() !== keyTag) return undefined;
      const { size } = keys;
      if (keys.add(entry.string()).size === size) return undefined;
    }
  } catch {
    // The reader throws on bytes that are no message.
    return undefined;
  }
  return keys.size - before;
}
