// A map as `status` shows it: its shape, how full it is, what it costs.

import { readFileSync } from 'node:fs';
import { type MapInfo, mapInfo } from '../../native/bpf-info.ts';
import { BpfMap, MapType } from '../../native/bpf-map.ts';
import type { CounterNames } from './counter-array.ts';
import { mapTypeName } from './map-shape.ts';

export interface MapEntry {
  readonly id: number;
  readonly name: string;
  /** `lruHash`. */
  readonly type: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** How many there are; undefined for types that cannot be counted. */
  readonly entries?: number;
  /** What the kernel accounts for it. */
  readonly memoryBytes: number;
  /** Of a map of counters: by the names that they have in C. */
  readonly counters?: Readonly<Record<string, number>>;
}

/** `counterNames`: the enum of a map of counters. A negated errno when `fd` is no map. */
export function readMapEntry(fd: number, counterNames?: CounterNames): MapEntry | number {
  const info = mapInfo(fd);
  if (typeof info === 'number') return info;
  const { id, name, keyBytes, valueBytes, maxEntries } = info;
  const entries = countEntries(fd, info);
  return {
    ...{ id, name, type: mapTypeName(info.type), keyBytes, valueBytes, maxEntries },
    ...(entries !== undefined && { entries }),
    memoryBytes: lockedBytes(fd),
    ...(counterNames !== undefined && { counters: readCounters(fd, info, counterNames) }),
  };
}

/** What /proc says that a program or map holds of the kernel's memory. */
export function lockedBytes(fd: number): number {
  return Number(/^memlock:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? 0);
}

const WALKED: readonly number[] = [MapType.hash, MapType.lruHash, MapType.lpmTrie, MapType.sockHash];

function countEntries(fd: number, info: MapInfo): number | undefined {
  const map = new BpfMap(fd, info.keyBytes, info.valueBytes);
  if (info.type === MapType.array) return info.maxEntries;
  if (info.type === MapType.sockMap) return countSockets(map, info);
  return WALKED.includes(info.type) ? countKeys(map, info) : undefined;
}

/** Entries come and go meanwhile, and a walk can begin anew: it ends when it has seen as many as there is room for. */
function countKeys(map: BpfMap, { keyBytes, maxEntries }: MapInfo): number {
  const keys = [new Uint8Array(keyBytes), new Uint8Array(keyBytes)] as const;
  let count = 0;
  while (count < maxEntries && map.nextKey(count === 0 ? null : keys[count % 2]!, keys[(count + 1) % 2]!) === 0)
    count++;
  return count;
}

/** Every place of a map of sockets is a key, whether a socket is there or not. */
function countSockets(map: BpfMap, { keyBytes, valueBytes, maxEntries }: MapInfo): number {
  const key = Buffer.alloc(keyBytes);
  const value = new Uint8Array(valueBytes);
  let count = 0;
  for (let index = 0; index < maxEntries; index++) {
    key.writeUInt32LE(index);
    if (map.lookup(key, value) === 0) count++;
  }
  return count;
}

/** By system calls, once each: nothing is mapped for a listing. */
function readCounters(fd: number, info: MapInfo, names: CounterNames): Readonly<Record<string, number>> {
  const map = new BpfMap(fd, info.keyBytes, info.valueBytes);
  const key = Buffer.alloc(info.keyBytes);
  const value = Buffer.alloc(info.valueBytes);
  const counters: Record<string, number> = {};
  for (const [name, index] of Object.entries(names)) {
    key.writeUInt32LE(index);
    if (map.lookup(key, value) === 0) counters[name.toLowerCase()] = Number(value.readBigUInt64LE());
  }
  return counters;
}
