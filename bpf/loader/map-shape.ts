// Whether a map that is there can serve programs that were compiled for another: what they read and write in place must
// have the same type and the same sizes. libbpf takes any descriptor, and what is wrong with it would be said by the
// verifier, if at all, in words about registers.

import { type MapInfo, mapInfo } from '../../native/bpf-info.ts';
import { MapType } from '../../native/bpf-map.ts';
import { type LoadFailure, systemFailure } from './load-failure.ts';
import type { MapLayout } from './object-layout.ts';

export type MapShape = Pick<MapLayout, 'type' | 'keyBytes' | 'valueBytes' | 'maxEntries'>;

/** Why the map of `fd` cannot be used as `name`, which programs want in the shape `wanted`; undefined when it can. */
export function reuseProblem(name: string, wanted: MapShape, fd: number): LoadFailure | undefined {
  const there = mapInfo(fd);
  if (typeof there === 'number') return systemFailure(`take over map ${name}`, there);
  return isSameShape(wanted, there) ? undefined : { reason: shapeDifference(name, wanted, there), wayOut: RELOAD };
}

export function isSameShape(a: MapShape, b: MapShape): boolean {
  return (
    a.type === b.type && a.keyBytes === b.keyBytes && a.valueBytes === b.valueBytes && a.maxEntries === b.maxEntries
  );
}

export function shapeDifference(name: string, wanted: MapShape, there: MapShape | MapInfo): string {
  return `map ${name} has another shape: there is ${shapeText(there)}; the new programs want ${shapeText(wanted)}`;
}

/** `lruHash, 20-byte keys, 48-byte values, 16384 entries`. */
export function shapeText({ type, keyBytes, valueBytes, maxEntries }: MapShape): string {
  return `${mapTypeName(type)}, ${keyBytes}-byte keys, ${valueBytes}-byte values, ${maxEntries} entries`;
}

/** `lruHash`; `type 99` for a number that is not in the table. */
export function mapTypeName(type: number): string {
  return Object.entries(MapType).find(([, number]) => number === type)?.[0] ?? `type ${type}`;
}

const RELOAD = 'unload what is there, then load anew: connections in between are not captured';
