// Tracing of one HTTP connection manager (`HttpConnectionManager.Tracing`), and what routes change of it.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing

import type { TelemetryResource, TelemetryService } from './telemetry-service.ts';

export interface Tracing {
  readonly sampling: TraceSampling;
  /** Without one nothing is recorded: the choice is only told to other hops in `x-request-id`. */
  readonly provider?: TraceProvider;
  readonly customTags: readonly CustomTag[];
  /** Longer paths are cut in tags. Envoy's default is 256. */
  readonly maxPathTagLength: number;
  /** Also record when each stage was reached, as events of the span. */
  readonly verbose: boolean;
  /** Each upstream attempt is a client span of its own; otherwise one span stands for the request. */
  readonly spawnUpstreamSpan: boolean;
  /** Format strings for the names of spans; a route's come first. Empty takes the standard name. */
  readonly operation: string;
  readonly upstreamOperation: string;
  /** Trace headers are left as they came. */
  readonly noContextPropagation: boolean;
}

/** Which requests are chosen for tracing by percentage. The choice is told to other hops in `x-request-id`. */
export interface TraceSampling {
  /** Of requests with `x-client-trace-id`, 0 to 100. */
  readonly clientPercent: number;
  /** Of all other requests, 0 to 10,000. */
  readonly randomPerTenThousand: number;
  /** What is kept of those chosen by any rule, 0 to 10,000. */
  readonly overallPerTenThousand: number;
  /** `use_request_id_for_trace_sampling`: an id that brings a choice decides. */
  readonly usesRequestId: boolean;
  /** `pack_trace_reason`. Off: ids are left as they came. */
  readonly marksIds: boolean;
}

/** What a route says in place of its connection manager: `RouteTracing`, and its `decorator`. */
export interface RouteTracing {
  /** 10,000 when left out, as in Envoy: never what the connection manager says. */
  readonly clientPerTenThousand: number;
  readonly randomPerTenThousand: number;
  readonly overallPerTenThousand: number;
  /** Before those of the connection manager where both name a tag. */
  readonly customTags: readonly CustomTag[];
  readonly operation: string;
  readonly upstreamOperation: string;
}

/** Names the span of a route; told to the next hop in `x-envoy-decorator-operation` when it is propagated. */
export interface RouteDecorator {
  readonly operation: string;
  readonly propagate: boolean;
}

export interface CustomTag {
  readonly tag: string;
  readonly source:
    | { readonly kind: 'literal'; readonly value: string }
    /** Read once, when the configuration arrives. */
    | { readonly kind: 'environment'; readonly name: string; readonly defaultValue: string }
    | { readonly kind: 'request-header'; readonly name: string; readonly defaultValue: string }
    | {
        readonly kind: 'metadata';
        readonly of: 'request' | 'route' | 'cluster' | 'endpoint';
        readonly namespace: string;
        readonly path: readonly string[];
        readonly defaultValue: string;
      }
    /** A format string of access logs. */
    | { readonly kind: 'format'; readonly format: string };
}

export type TraceProvider = OpenTelemetryProvider | ZipkinProvider;

/** `config.trace.v3.OpenTelemetryConfig` */
export interface OpenTelemetryProvider {
  readonly kind: 'opentelemetry';
  readonly name: string;
  readonly service: TelemetryService;
  /** `service.name`; empty takes OTEL_SERVICE_NAME, then the node's cluster, then `unknown_service:outrigger`. */
  readonly serviceName: string;
  readonly resource: TelemetryResource;
  /** Decides in place of the percentages of connection managers and routes. */
  readonly sampler?: TraceSampler;
  /** Spans that may wait; Envoy's default is 1024. */
  readonly maxQueuedSpans: number;
}

/** Samplers of `extensions.tracers.opentelemetry.samplers.v3`. */
export interface TraceSampler {
  /** `parent_based`: the caller's choice counts where it has made one. Otherwise it does not, as in Envoy. */
  readonly followsParent: boolean;
  /** Of the others, 0 to 1: 1 is `always_on`, less is `trace_id_ratio_based`. */
  readonly probability: number;
}

/** `config.trace.v3.ZipkinConfig` */
export interface ZipkinProvider {
  readonly kind: 'zipkin';
  readonly name: string;
  readonly service: TelemetryService;
  readonly encoding: 'json' | 'protobuf';
  readonly traceId128Bit: boolean;
  /** Our span takes the client's id in place of one of its own. Envoy's default. */
  readonly sharedSpanContext: boolean;
  /** `USE_B3_WITH_W3C_PROPAGATION` */
  readonly alsoW3c: boolean;
}
