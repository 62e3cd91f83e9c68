// `stats_config.stats_matcher`: which statistics there are to see. Everything is counted all the same, for whom a group's
// number is a fact of operation (`/clusters`, drains); Envoy does not create what is rejected.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/metrics/v3/stats.proto#config-metrics-v3-statsmatcher

import type { StatsMatcher } from '../../config/bootstrap.ts';
import { compileStringMatcher } from '../route/string-matcher.ts';
import type { StatScope } from './stats.ts';

/** Whether the stat of this full name (`cluster.a.upstream_rq_total`) is shown. */
export type StatPredicate = (vocabulary: StatScope['vocabulary'], name: string) => boolean;

/** Null when all are shown. Lists name Envoy's statistics: Istio's metrics and ours have switches of their own. */
export function compileStatsMatcher(matcher: StatsMatcher): StatPredicate | null {
  switch (matcher.kind) {
    case 'all':
      return null;
    case 'none':
      return () => false;
    case 'inclusion':
    case 'exclusion': {
      const isInclusion = matcher.kind === 'inclusion';
      const patterns = matcher.patterns.map(compileStringMatcher);
      return (vocabulary, name) => vocabulary !== 'envoy' || patterns.some((matches) => matches(name)) === isInclusion;
    }
  }
}
