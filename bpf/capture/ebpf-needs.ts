// What of the kernel a capture needs, by its settings.

import type { Use } from '../loader/features.ts';
import type { LoadFailure } from '../loader/load-failure.ts';
import { missingFor, type Probes } from '../loader/probes.ts';
import type { CaptureTargets } from './capture-targets.ts';
import type { CaptureSettings } from './settings.ts';

/** The first thing that is missing, with what it means and what to do; undefined when all is there. */
export function missingFeature(
  settings: CaptureSettings,
  targets: CaptureTargets,
  probes: Probes,
): LoadFailure | undefined {
  const uses: readonly Use[] = [
    'outbound',
    ...(targets.netnsFd === null ? [] : (['inbound'] as const)),
    ...(settings.dns === undefined ? [] : (['dns'] as const)),
  ];
  const missing = uses.flatMap((use) => missingFor(use, probes))[0];
  if (missing === undefined) return undefined;
  const found = probes.find(missing.name);
  const detail = found.state === 'there' ? '' : ` (${found.detail})`;
  return { reason: `${missing.title}: ${missing.absence}${detail}`, wayOut: missing.wayOut };
}
