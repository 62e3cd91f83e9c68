// Values that are text, for Prometheus: a gauge of value 0 whose label `text_value` is the text, as in Envoy. Only for who asks
// for them: every new version of a resource is a new series.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--stats-prometheus

import { joinLabels } from './metric-family.ts';
import { escapeLabel, metricOf, scopeLabels } from './stat-scope.ts';
import { gauge } from './stats.ts';
import { asksForText, type StatsQuery } from './stats-query.ts';
import type { StatsStore, TextPlace } from './stats-store.ts';

/** Lines of the text format, by name of the metric. */
export function textReadouts(store: Pick<StatsStore, 'texts'>, query: StatsQuery): string {
  const families = new Map<string, string>();
  for (const [fullName, { value, place }] of store.texts()) {
    if (!asksForText(query, fullName, value)) continue;
    const name = metricName(place);
    const labels = joinLabels(scopeLabels(place.scope, place.names), `text_value="${escapeLabel(value)}"`);
    families.set(name, `${families.get(name) ?? `# TYPE ${name} gauge\n`}${name}{${labels}} 0\n`);
  }
  return [...families]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, lines]) => lines)
    .join('');
}

function metricName({ scope, name }: TextPlace): string {
  return metricOf(scope, gauge(name)).name;
}
