// Places in a bootstrap where a case writes its YAML. Around it stands the least that Envoy accepts.

/** Takes one YAML flow mapping's fields, such as `a: 1, b: {c: 2}`; '' leaves the place as it is. */
export type Place = (fields: string) => string;

const types = 'type.googleapis.com/envoy.extensions';
const anyAddress = '{socket_address: {address: 127.0.0.1, port_value: 0}}';
const router = `{name: router, typed_config: {"@type": ${types}.filters.http.router.v3.Router}}`;
const more = (fields: string) => (fields === '' ? '' : `, ${fields}`);

/** The whole document, in any style. */
export const document: Place = (text) => text;

/** Fields beside `static_resources`. */
export const bootstrap: Place = (fields) => `{static_resources: {}${more(fields)}}`;

export const listener: Place = (fields) =>
  `{static_resources: {listeners: [{name: l, address: ${anyAddress}${more(fields)}}], clusters: [{name: c}]}}`;

/** The address of a listener that has a filter chain. */
export const listenerAddress: Place = (address) => listeners(`{name: l, address: ${address}}`);

/** Listeners, each with a filter chain put into it. */
export const listeners: Place = (mappings) => {
  const serving = mappings.replaceAll(/\{name: (\w)/g, `{filter_chains: [${chain('')}], name: $1`);
  return `{static_resources: {listeners: [${serving}], clusters: [{name: c}]}}`;
};

/** Fields of a listener that has a filter chain. */
export const servingListener: Place = (fields) => listener(`filter_chains: [${chain('')}]${more(fields)}`);

/** Fields of a listener, with filter chains by their matches alone. */
export const filterChains: Place = (matches) => listener(`filter_chains: [${matches}]`);

export const tcpProxy: Place = (fields) => {
  const config = `{"@type": ${types}.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t${more(fields)}}`;
  return listener(`filter_chains: [{filters: [{name: tcp, typed_config: ${config}}]}]`);
};

export const networkFilters: Place = (filters) => listener(`filter_chains: [{filters: [${filters}]}]`);

/** Fields of the connection manager beside a route configuration and the router. */
export const manager: Place = (fields) => bareManager(`route_config: {}, http_filters: [${router}]${more(fields)}`);

export const bareManager: Place = (fields) => {
  const type = `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`;
  return networkFilters(`{name: hcm, typed_config: {"@type": ${type}, stat_prefix: h${more(fields)}}}`);
};

export const routeConfiguration: Place = (fields) =>
  bareManager(`route_config: {${fields}}, http_filters: [${router}]`);

/** Fields of a virtual host beside its name and domains. */
export const virtualHost: Place = (fields) =>
  routeConfiguration(`virtual_hosts: [{name: v, domains: ["*"]${more(fields)}}]`);

export const route: Place = (fields) => virtualHost(`routes: [{${fields}}]`);
export const routeMatch: Place = (fields) => route(`match: {${fields}}, route: {cluster: c}`);
export const headerMatch: Place = (fields) => routeMatch(`prefix: /, headers: [{name: x${more(fields)}}]`);

/** Fields of a forwarding action to cluster `c`. */
export const forward: Place = (fields) => route(`match: {prefix: /}, route: {cluster: c${more(fields)}}`);
export const redirect: Place = (fields) => route(`match: {prefix: /}, redirect: {${fields}}`);
export const directResponse: Place = (fields) => route(`match: {prefix: /}, direct_response: {${fields}}`);

/** Fields of one `request_headers_to_add`. */
export const headerToAdd: Place = (fields) => virtualHost(`request_headers_to_add: [{${fields}}]`);

export const accessLog: Place = (fields) =>
  manager(
    `access_log: [{name: log, typed_config: {"@type": ${types}.access_loggers.stream.v3.StdoutAccessLog${more(fields)}}}]`,
  );
export const logText: Place = (text) =>
  accessLog(`log_format: {text_format_source: {inline_string: ${JSON.stringify(text)}}}`);
/** A formatter of a log, by the name of its type in `formatter`. */
export const formatter: Place = (type) =>
  accessLog(
    `log_format: {text_format: "a", formatters: [{name: f, typed_config: {"@type": ${types}.formatter.${type}}}]}`,
  );
export const logFilter: Place = (fields) =>
  manager(
    `access_log: [{name: log, filter: {${fields}}, typed_config: {"@type": ${types}.access_loggers.stream.v3.StdoutAccessLog}}]`,
  );

/** The same bootstrap with clusters that telemetry is sent to: `g` for gRPC, `h` for HTTP. */
function withCollectors(text: string): string {
  const members = (name: string) =>
    `load_assignment: {cluster_name: ${name}, endpoints: [{lb_endpoints: [{endpoint: {address: ${anyEndpoint}}}]}]}`;
  const collectors = `{name: g, ${members('g')}}, {name: h, ${members('h')}}`;
  const withC = text.replace('clusters: [{name: c}]', `clusters: [{name: c}, ${collectors}]`);
  return withC.replace('static_resources: {}', `static_resources: {clusters: [${collectors}]}`);
}

export const tracing: Place = (fields) => withCollectors(manager(`tracing: {${fields}}`));
export const routeTracing: Place = (fields) => withCollectors(forward('').replace('match:', `${fields}, match:`));

/** A trace provider by the name of its type and its fields, such as `ZipkinConfig, collector_cluster: c`. */
export const traceProvider: Place = (fields) =>
  tracing(`provider: {name: p, typed_config: {"@type": type.googleapis.com/envoy.config.trace.v3.${fields}}}`);
export const openTelemetryTracer: Place = (fields) => traceProvider(`OpenTelemetryConfig${more(fields)}`);
export const otlpHttpTracer: Place = (fields) =>
  openTelemetryTracer(`http_service: {http_uri: {uri: "http://h/v1/traces", cluster: h, timeout: 1s}${more(fields)}}`);

/** By the name of its type in `opentelemetry.samplers.v3`, and its fields. */
export const traceSampler: Place = (fields) =>
  openTelemetryTracer(
    `grpc_service: {envoy_grpc: {cluster_name: g}}, sampler: {name: s, typed_config: {"@type": ${types}.tracers.opentelemetry.samplers.v3.${fields}}}`,
  );

/** Fields of Zipkin beside its version. */
export const zipkinTracer: Place = (fields) =>
  traceProvider(`ZipkinConfig, collector_endpoint_version: HTTP_JSON${more(fields)}`);
export const customTag: Place = (fields) => tracing(`custom_tags: [{tag: a${more(fields)}}]`);

/** Fields beside `static_resources` with `g` and `h`. */
export const telemetry: Place = (fields) => withCollectors(bootstrap(fields));
export const statsSink: Place = (fields) =>
  telemetry(
    `stats_sinks: [{name: s, typed_config: {"@type": ${types}.stat_sinks.open_telemetry.v3.SinkConfig${more(fields)}}}]`,
  );

/** Fields of the `common_config` of a gRPC access log beside its name. */
export const grpcLog: Place = (fields) =>
  collectedLog(`grpc.v3.HttpGrpcAccessLogConfig, common_config: {log_name: access${more(fields)}}`);
export const recordLog: Place = (fields) =>
  collectedLog(`open_telemetry.v3.OpenTelemetryAccessLogConfig${more(fields)}`);

/** A logger by the name of its type in `access_loggers`, and its fields. */
export const collectedLog: Place = (fields) =>
  withCollectors(manager(`access_log: [{name: log, typed_config: {"@type": ${types}.access_loggers.${fields}}}]`));
export const collectedTcpLog: Place = (fields) =>
  withCollectors(
    tcpProxy(`cluster: c, access_log: [{name: log, typed_config: {"@type": ${types}.access_loggers.${fields}}}]`),
  );

/** Fields of a cluster beside its name. */
export const cluster: Place = (fields) => `{static_resources: {clusters: [{name: c${more(fields)}}]}}`;

/** The only policy of a cluster, by the name of its type in `load_balancing_policies`, and its fields. */
export const balancingPolicy: Place = (fields) => {
  const type = `${types}.load_balancing_policies.${fields}`;
  return cluster(
    `load_balancing_policy: {policies: [{typed_extension_config: {name: lb, typed_config: {"@type": ${type}}}}]}`,
  );
};

export const upstreamHttp: Place = (fields) => {
  const type = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return cluster(`typed_extension_protocol_options: {${type}: {"@type": type.googleapis.com/${type}${more(fields)}}}`);
};

/** Fields of an endpoint group of a static cluster. */
export const locality: Place = (fields) =>
  cluster(`type: STATIC, load_assignment: {cluster_name: c, endpoints: [{${fields}}]}`);

export const endpoint: Place = (fields) =>
  locality(`lb_endpoints: [{endpoint: {address: ${anyEndpoint}}${more(fields)}}]`);

const anyEndpoint = '{socket_address: {address: 127.0.0.1, port_value: 80}}';

export function chain(fields: string): string {
  const config = `{"@type": ${types}.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}`;
  return `{filters: [{name: tcp, typed_config: ${config}}]${more(fields)}}`;
}
