// The one bootstrap that Envoy and outrigger both run, byte for byte. Switches of the bare profile follow Envoy's own
// advice: https://www.envoyproxy.io/docs/envoy/latest/faq/performance/how_to_benchmark_envoy
import { type PeerSetup, type TelemetrySetup, type TlsSetup, virtualHostDomain } from './peer.ts';
import { spiffeId, type TlsFiles, type TlsIdentityFiles } from './tls-files.ts';

// Thresholds have no off switch; Envoy's FAQ "disable_circuit_breaking" gives this number.
const NO_LIMIT = 1_000_000_000;
const MESH_ROUTES = 20;

const TYPE = 'type.googleapis.com/envoy.extensions';
const ROUTER = `${TYPE}.filters.http.router.v3.Router`;
const CONNECTION_MANAGER = `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const TCP_PROXY = `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`;
const HTTP_PROTOCOL_OPTIONS = `${TYPE}.upstreams.http.v3.HttpProtocolOptions`;
const FILE_ACCESS_LOG = `${TYPE}.access_loggers.file.v3.FileAccessLog`;
const OPENTELEMETRY = 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig';
const PAYMENT = 'payment';
const COLLECTOR = 'collector';

export function envoyBootstrap(setup: PeerSetup): object {
  if (setup.controlPlanePort !== undefined) return dynamicBootstrap(setup, setup.controlPlanePort);
  const indexes = Array.from({ length: setup.clusters }, (_, index) => index);
  return {
    admin: { address: address(setup.adminPort) },
    static_resources: {
      listeners: [
        listener(
          'http',
          setup.httpPort,
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: connectionManager(setup, indexes),
          },
          downstreamTls(setup.tls),
        ),
        listener('tcp', setup.tcpPort, {
          name: 'envoy.filters.network.tcp_proxy',
          typed_config: { '@type': TCP_PROXY, stat_prefix: 'tcp', cluster: clusterName(0) },
        }),
      ],
      clusters: [
        ...indexes.map((index) => ({
          ...cluster(clusterName(index), setup.originPort),
          ...upstreamTls(setup.tls),
        })),
        ...(setup.telemetry === undefined ? [] : tracedClusters(setup.telemetry, setup.originPort)),
      ],
    },
  };
}

// What Istio's agent writes: one delta stream for all types, over HTTP/2 without TLS.
function dynamicBootstrap(setup: PeerSetup, controlPlanePort: number): object {
  const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '60s' };
  return {
    node: { id: 'bench', cluster: 'bench' },
    admin: { address: address(setup.adminPort) },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control-plane' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: { clusters: [controlPlaneCluster(controlPlanePort)] },
  };
}

function controlPlaneCluster(port: number): object {
  const http2 = { '@type': HTTP_PROTOCOL_OPTIONS, explicit_http_config: { http2_protocol_options: {} } };
  return {
    name: 'control-plane',
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': http2 },
    load_assignment: {
      cluster_name: 'control-plane',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function connectionManager(setup: PeerSetup, indexes: readonly number[]): object {
  const mesh = setup.profile === 'mesh';
  const router = { '@type': ROUTER, dynamic_stats: mesh, suppress_envoy_headers: !mesh };
  return {
    '@type': CONNECTION_MANAGER,
    stat_prefix: 'ingress',
    codec_type: 'HTTP1',
    // Envoy chooses traces by request id.
    generate_request_id: mesh || setup.telemetry !== undefined,
    route_config: {
      name: 'local',
      virtual_hosts: indexes.map((index) => ({
        name: `virtual-host-${index}`,
        domains: [setup.clusters === 1 ? '*' : virtualHostDomain(index)],
        ...(mesh
          ? meshRoutes(index)
          : { routes: [...paymentRoute(setup), { match: { prefix: '/' }, route: { cluster: clusterName(index) } }] }),
      })),
    },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: router }],
    ...(setup.telemetry === undefined ? {} : tracing(setup.telemetry)),
    ...(mesh ? { access_log: [fileAccessLog(setup.directory)] } : {}),
  };
}

// A service whose traces weigh more.
function paymentRoute({ telemetry }: PeerSetup): readonly object[] {
  return telemetry === undefined ? [] : [{ match: { prefix: '/payment' }, route: { cluster: PAYMENT } }];
}

function tracedClusters({ collectorPort }: TelemetrySetup, originPort: number): readonly object[] {
  return [cluster(PAYMENT, originPort), cluster(COLLECTOR, collectorPort)];
}

function tracing({ collectorPort, percent }: TelemetrySetup): object {
  if (percent === null) return {};
  const uri = `http://127.0.0.1:${collectorPort}/v1/traces`;
  const provider = {
    name: 'envoy.tracers.opentelemetry',
    typed_config: {
      '@type': OPENTELEMETRY,
      service_name: 'bench',
      http_service: { http_uri: { uri, cluster: COLLECTOR, timeout: '1s' } },
    },
  };
  return { tracing: { random_sampling: { value: percent }, provider } };
}

// Requests of the suites match the last route only: every one of the twenty is looked at.
function meshRoutes(index: number): object {
  const route = {
    cluster: clusterName(index),
    retry_policy: { retry_on: '5xx,connect-failure,reset', num_retries: 2 },
  };
  const others = Array.from({ length: MESH_ROUTES - 1 }, (_, number) => ({
    match: { prefix: `/route-${number}/` },
    route,
  }));
  return {
    routes: [
      ...others,
      { match: { prefix: '/' }, route, response_headers_to_add: [header('x-mesh-route', 'default')] },
    ],
    request_headers_to_add: [header('x-mesh-source', 'bench'), header('x-mesh-protocol', '%PROTOCOL%')],
    request_headers_to_remove: ['x-internal'],
    response_headers_to_add: [header('x-mesh-via', 'sidecar')],
    response_headers_to_remove: ['x-powered-by'],
  };
}

function header(key: string, value: string): object {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

function fileAccessLog(directory: string): object {
  return {
    name: 'envoy.access_loggers.file',
    typed_config: { '@type': FILE_ACCESS_LOG, path: `${directory}/access.log` },
  };
}

function listener(name: string, port: number, filter: object, tls: object = {}): object {
  return { name, address: address(port), filter_chains: [{ filters: [filter], ...tls }] };
}

// As an Istio sidecar: own certificate, the peer's by roots and SPIFFE id.
function downstreamTls(tls: TlsSetup | undefined): object {
  if (tls === undefined || tls.downstream === 'none') return {};
  const { files, downstream } = tls;
  const isMutual = downstream === 'mutual';
  const validation = isMutual ? { validation_context: validationContext(files, 'client') } : {};
  return transportSocket('DownstreamTlsContext', {
    common_tls_context: { ...tlsCertificates(files.server), ...validation },
    require_client_certificate: isMutual,
  });
}

function upstreamTls(tls: TlsSetup | undefined): object {
  if (tls === undefined || tls.upstream === 'none') return {};
  const { files } = tls;
  return transportSocket('UpstreamTlsContext', {
    common_tls_context: {
      ...tlsCertificates(files.client),
      // Envoy's clients offer TLS 1.2 at most unless told.
      tls_params: { tls_maximum_protocol_version: 'TLSv1_3' },
      validation_context: validationContext(files, 'server'),
    },
    sni: 'server.bench',
  });
}

function tlsCertificates({ certificate, key }: TlsIdentityFiles): object {
  const pair = { certificate_chain: { filename: certificate }, private_key: { filename: key } };
  return { tls_certificates: [pair] };
}

function validationContext({ roots }: TlsFiles, peer: string): object {
  const names = [{ san_type: 'URI', matcher: { exact: spiffeId(peer) } }];
  return { trusted_ca: { filename: roots }, match_typed_subject_alt_names: names };
}

function transportSocket(type: string, context: object): object {
  const config = { '@type': `${TYPE}.transport_sockets.tls.v3.${type}`, ...context };
  return { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: config } };
}

function cluster(name: string, port: number): object {
  const limits = {
    max_connections: NO_LIMIT,
    max_pending_requests: NO_LIMIT,
    max_requests: NO_LIMIT,
    max_retries: NO_LIMIT,
  };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    circuit_breakers: {
      thresholds: [
        { priority: 'DEFAULT', ...limits },
        { priority: 'HIGH', ...limits },
      ],
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function clusterName(index: number): string {
  return `origin-${index}`;
}
