// Where the calls of a gRPC service go: one peer for each endpoint, in the order in which they are tried.

import { type Address, formatAddress, grpcTarget, type HostAddress } from '../../config/address.ts';
import type { GrpcCluster, GrpcService, GrpcTls, SecretText } from '../../config/config-source.ts';

export interface GrpcPeer {
  /** In gRPC's own naming (https://github.com/grpc/grpc/blob/master/doc/naming.md). */
  readonly uri: string;
  /** For people. */
  readonly name: string;
  /** The host that its certificate must be for when nothing else was said. */
  readonly host: string;
  /** `:authority` of the calls; undefined lets gRPC derive it from `uri`. */
  readonly authority?: string;
  readonly connectTimeoutMs: number;
  readonly tls?: GrpcTls;
  readonly accessToken?: SecretText;
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number };
}

/** What Istio's agents use. Servers of Go close the connection of a client that asks more often than they allow. */
const defaultKeepAlive = { intervalMs: 30_000, timeoutMs: 10_000 };
/** Envoy's default of a cluster. */
const defaultConnectTimeoutMs = 5_000;

/** Throws when the service's cluster is not in `clusters`: that is checked when the configuration is read. */
export function peersOf({ target }: GrpcService, clusters: ReadonlyMap<string, GrpcCluster>): readonly GrpcPeer[] {
  if (target.kind === 'uri') {
    const { uri, credentials } = target;
    const host = hostOfUri(uri);
    return [
      { uri, name: uri, host, connectTimeoutMs: defaultConnectTimeoutMs, ...credentials, keepAlive: defaultKeepAlive },
    ];
  }
  const cluster = clusters.get(target.cluster);
  if (cluster === undefined) throw new Error(`there is no gRPC cluster ${target.cluster}`);
  return cluster.endpoints.map((address) => ({
    uri: grpcTarget(address),
    name: formatAddress(address),
    host: hostOf(address),
    // As Envoy: the name of the cluster, when nothing else is said.
    authority: target.authority ?? cluster.name,
    connectTimeoutMs: cluster.connectTimeoutMs,
    ...(cluster.tls && { tls: cluster.tls }),
    keepAlive: cluster.keepAlive ?? defaultKeepAlive,
  }));
}

function hostOf(address: Address | HostAddress): string {
  switch (address.kind) {
    case 'pipe':
      return 'localhost';
    case 'host':
      return address.hostname;
    case 'ip':
      return address.ip;
  }
}

/** `dns://resolver/host:port`, `dns:host:port`, `unix:path`, `host:port`, `[::1]:port`. */
function hostOfUri(uri: string): string {
  if (/^unix:/.test(uri)) return 'localhost';
  const endpoint = uri.replace(/^(?:dns|ipv4|ipv6):(?:\/\/[^/]*\/)?/, '');
  return /^\[([^\]]*)\]/.exec(endpoint)?.[1] ?? endpoint.replace(/:\d+$/, '');
}
