// Version vectors: for each origin of configuration, how many of its changes are in a state. They say which of two states
// is the newer one, or that neither is, without any clock: clocks of several places never agree.
//
// An origin is one run of one control plane, because a run counts from 0 again. Text on the wire: `east/k3=5,west/9x=2`.

export type VersionVector = ReadonlyMap<string, number>;

export type VectorOrder = 'equal' | 'before' | 'after' | 'concurrent';

export const emptyVector: VersionVector = new Map();

/** How `a` stands to `b`: `before` when `b` has all changes of `a` and more. */
export function compareVectors(a: VersionVector, b: VersionVector): VectorOrder {
  const isInB = covers(b, a);
  const isInA = covers(a, b);
  if (isInB) return isInA ? 'equal' : 'before';
  return isInA ? 'after' : 'concurrent';
}

/** Whether every change in `part` is in `whole`. */
export function covers(whole: VersionVector, part: VersionVector): boolean {
  for (const [origin, count] of part) if ((whole.get(origin) ?? 0) < count) return false;
  return true;
}

/** All changes of both. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  const joined = new Map(a);
  for (const [origin, count] of b) if ((joined.get(origin) ?? 0) < count) joined.set(origin, count);
  return joined;
}

/** Equal vectors have equal texts. */
export function formatVector(vector: VersionVector): string {
  return [...vector.keys()]
    .sort()
    .map((origin) => `${encodeURIComponent(origin)}=${vector.get(origin)}`)
    .join(',');
}

/** Undefined for a text that is none. */
export function parseVector(text: string): VersionVector | undefined {
  const vector = new Map<string, number>();
  for (const part of text === '' ? [] : text.split(',')) {
    const [, origin, count] = /^([^=,]+)=([1-9]\d{0,14})$/.exec(part) ?? [];
    const decoded = origin === undefined ? undefined : decodeOrigin(origin);
    if (decoded === undefined || vector.has(decoded)) return undefined;
    vector.set(decoded, Number(count));
  }
  return vector;
}

function decodeOrigin(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
