// The seam between a cluster and the way it chooses: a balancer is built once for an endpoint set and holds nothing
// but that set and a cursor, so a new set simply brings a new balancer.

import type { Random } from '../../config/random.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';

export interface Balancer {
  /** The next endpoint, or null when there is none. Ignores `excluded`: the cluster asks again when it must. */
  choose(context: ChooseContext): EndpointRuntime | null;
}

/** What a choice may depend on. Owned by whoever asks and reused: a choice allocates nothing. */
export interface ChooseContext {
  readonly random: Random;
  /** Endpoints that failed this request before (`retry_host_predicate` previous hosts); null when there are none. */
  readonly excluded: readonly EndpointRuntime[] | null;
  /** How often to choose again when an excluded endpoint was drawn (`host_selection_retry_max_attempts`). */
  readonly hostSelectionMaxAttempts: number;
  /** `ip:port` the downstream connection was made to, for original-dst clusters; empty when unknown. */
  readonly originalDestination: string;
  /** Value of the header that overrides the original destination, when the cluster trusts one; null without it. */
  readonly originalDestinationHeader: string | null;
}
