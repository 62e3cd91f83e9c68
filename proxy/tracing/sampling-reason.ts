// Why a trace is kept: the attribute `sampling.reason` of its spans, and the stratum that its record is weighed in.

/** As it stands in a record. */
export const SamplingReason = {
  /** Not kept. */
  none: 0,
  /** Chosen here, by probability. */
  head: 1,
  /** Chosen by the caller. */
  parent: 2,
  error: 3,
  slow: 4,
  /** B3 debug, `x-envoy-force-trace`, `x-client-trace-id`. */
  debug: 5,
  /** An error whose kind had not been seen for a while: kept beyond the threshold, so that its probability is not known. */
  rare: 6,
  /** It went well, after an attempt that did not. */
  retry: 7,
  /** The callee said on the way back that it keeps the trace. */
  upgrade: 8,
} as const;
export type SamplingReason = (typeof SamplingReason)[keyof typeof SamplingReason];

/** By reason. */
export const samplingReasonNames: readonly string[] = Object.keys(SamplingReason);
