// Filters that are accepted although they do nothing here yet.
//
// Every listener and cluster of an Istio sidecar holds some of them: refusing them would refuse all. Skipping any filter
// that is not known would open what it protects. So those are listed one by one that only observe, that do nothing until a
// route configures them, which is refused, or that save bytes and change nothing else.
// Any other filter is refused by name.

export type FilterPlace = 'network filter' | 'HTTP filter' | 'cluster filter';

export interface InertFilter {
  /** Full name of its configuration, also where that comes as a TypedStruct. */
  readonly type: string;
  readonly places: readonly FilterPlace[];
  /** What it does in Envoy, which shows that nothing that protects is lost. */
  readonly inEnvoy: string;
  /** With what it is to act here. */
  readonly acts: string;
}

/**
 * Envoy has Istio's filters in folders of such names as `envoy/extensions/filters/http/alpn/v3`, and Istio's own names for their
 * messages (api/contrib). Under the folder's name they are refused: where they would act, doing nothing is no answer.
 */
export const inertFilters: readonly InertFilter[] = [
  {
    // It only observes, and stands where a filter is still to be discovered.
    type: 'envoy.extensions.filters.http.istio_stats.v3.PluginConfig',
    places: ['network filter', 'HTTP filter'],
    inEnvoy: 'counts for istio_… metrics',
    acts: 'when it is given as `stats.PluginConfig`',
  },
  {
    type: 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
    places: ['HTTP filter'],
    inEnvoy: 'counts gRPC calls',
    acts: 'with HTTP/2',
  },
  {
    type: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
    places: ['HTTP filter'],
    inEnvoy: 'delays or aborts requests; none while it is empty, which it and routes must be',
    acts: 'with fault injection',
  },
  {
    type: 'envoy.extensions.filters.http.compressor.v3.Compressor',
    places: ['HTTP filter'],
    inEnvoy: 'compresses bodies for clients that take them compressed; they take them as they are, too',
    acts: 'with the compressor filter',
  },
];
