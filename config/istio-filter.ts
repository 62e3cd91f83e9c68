// Istio's filters: which protocols are offered to endpoints, what sidecars tell each other of themselves, and the metrics
// made of it. Their messages are in Istio's own packages.

/**
 * `istio.alpn`: what a TLS handshake with an endpoint offers, by the version of HTTP that is spoken to it, in place of what
 * the cluster says. Empty: the cluster's own.
 */
export interface AlpnOverride {
  readonly http11: readonly string[];
  readonly http2: readonly string[];
}

/** `istio.metadata_exchange` of HTTP, in `x-envoy-peer-metadata` and `x-envoy-peer-metadata-id`. */
export interface PeerMetadataExchange {
  /** The client's is read, and taken out of its requests. */
  readonly readsRequests: boolean;
  /** Ours goes out with responses to requests that brought the client's. */
  readonly answersRequests: boolean;
  /** Ours goes out with every request. */
  readonly sendsRequests: boolean;
  /** … but to clusters outside of the mesh. */
  readonly skipsExternalClusters: boolean;
  /** The endpoint's is read, and taken out of its responses. */
  readonly readsResponses: boolean;
  /** Labels that are told beside those that are always told. */
  readonly additionalLabels: readonly string[];
}

/**
 * `istio.metadata_exchange` of TCP: where TLS has agreed on `protocol`, both sides tell of themselves before their first byte.
 */
export interface TcpMetadataExchange {
  /** Of ALPN. */
  readonly protocol: string;
  /** As in `PeerMetadataExchange`. */
  readonly additionalLabels: readonly string[];
}

/** `istio.stats`, `stats.PluginConfig`. */
export interface IstioStats {
  /** Where nothing else says which service a request is for, its authority does. */
  readonly usesHostHeader: boolean;
  /** How often open TCP connections are counted. */
  readonly tcpReportingIntervalMs: number;
  /** By metric; those that are not here are as Istio has them. */
  readonly overrides: { readonly [Metric in IstioMetric]?: IstioMetricOverride };
}

/** Without the `istio_` in front. */
export type IstioMetric =
  | 'requests_total'
  | 'request_duration_milliseconds'
  | 'request_bytes'
  | 'response_bytes'
  | 'tcp_connections_opened_total'
  | 'tcp_connections_closed_total'
  | 'tcp_sent_bytes_total'
  | 'tcp_received_bytes_total';

export interface IstioMetricOverride {
  readonly isDropped: boolean;
  readonly removedTags: readonly string[];
  /** By name; one of Istio's own names takes its place. */
  readonly tags: { readonly [name: string]: IstioTagValue };
}

export type IstioTagValue =
  | { readonly kind: 'literal'; readonly text: string }
  /** Of the node's metadata: the path of a string in it. */
  | { readonly kind: 'node-metadata'; readonly path: readonly string[] }
  | { readonly kind: 'request'; readonly part: 'host' | 'method' };
