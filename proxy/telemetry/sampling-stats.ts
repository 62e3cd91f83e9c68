// What is counted of sampling: in sum under Envoy's kind of names (`sampling.kept_error`), and by key as metrics of ours
// (`outrigger_sampler_kept_total{service,route,method,rule,reason}`).

import { counter, defineStats, gauge } from './stats.ts';

/** Records that were kept, by their reason; requests that were not, by what stood against it; which came with a trace; and the budget. */
export const samplingStats = defineStats('sampling', {
  kept: counter('kept'),
  keptHead: counter('kept_head'),
  keptParent: counter('kept_parent'),
  keptError: counter('kept_error'),
  keptSlow: counter('kept_slow'),
  keptDebug: counter('kept_debug'),
  keptRare: counter('kept_rare'),
  keptRetry: counter('kept_retry'),
  keptUpgrade: counter('kept_upgrade'),
  dropped: counter('dropped'),
  droppedProbability: counter('dropped_probability'),
  droppedBudget: counter('dropped_budget'),
  errorsSuppressed: counter('errors_suppressed'),
  droppedOverload: counter('dropped_overload'),
  /** Requests by whether they came with the ids of a trace, and by the direction of the listener. */
  inboundWithContext: counter('inbound_with_context'),
  inboundWithoutContext: counter('inbound_without_context'),
  outboundWithContext: counter('outbound_with_context'),
  outboundWithoutContext: counter('outbound_without_context'),
  keys: gauge('keys'),
  /** Traces a second, of this instance. */
  budget: gauge('budget'),
  budgetUsedPercent: gauge('budget_used_percent'),
});

const ofKey = 'sampler.{service}.{route}.{method}.{rule}';

/** A block takes the key's service, route, method, and header rule (empty for none); with a reason where it has one. */
export const samplerKeyStats = defineStats(
  ofKey,
  {
    probability: gauge('probability'),
    requestsPerSecond: gauge('requests_per_second'),
    /** Requests that came without a caller's decision. */
    begunTotal: counter('begun_total'),
  },
  { vocabulary: 'outrigger' },
);
export const samplerKeptStats = defineStats(
  `${ofKey}.{reason}`,
  { keptTotal: counter('kept_total') },
  { vocabulary: 'outrigger' },
);
export const samplerDroppedStats = defineStats(
  `${ofKey}.{reason}`,
  { droppedTotal: counter('dropped_total') },
  { vocabulary: 'outrigger' },
);

/** Errors above what may be kept of them in a second, of all keys. */
export const samplerStats = defineStats(
  'sampler',
  { errorsSuppressedTotal: counter('errors_suppressed_total') },
  { vocabulary: 'outrigger' },
);
