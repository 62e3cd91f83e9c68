// Where telemetry is sent: a collector behind one of our own clusters (`config.core.v3.GrpcService`, `HttpService`). And
// whose it is: the resource of OpenTelemetry.

export type TelemetryService =
  | {
      readonly kind: 'grpc';
      readonly cluster: string;
      /** `:authority`; empty takes the cluster's name, as in Envoy. */
      readonly authority: string;
      /** Of one call; 0 is none. */
      readonly timeoutMs: number;
      /** `initial_metadata`, lower-case names. Values can be secrets: never printed. */
      readonly metadata: readonly (readonly [string, string])[];
    }
  | {
      readonly kind: 'http';
      readonly cluster: string;
      /** Always `http://authority/path`: the path is posted to, the authority is the `host`. */
      readonly uri: string;
      readonly timeoutMs: number;
      /** `request_headers_to_add`. Values can be secrets: never printed. */
      readonly headers: readonly (readonly [string, string])[];
    };

/** What tells who sent telemetry, besides what every signal says of the process. */
export interface TelemetryResource {
  /** Read OTEL_RESOURCE_ATTRIBUTES (`environment_resource_detector`). */
  readonly fromEnvironment: boolean;
  /** They win over those of the environment. */
  readonly attributes: readonly (readonly [string, string])[];
}
