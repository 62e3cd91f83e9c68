// Pieces of the bootstraps that both proxies are started with, as Envoy's JSON.

export type Json = Readonly<Record<string, unknown>>;

const TYPES = 'type.googleapis.com/';
const HCM = `${TYPES}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const PRESERVE_CASE = `${TYPES}envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig`;

/** What each access log line holds; the client's address tells which case it belongs to. */
export const logFields: readonly string[] = [
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
  'START_TIME',
  'RESPONSE_CODE',
  'RESPONSE_FLAGS',
  'RESPONSE_FLAGS_LONG',
  'RESPONSE_CODE_DETAILS',
  'CONNECTION_TERMINATION_DETAILS',
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'PROTOCOL',
  'UPSTREAM_PROTOCOL',
  'UPSTREAM_CLUSTER',
  'UPSTREAM_HOST',
  'UPSTREAM_REQUEST_ATTEMPT_COUNT',
  'UPSTREAM_TRANSPORT_FAILURE_REASON',
  'ROUTE_NAME',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'REQ(:METHOD)',
  'REQ(:PATH)',
  'REQ(X-ENVOY-ORIGINAL-PATH)',
  'REQ(:AUTHORITY)',
  'REQ(:SCHEME)',
  'REQ(X-FORWARDED-FOR)',
  'REQ(X-REQUEST-ID)',
  'RESP(SERVER)',
  'RESP(CONTENT-TYPE)',
  'FILTER_CHAIN_NAME',
  'REQUESTED_SERVER_NAME',
];

export const accessLog: readonly Json[] = accessLogOf(logFields);

export function accessLogOf(fields: readonly string[]): readonly Json[] {
  const format = `${fields.map((field) => `%${field}%`).join('\t')}\n`;
  return [
    {
      name: 'envoy.access_loggers.file',
      typed_config: {
        '@type': `${TYPES}envoy.extensions.access_loggers.file.v3.FileAccessLog`,
        path: 'access.log',
        log_format: { text_format_source: { inline_string: format } },
      },
    },
  ];
}

const router: Json = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${TYPES}envoy.extensions.filters.http.router.v3.Router` },
};

/** Names keep their case: what Envoy does only when it is told to, and outrigger always. */
export const preserveCase: Json = {
  header_key_format: { stateful_formatter: { name: 'preserve_case', typed_config: { '@type': PRESERVE_CASE } } },
};

export function bootstrap(listeners: readonly Json[], clusters: readonly Json[], more: Json = {}): Json {
  return {
    admin: { address: { pipe: { path: 'admin.sock' } } },
    static_resources: { listeners, clusters },
    ...more,
  };
}

/** A listener on a port that the kernel gives; its stats are named after it. */
export function listener(name: string, filter: Json, more: Json = {}): Json {
  return {
    name,
    stat_prefix: name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [filter] }],
    ...more,
  };
}

/** A listener with an HTTP connection manager; `manager` wins over the defaults. */
export function httpListener(name: string, routes: Json, manager: Json = {}, more: Json = {}): Json {
  return listener(name, httpManager(name, routes, manager), more);
}

export function httpManager(name: string, routes: Json, manager: Json = {}): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': HCM,
      stat_prefix: name,
      route_config: routes,
      http_filters: [router],
      http_protocol_options: preserveCase,
      // Envoy keeps a connection that it ends for so long, waiting for the client to close first.
      delayed_close_timeout: '0.02s',
      access_log: accessLog,
      ...manager,
    },
  };
}

export function tcpListener(name: string, proxy: Json): Json {
  return listener(name, tcpProxy(name, proxy));
}

export function tcpProxy(name: string, proxy: Json): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${TYPES}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: name,
      access_log: accessLog,
      ...proxy,
    },
  };
}

/** One virtual host for every domain. */
export function routesOf(routes: readonly Json[], more: Json = {}): Json {
  return { name: 'routes', virtual_hosts: [{ name: 'all', domains: ['*'], routes }], ...more };
}

export function allTo(cluster: string, action: Json = {}): Json {
  return routesOf([{ name: 'all', match: { prefix: '/' }, route: { cluster, ...action } }]);
}

export function cluster(name: string, ports: readonly number[], more: Json = {}): Json {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: ports.map((port) => ({
            endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
          })),
        },
      ],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPES}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http_protocol_options: preserveCase },
      },
    },
    ...more,
  };
}
