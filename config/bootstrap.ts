// What a process is started with (`config.bootstrap.v3.Bootstrap`), after the file was decoded and found right.

import type { LineLog } from './access-log.ts';
import type { Address } from './address.ts';
import type { Cluster, SourceAddress } from './cluster.ts';
import type { ConfigSource, GrpcApi, GrpcCluster } from './config-source.ts';
import type { Locality } from './endpoint.ts';
import type { Listener } from './listener.ts';
import type { StringMatcher } from './matcher.ts';
import type { TelemetryResource, TelemetryService } from './telemetry-service.ts';
import type { TraceProvider } from './tracing.ts';
import type { WrittenSecret } from './written-secret.ts';

export interface Bootstrap {
  readonly node: Node;
  readonly admin?: Admin;
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
  /** Static clusters that `envoy_grpc` names; requests cannot be sent to them. */
  readonly grpcClusters: ReadonlyMap<string, GrpcCluster>;
  /** `static_resources.secrets`, by name. */
  readonly secrets: ReadonlyMap<string, WrittenSecret>;
  readonly dynamicResources: DynamicResources;
  /** Source address of clusters without one of their own (`cluster_manager.upstream_bind_config`). */
  readonly defaultBindAddress?: SourceAddress;
  /** Flattened `layered_runtime`: later layers win. */
  readonly runtime: ReadonlyMap<string, string | number | boolean>;
  /** Keys of each layer, for `/runtime`. */
  readonly runtimeLayers: readonly RuntimeLayer[];
  readonly stats: StatsOptions;
  /** Of connection managers that trace and name none (`tracing.http`). */
  readonly traceProvider?: TraceProvider;
  /** The process was started with uWebSockets.js (`--engine`), so that listeners may ask for it. */
  readonly offersUws?: boolean;
  /** Open downstream connections over all listeners; undefined is no limit. */
  readonly maxDownstreamConnections?: number;
}

/** `dynamic_resources`; empty without a control plane. */
export interface DynamicResources {
  readonly ads?: GrpcApi;
  readonly clusters?: ConfigSource;
  readonly listeners?: ConfigSource;
}

export interface Node {
  readonly id: string;
  readonly cluster: string;
  readonly locality: Locality;
  readonly metadata: { readonly [key: string]: unknown };
  /** The whole node as it is sent to a control plane: `config.core.v3.Node` in proto3 JSON. */
  readonly wire: { readonly [key: string]: unknown };
}

export interface Admin {
  readonly address: Address;
  /** Of a path with its query one must match; absent allows all. */
  readonly allowedPaths?: readonly StringMatcher[];
  /** Absent: its requests are not logged. */
  readonly accessLogs?: readonly LineLog[];
}

export interface RuntimeLayer {
  readonly name: string;
  /** Static, the admin layer that `POST /runtime_modify` changes, or one that a control plane sends. */
  readonly kind: 'static' | 'admin' | 'rtds';
  /** Of a layer that a control plane sends: the name of its resource, and where it comes from. */
  readonly resource?: string;
  readonly source?: ConfigSource;
  readonly values: ReadonlyMap<string, string | number | boolean>;
}

export interface StatsOptions {
  /** Upper bounds of Prometheus buckets by stat prefix; empty means Envoy's default buckets. */
  readonly histogramBuckets: readonly { readonly prefix: string; readonly bounds: readonly number[] }[];
  readonly matcher: StatsMatcher;
  /** Undefined: the labels of metrics are those of Envoy's default tags. */
  readonly tags?: StatsTags;
  readonly sinks: readonly StatsSink[];
  /** Between two exports to the sinks. Envoy's default is 5 s. */
  readonly flushIntervalMs: number;
}

/** What is taken out of the names of Envoy's statistics as labels of metrics. */
export interface StatsTags {
  readonly hasDefaults: boolean;
  /** In order. The first group of a pattern is taken out of the name; the value is the second, or else the first. With flag `d`. */
  readonly rules: readonly StatsTag[];
}

export type StatsTag = { readonly name: string } & ({ readonly pattern: RegExp } | { readonly value: string });

/** Which of Envoy's statistics there are to see, by their names with all that tags are made of: `cluster.a.upstream_rq_total`. */
export type StatsMatcher =
  | { readonly kind: 'all' | 'none' }
  /** Those that match one of the patterns, or those that match none. */
  | { readonly kind: 'inclusion' | 'exclusion'; readonly patterns: readonly StringMatcher[] };

/** `stat_sinks.open_telemetry.v3.SinkConfig`: metrics that are sent to a collector. */
export interface StatsSink {
  readonly service: TelemetryService;
  readonly resource: TelemetryResource;
  /** What was counted since the last export, rather than since the start. */
  readonly countersAsDeltas: boolean;
  readonly histogramsAsDeltas: boolean;
  /** What names hold, such as that of a cluster, is sent as attributes. */
  readonly tagsAsAttributes: boolean;
  /** … and left out of the names. */
  readonly usesTagExtractedNames: boolean;
  /** In front of every name, with a dot in between; empty is none. */
  readonly prefix: string;
  /** 0 is no limit. */
  readonly maxDataPointsPerRequest: number;
}
