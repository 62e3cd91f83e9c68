// A group that nobody uses, as it is exported: what it has now, such as the endpoints of a cluster, and nothing that it counted.
// A gauge that is 0 tells nothing, or each cluster that was called once would have a dozen of them for ever; but that a cluster
// has no endpoint is what somebody waits to be told.

import { HistogramSummary } from './histogram.ts';
import type { SeriesGroup, StatGroup } from './stat-group.ts';
import type { StatScope } from './stats.ts';

export class IdleGroup implements SeriesGroup {
  readonly scope: StatScope;
  readonly names: readonly string[];
  readonly prefix: string;
  readonly labels: string;
  readonly life: object;
  readonly #group: StatGroup;

  constructor(group: StatGroup, life: object) {
    this.scope = group.scope;
    this.names = group.names;
    this.prefix = group.prefix;
    this.labels = group.labels;
    this.life = life;
    this.#group = group;
  }

  value(index: number): number {
    return this.scope.stats[index]!.kind === 'gauge' ? this.#group.value(index) : 0;
  }

  isShown(index: number): boolean {
    return staysOfIdle(this.#group, index) && this.#group.isShown(index);
  }

  isUsed(index: number): boolean {
    return staysOfIdle(this.#group, index) && this.#group.isUsed(index);
  }

  codes(): ReadonlyMap<number, number> {
    return new Map();
  }

  histogram(): HistogramSummary {
    return new HistogramSummary();
  }

  interval(): HistogramSummary {
    return new HistogramSummary();
  }
}

/** What is exported of an idle group, as far as it is shown and was used. */
export function staysOfIdle(group: Pick<StatGroup, 'scope' | 'value'>, index: number): boolean {
  const { kind, name } = group.scope.stats[index]!;
  return kind === 'gauge' && (name.startsWith('membership_') || group.value(index) !== 0);
}
