// Versions as control planes send them to each other: the version that everybody gets, behind a semicolon the changes in
// it, and behind another, where it was merged of several, which of its endpoints is whose. That of a whole response has who
// sends it, and how far away each origin is for who reads it. A client that wants them says so by a feature of its node; to
// all others versions are content only.

import type { ServedResources } from './served-snapshot.ts';
import { formatVector, parseVector, type VersionVector } from './version-vector.ts';

/** In `Node.client_features`. */
export const vectorFeature = 'outrigger.version_vectors.shared';

/** `shares` as in `ServedResource`. */
export function statedVersion(version: string, changes: VersionVector, shares = ''): string {
  return `${version};${formatVector(changes)}${shares === '' ? '' : `;${shares}`}`;
}

/** The version of a whole response, with the origin of who sends it, where that is known, and how far it is to others. */
export function statedWholeVersion({ version, seen, origin, hops }: Omit<ServedResources, 'byName'>): string {
  return origin === ''
    ? statedVersion(version, seen)
    : `${statedVersion(version, seen)};;${encodeURIComponent(origin)};${formatVector(hops)}`;
}

/** The changes in a version; undefined for one of a control plane that does not count them. */
export function changesOf(version: string): VersionVector | undefined {
  const [, changes] = version.split(';', 2);
  return changes === undefined ? undefined : parseVector(changes);
}

/** Which run of a control plane sends a response; empty where its version does not say. */
export function originIn(version: string): string {
  const text = version.split(';', 4)[3] ?? '';
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}

/** How far away origins are, as in `StatedType`; undefined where the version does not say. */
export function hopsIn(version: string): VersionVector | undefined {
  const hops = version.split(';', 5)[4];
  return hops === undefined ? undefined : parseVector(hops);
}

/** Whose which endpoint is; empty where the version does not say. */
export function sharesIn(version: string): string {
  return version.split(';', 3)[2] ?? '';
}
