// Versions as control planes send them to each other: the version that everybody gets, and behind a semicolon the
// changes in it. A client that wants them says so by a feature of its node; to all others versions are content only.

import { formatVector, parseVector, type VersionVector } from './version-vector.ts';

/** In `Node.client_features`. */
export const vectorFeature = 'outrigger.version_vectors';

export function statedVersion(version: string, changes: VersionVector): string {
  return `${version};${formatVector(changes)}`;
}

/** The changes in a version; undefined for one of a control plane that does not count them. */
export function changesOf(version: string): VersionVector | undefined {
  const semicolon = version.indexOf(';');
  return semicolon < 0 ? undefined : parseVector(version.slice(semicolon + 1));
}
