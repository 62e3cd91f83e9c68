// What of the statistics is asked for, in any format: Envoy's query parameters of `/stats`.

import type { Stat } from './stats.ts';

export const statTypes = ['All', 'Counters', 'Gauges', 'Histograms', 'TextReadouts'] as const;
export type StatType = (typeof statTypes)[number];

/** How histograms are shown: quantiles, counts by bucket (running totals or not), or everything there is. */
export const histogramForms = ['cumulative', 'disjoint', 'detailed', 'summary'] as const;
export type HistogramForm = (typeof histogramForms)[number];

export interface StatsQuery {
  /** Only what was ever written. */
  readonly usedOnly: boolean;
  /** Whether a full name (`cluster.a.upstream_rq_total`) is asked for; null is every name. */
  readonly accepts: ((name: string) => boolean) | null;
  readonly type: StatType;
  readonly histograms: HistogramForm;
}

/** Every stat, histograms by their quantiles. */
export const everyStat: StatsQuery = { usedOnly: false, accepts: null, type: 'All', histograms: 'summary' };

const typeOf: Readonly<Record<Stat['kind'], StatType>> = {
  counter: 'Counters',
  'status-codes': 'Counters',
  gauge: 'Gauges',
  histogram: 'Histograms',
};

/** Whether a stat of this kind is asked for. */
export function wantsKind({ type }: StatsQuery, kind: Stat['kind']): boolean {
  return type === 'All' || typeOf[kind] === type;
}

/** Whether a text is asked for by its name, and by whether it says anything. Which types are is for the format to heed. */
export function asksForText({ accepts, usedOnly }: StatsQuery, name: string, value: string): boolean {
  if (usedOnly && value === '') return false;
  return accepts === null || accepts(name);
}
