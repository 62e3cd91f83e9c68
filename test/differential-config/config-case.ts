// A piece of configuration and what Envoy 1.40 and outrigger say to it. Envoy's verdict was recorded from it, so that
// the cases test outrigger on machines without Envoy, and Envoy itself where it is installed.

import type { Place } from './config-place.ts';

export interface ConfigCase {
  /** Where, and what. */
  readonly title: string;
  /** The whole bootstrap as YAML. */
  readonly text: string;
  readonly envoyTakes: boolean;
  /** Part of `path: message` of a problem that outrigger must find; null when it takes the bootstrap too. */
  readonly problem: string | null;
}

/** Both take it. */
export function takes(place: Place, fields: string): ConfigCase {
  return makeCase(place, fields, { envoyTakes: true, problem: null });
}

/** Both refuse it, outrigger with this problem. */
export function refuses(place: Place, fields: string, problem: string): ConfigCase {
  return makeCase(place, fields, { envoyTakes: false, problem });
}

/** Outrigger alone refuses it, by name: it is not supported, or Envoy lets through what cannot work. */
export function oursRefuses(place: Place, fields: string, problem: string): ConfigCase {
  return makeCase(place, fields, { envoyTakes: true, problem });
}

/** Envoy alone refuses it; `why` says why that is no harm. */
export function envoyRefuses(place: Place, fields: string, why: string): ConfigCase {
  return makeCase(place, fields, { envoyTakes: false, problem: null, why });
}

interface Verdict {
  readonly envoyTakes: boolean;
  readonly problem: string | null;
  readonly why?: string;
}

function makeCase(place: Place, fields: string, { envoyTakes, problem, why }: Verdict): ConfigCase {
  const title = `${place.name} ${JSON.stringify(fields)}${why === undefined ? '' : ` (${why})`}`;
  return { title, text: place(fields), envoyTakes, problem };
}
