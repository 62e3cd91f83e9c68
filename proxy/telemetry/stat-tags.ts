// Labels of metrics by the patterns of a bootstrap (`stats_tags`), in place of Envoy's default tags or beside them. Patterns
// look at the whole name of a stat, as it is at `/stats`; each takes its part out, and what is left is the metric.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/metrics/v3/stats.proto#config-metrics-v3-tagspecifier

import type { StatsTags } from '../../config/bootstrap.ts';
import type { SeriesGroup } from './stat-group.ts';
import { escapeLabel, placesOfLabels } from './stat-scope.ts';

export interface TaggedMetric {
  readonly name: string;
  /** As they stand between braces. */
  readonly labels: string;
}

export class StatTags {
  readonly #tags: StatsTags;
  /** Patterns are slow, and names do not change. */
  readonly #known = new WeakMap<SeriesGroup, Map<string, TaggedMetric>>();

  constructor(tags: StatsTags) {
    this.#tags = tags;
  }

  /** What stands in front of labels of metrics that are not Envoy's. */
  get fixedLabels(): string {
    return this.#tags.rules.flatMap((rule) => ('value' in rule ? [labelText(rule.name, rule.value)] : [])).join(',');
  }

  /** Of a stat of Envoy's; `fullName` is `cluster.a.upstream_rq_200`. */
  read(group: SeriesGroup, fullName: string): TaggedMetric {
    const known = this.#known.get(group) ?? new Map<string, TaggedMetric>();
    this.#known.set(group, known);
    let metric = known.get(fullName);
    if (metric === undefined) {
      metric = this.#extract(group, fullName);
      known.set(fullName, metric);
    }
    return metric;
  }

  #extract(group: SeriesGroup, fullName: string): TaggedMetric {
    const labels: string[] = [];
    const taken = new Uint8Array(fullName.length);
    const defaults = this.#tags.hasDefaults ? placesOfLabels(group.scope, group.names, fullName) : [];
    for (const { label, value, start, end } of defaults) {
      labels.push(labelText(label, value));
      taken.fill(1, start, end);
    }
    for (const rule of this.#tags.rules) {
      if ('value' in rule) {
        labels.push(labelText(rule.name, rule.value));
        continue;
      }
      const match = rule.pattern.exec(fullName);
      if (match?.[1] === undefined) continue;
      labels.push(labelText(rule.name, match[2] ?? match[1]));
      taken.fill(1, ...match.indices![1]!);
    }
    // Patterns count in units of UTF-16, and not in letters.
    const left = fullName.split('').filter((_, index) => taken[index] === 0);
    return { name: `envoy_${plain(left.join(''))}`, labels: labels.join(',') };
  }
}

function labelText(name: string, value: string): string {
  return `${plain(name)}="${escapeLabel(value)}"`;
}

function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_');
}
