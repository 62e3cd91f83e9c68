// A static cluster that calls of our own go to (`config.cluster.v3.Cluster`). It may have what clusters of requests do not
// have yet: HTTP/2, which gRPC is made of, and TLS.

import type { Address, HostAddress } from '../../config/address.ts';
import type { Discovery } from '../../config/cluster.ts';
import type { GrpcCluster } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  Cluster as ClusterMessage,
  Http2ProtocolOptions,
  HttpHttpProtocolOptions,
  UpstreamTlsContext,
} from '../generated/messages.ts';
import { decodeDiscovery } from './discovery.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { decodeGrpcTls } from './grpc-tls.ts';

/** Envoy's default. */
const defaultConnectTimeoutMs = 5_000;

/** Balancing, breakers and limits of a pool are without effect: there is one connection, to the first endpoint that answers. */
export function decodeGrpcCluster(message: ClusterMessage, problems: Problems): GrpcCluster | undefined {
  const discovery = decodeDiscovery(message, problems);
  const tls = decodeTls(message, problems.at('transport_socket'));
  const keepAlive = decodeKeepAlive(http2Options(message));
  if (message.transportSocketMatches?.some(({ transportSocket: each }) => !isPlain(each))) {
    problems
      .at('transport_socket_matches')
      .unsupported('TLS by endpoint of a cluster of calls', 'write transport_socket');
  }
  if (message.upstreamBindConfig !== undefined) {
    problems.at('upstream_bind_config').unsupported('a source address of calls to a control plane');
  }
  if (discovery === undefined) return undefined;
  return {
    name: message.name ?? '',
    endpoints: endpointsOf(discovery, problems),
    connectTimeoutMs: message.connectTimeout ?? defaultConnectTimeoutMs,
    ...given('tls', tls),
    ...given('keepAlive', keepAlive),
  };
}

/** Whether HTTP/2 is spoken to the cluster, in its newer or its older spelling. */
export function speaksHttp2(message: ClusterMessage): boolean {
  return http2Options(message) !== undefined;
}

const typedOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function http2Options(message: ClusterMessage): Http2ProtocolOptions | undefined {
  const typed = message.typedExtensionProtocolOptions?.[typedOptions]?.message as HttpHttpProtocolOptions | undefined;
  return typed?.explicitHttpConfig?.http2ProtocolOptions ?? message.http2ProtocolOptions;
}

/** Without an interval, pings are those that every call has. */
function decodeKeepAlive(options: Http2ProtocolOptions | undefined): GrpcCluster['keepAlive'] {
  const { interval: intervalMs, timeout: timeoutMs } = options?.connectionKeepalive ?? {};
  return intervalMs === undefined || timeoutMs === undefined ? undefined : { intervalMs, timeoutMs };
}

const rawBuffer = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const upstreamTls = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const transportSocket = { what: 'transport socket', known: [rawBuffer, upstreamTls] } as const;

function isPlain(socket: ClusterMessage['transportSocket']): boolean {
  return socket === undefined || socket.typedConfig?.typeName === rawBuffer;
}

function decodeTls({ transportSocket: socket }: ClusterMessage, problems: Problems): GrpcCluster['tls'] {
  if (socket === undefined || extensionType(socket, transportSocket, problems) !== upstreamTls) return undefined;
  return decodeGrpcTls(socket.typedConfig?.message as UpstreamTlsContext, problems.at('typed_config'));
}

function endpointsOf(discovery: Discovery, problems: Problems): readonly (Address | HostAddress)[] {
  if (discovery.kind === 'original-dst' || discovery.kind === 'eds') {
    problems.at('type').unsupported('this type for a cluster of calls', 'write STATIC, STRICT_DNS or LOGICAL_DNS');
    return [];
  }
  if (discovery.kind !== 'static' && discovery.dns.resolvers.length > 0) {
    problems.unsupported('a resolver of its own for a cluster of calls', "names are asked of the system's");
  }
  const localities = [...discovery.assignment.localities].sort((a, b) => a.priority - b.priority);
  const addresses = localities.flatMap(({ endpoints }) => endpoints.map(({ address }) => address));
  if (addresses.length === 0) problems.at('load_assignment').add('an endpoint is required: calls go there');
  return addresses;
}
