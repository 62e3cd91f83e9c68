// `/stats` and `/stats/prometheus`: what a query asks for.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--stats

import type { SeriesSource } from '../telemetry/metric-family.ts';
import { openMetricsText, openMetricsType } from '../telemetry/openmetrics.ts';
import { prometheusText } from '../telemetry/prometheus.ts';
import {
  type HistogramForm,
  histogramForms,
  type StatsQuery,
  type StatType,
  statTypes,
} from '../telemetry/stats-query.ts';
import { statsJson, statsText } from '../telemetry/stats-text.ts';
import { textReadouts } from '../telemetry/text-readouts.ts';
import { groupsWithUncalled, uncalledMembers } from '../telemetry/uncalled-clusters.ts';
import { prefersOpenMetrics } from './accepted-type.ts';
import { type AdminAnswer, type AdminRequest, failure, jsonPieces, nameFilter, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

export function stats(context: AdminContext, request: AdminRequest): AdminAnswer {
  const format = request.query.get('format') ?? 'text';
  if (format === 'prometheus') return prometheus(context, request);
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /stats?format=(json|prometheus|text)\n\n');
  const query = statsQuery(request);
  if ('status' in query) return query;
  context.refreshStats();
  const { store, state, buckets } = context;
  const source = { texts: () => store.texts(), groups: groupsWithUncalled(store, state.snapshot) };
  if (format === 'json') return jsonPieces(statsJson(source, query, buckets));
  return text(statsText(source, query, buckets));
}

// Numbers of all types, whatever `type` says, as in Envoy. Who asks for texts gets Envoy's own format.
export function prometheus(context: AdminContext, request: AdminRequest): AdminAnswer {
  const query = statsQuery(request);
  if ('status' in query) return query;
  const isAsked = askedForm(request) !== undefined;
  const { histograms } = query;
  if (isAsked && histograms !== 'cumulative' && histograms !== 'summary') {
    return failure(400, 'unsupported prometheus histogram bucket mode\n');
  }
  context.refreshStats();
  // Buckets, unless a summary is asked for: the other default of the same parameter.
  const asked = { ...query, type: 'All', histograms: isAsked ? histograms : 'cumulative' } as const;
  if (request.query.has('text_readouts')) return text(withTexts(context, asked));
  if (!prefersOpenMetrics(request.accept)) return text(prometheusText(seriesOf(context), asked, context.buckets));
  return { status: 200, type: openMetricsType, body: openMetricsText(seriesOf(context), asked, context) };
}

/** What the budget has, and members of clusters that nobody calls where it has room. */
function seriesOf({ budget, store, state }: AdminContext): SeriesSource {
  return {
    tags: budget.tags,
    groups: () => {
      const groups = budget.groups();
      const { maxSeries, series } = budget.report();
      return [...groups, ...uncalledMembers(store, state.snapshot, maxSeries - series)];
    },
  };
}

function* withTexts(context: AdminContext, query: StatsQuery): Generator<string> {
  yield* prometheusText(seriesOf(context), query, context.buckets);
  yield textReadouts(context.store, query);
}

/** Envoy takes `none`, and a parameter without a value, for one that is not there. */
function askedForm({ query }: AdminRequest): string | undefined {
  const form = query.get('histogram_buckets');
  return form === null || form === '' || form === 'none' ? undefined : form;
}

function statsQuery(request: AdminRequest): StatsQuery | AdminAnswer {
  const { query } = request;
  const filter = nameFilter(query.get('filter'));
  if (filter !== null && typeof filter !== 'function') return filter;
  const type = (query.get('type') ?? 'All') as StatType;
  if (!statTypes.includes(type)) return failure(400, 'invalid &type= param');
  const histograms = (askedForm(request) ?? 'summary') as HistogramForm;
  if (!histogramForms.includes(histograms)) {
    return failure(400, `usage: /stats?histogram_buckets=(${histogramForms.join('|')})\n`);
  }
  const isInverted = query.has('invert_filter');
  return {
    usedOnly: query.has('usedonly'),
    accepts: filter !== null && isInverted ? (name) => !filter(name) : filter,
    type,
    histograms,
  };
}
