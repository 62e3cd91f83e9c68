// What an operator may set about sampling, with the shipped defaults. A reader of files is in `settings-reader.ts`.

/** Rates are probabilities, 0 to 1. */
export interface SamplingSettings {
  /** Traces a second that are exported, errors not counted. `scope: service` divides it among the replicas. */
  readonly budget: { readonly tracesPerSecond: number; readonly scope: 'instance' | 'service' };
  /** The rate of keys that no rule names. */
  readonly baseRate: number;
  /** How the budget is shared when the wanted rates exceed it: the exponent of the arrival rate is 1, 0.5 or 0. */
  readonly share: 'proportional' | 'sqrt' | 'equal';
  /** The first rule that matches gives a key its rate and weight. */
  readonly rules: readonly SamplingRule[];
  /** Traces a minute that each key may expect, whatever its rate. */
  readonly floorPerMinute: number;
  readonly errors: {
    readonly keep: boolean;
    readonly maxPerSecond: number;
    /** Inclusive ranges of HTTP statuses. */
    readonly http: readonly (readonly [number, number])[];
    /** gRPC status codes. */
    readonly grpc: readonly number[];
    /** Replies that the proxy gave in the endpoint's place. */
    readonly localReplies: boolean;
  };
  /** Undefined keeps no request for being slow. */
  readonly slow?: { readonly overMs: number; readonly maxPerSecond: number };
  /** Requests that failed attempts preceded, though they succeeded. */
  readonly retries: { readonly maxPerSecond: number };
  /** B3 debug, `x-envoy-force-trace`. */
  readonly debug: { readonly maxPerSecond: number };
  /** What a callee may say on the way back (`Server-Timing`). */
  readonly upgrade: { readonly accept: 'mesh' | 'internal' | 'none'; readonly maxPerSecond: number };
  /** `legacy-token-bucket` keeps the first of each second; its spans carry no threshold. */
  readonly cap: 'bottom-k' | 'legacy-token-bucket';
}

export interface SamplingRule {
  /** `*` stands for any characters. Absent matches everything. Case-insensitive. */
  readonly service?: string;
  readonly route?: string;
  readonly method?: string;
  /** Every header named must have the value; `*` as above. Such a rule is decided by each request. */
  readonly headers: readonly (readonly [name: string, pattern: string])[];
  readonly rate: number;
  /** Share of the budget beside others; by default its rate over the base rate. */
  readonly weight: number;
}

export const defaultSettings: SamplingSettings = {
  budget: { tracesPerSecond: 100, scope: 'instance' },
  baseRate: 0.01,
  share: 'sqrt',
  rules: [{ service: '*payment*', headers: [], rate: 0.1, weight: 10 }],
  floorPerMinute: 1,
  errors: {
    keep: true,
    maxPerSecond: 10,
    http: [[500, 599]],
    // UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: the server's fault by OpenTelemetry's
    // conventions for gRPC.
    grpc: [2, 4, 12, 13, 14, 15],
    localReplies: true,
  },
  slow: { overMs: 1000, maxPerSecond: 2 },
  retries: { maxPerSecond: 2 },
  debug: { maxPerSecond: 5 },
  upgrade: { accept: 'mesh', maxPerSecond: 10 },
  cap: 'bottom-k',
};
