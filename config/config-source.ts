// Where a resource comes from when it is not written in place (`config.core.v3.ConfigSource`).

import type { Address, HostAddress } from './address.ts';

export type ConfigSource = {
  /** How long a resource is waited for before those who need it go on without; 0 waits for ever. Envoy's default is 15 s. */
  readonly initialFetchTimeoutMs: number;
} & (
  | { readonly kind: 'ads' }
  /** A stream of its own for one type, such as `EndpointDiscoveryService`. */
  | { readonly kind: 'grpc'; readonly api: GrpcApi }
  /** A file with a `DiscoveryResponse`, read again when it is replaced, or when a file of `watchedDirectory` moves. */
  | { readonly kind: 'path'; readonly path: string; readonly watchedDirectory?: string }
);

/** `config.core.v3.ApiConfigSource` over gRPC. */
export interface GrpcApi {
  readonly protocol: 'delta' | 'state-of-the-world';
  readonly service: GrpcService;
  /** Otherwise every request carries the node. */
  readonly setNodeOnFirstMessageOnly: boolean;
}

/** `config.core.v3.GrpcService`: where a gRPC service is, and what goes along with each call. */
export interface GrpcService {
  readonly target: /** `envoy_grpc`: by the name of one of `Bootstrap.grpcClusters`. */
    | { readonly kind: 'cluster'; readonly cluster: string; readonly authority?: string }
    /** `google_grpc`: a target in gRPC's own naming. */
    | { readonly kind: 'uri'; readonly uri: string; readonly credentials: GrpcCredentials };
  readonly initialMetadata: readonly { readonly key: string; readonly value: string }[];
}

/** Secrets are read from files when a connection is made, and again for the next: tokens and certificates rotate. */
export interface GrpcCredentials {
  /** Undefined is a connection in clear text. */
  readonly tls?: GrpcTls;
  /** Bearer token of each call; whoever holds it is trusted. */
  readonly accessToken?: SecretText;
}

export interface GrpcTls {
  /** PEM; the system's when undefined. */
  readonly roots?: SecretText;
  readonly certificateChain?: SecretText;
  readonly privateKey?: SecretText;
  /** Name that is asked for (SNI), and that the certificate must be for when `subjectAltNames` is empty. */
  readonly sni?: string;
  /** One of these must be in the peer's certificate. */
  readonly subjectAltNames: readonly {
    readonly type: 'dns' | 'uri' | 'ip-address' | 'email';
    readonly value: string;
  }[];
}

export type SecretText =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly text: string }
  | { readonly kind: 'environment'; readonly variable: string };

/** A static cluster that is used for calls of our own, not for requests (HTTP/2, and TLS before requests have it). */
export interface GrpcCluster {
  readonly name: string;
  /** In the order in which they are tried. Names are resolved when a connection is made. */
  readonly endpoints: readonly (Address | HostAddress)[];
  readonly connectTimeoutMs: number;
  readonly tls?: GrpcTls;
  /** HTTP/2 keep-alive (`connection_keepalive`). */
  readonly keepAlive?: { readonly intervalMs: number; readonly timeoutMs: number };
}
