import t from 'tap';
import { decodeBindConfig, decodeCluster } from '../../../xds/decode/cluster.ts';
import type { BindConfig, Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noFields, noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const defaultBind = { kind: 'ip', ip: '127.0.0.9', port: 0 } as const;
const cluster = (fields: string, bind?: typeof defaultBind) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, ${fields}}`, (message: Cluster, problems) =>
    decodeCluster(message, bind, problems),
  );
const limits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  trackRemaining: false,
};

t.test('a cluster has the defaults', async (t) => {
  const { value, problems } = cluster('');
  t.same(problems, []);
  t.match(value, {
    name: 'c',
    statName: 'c',
    discovery: { kind: 'static' },
    connectTimeoutMs: 5000,
    perConnectionBufferLimitBytes: 1_048_576,
    loadBalancer: { policy: { kind: 'round-robin' }, localityWeighted: false, healthyPanicThresholdPercent: 50 },
    circuitBreakers: { default: limits, high: limits },
    metadata: noFields,
  });
  t.notOk('keepAlive' in value! || 'bindAddress' in value!);
});

t.test('what a cluster sets', async (t) => {
  t.match(
    cluster(
      'alt_stat_name: s, connect_timeout: 1.5s, per_connection_buffer_limit_bytes: 9, metadata: {filter_metadata: {n: {k: v}}}, upstream_connection_options: {tcp_keepalive: {keepalive_time: 5}}',
    ).value,
    {
      statName: 's',
      connectTimeoutMs: 1500,
      perConnectionBufferLimitBytes: 9,
      metadata: { n: { k: 'v' } },
      keepAlive: { timeSeconds: 5 },
    },
  );
});

t.test('balancers', async (t) => {
  const policy = (fields: string) => cluster(fields).value?.loadBalancer.policy;
  t.same(policy('lb_policy: RANDOM'), { kind: 'random' });
  t.same(policy('lb_policy: LEAST_REQUEST'), { kind: 'least-request', choiceCount: 2, activeRequestBias: 1 });
  t.same(
    policy(
      'lb_policy: LEAST_REQUEST, least_request_lb_config: {choice_count: 4, active_request_bias: {default_value: 0, runtime_key: k}}',
    ),
    { kind: 'least-request', choiceCount: 4, activeRequestBias: 0 },
  );
  t.same(policy('type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED'), { kind: 'cluster-provided' });
  t.match(cluster('common_lb_config: {locality_weighted_lb_config: {}, healthy_panic_threshold: {}}').value, {
    loadBalancer: { localityWeighted: true, healthyPanicThresholdPercent: 0 },
  });
});

t.test('limits by priority', async (t) => {
  const thresholds =
    '{max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4, track_remaining: true}, {priority: HIGH, max_connections: 5}';
  t.same(cluster(`circuit_breakers: {thresholds: [${thresholds}]}`).value?.circuitBreakers, {
    default: { maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4, trackRemaining: true },
    high: { ...limits, maxConnections: 5 },
  });
});

t.test('retries may be a share of the requests', async (t) => {
  const budget = (fields: string) => {
    const { value, problems } = cluster(`circuit_breakers: {thresholds: [{retry_budget: ${fields}}]}`);
    return problems.length > 0 ? problems : value?.circuitBreakers.default.retryBudget;
  };
  t.same(budget('{}'), { percent: 20, minConcurrency: 3 }, "Envoy's defaults");
  t.same(budget('{budget_percent: {value: 12.5}, min_retry_concurrency: 0}'), { percent: 12.5, minConcurrency: 0 });
  t.same(budget('{budget_percent: {}}'), { percent: 0, minConcurrency: 3 }, 'a percentage that says nothing');
  const place = 'circuit_breakers.thresholds[0].retry_budget';
  for (const [value, shown] of [
    ['101', '101'],
    ['-1', '-1'],
    ['.nan', 'NaN'],
  ] as const) {
    t.matchOnly(
      budget(`{budget_percent: {value: ${value}}}`),
      [new RegExp(`^${place.replace(/[[\].]/g, '\\$&')}.*${shown}`)],
      value,
    );
  }
  t.notOk('retryBudget' in cluster('circuit_breakers: {thresholds: [{}]}').value!.circuitBreakers.default);
});

t.test('a source address of its own wins over the one for all clusters', async (t) => {
  t.match(cluster('', defaultBind).value, { bindAddress: defaultBind });
  t.match(cluster('upstream_bind_config: {source_address: {address: 127.0.0.1, port_value: 0}}', defaultBind).value, {
    bindAddress: { ip: '127.0.0.1' },
  });
  const bind = (yaml: string) =>
    decodedAs('envoy.config.core.v3.BindConfig', yaml, (message: BindConfig, problems) =>
      decodeBindConfig(message, problems),
    );
  t.same(bind('{source_address: {address: a.example, port_value: 0}}').problems, [
    'source_address.address: "a.example" is not a literal IP address',
  ]);
});

t.test('a source address of the other IP version, as Istio sends to pods that have both', async (t) => {
  const bind = (extra: string) =>
    decodedAs(
      'envoy.config.core.v3.BindConfig',
      `{source_address: {address: 127.0.0.6, port_value: 0}, extra_source_addresses: [${extra}]}`,
      (message: BindConfig, problems) => decodeBindConfig(message, problems),
    );
  const six = '{address: {address: "::6", port_value: 0}}';
  t.same(bind(six).value, {
    ...{ kind: 'ip', ip: '127.0.0.6', port: 0 },
    otherFamily: { kind: 'ip', ip: '::6', port: 0 },
  });
  t.matchOnly(bind(`${six}, ${six}`).problems, [/^extra_source_addresses: more than one is not supported; write one/]);
  t.matchOnly(bind('{address: {address: 127.0.0.7, port_value: 0}}').problems, [
    /^extra_source_addresses\[0\]: 127\.0\.0\.7 is not supported; write an address of the IP version/,
  ]);
  t.matchOnly(bind('{address: {address: a.example, port_value: 0}}').problems, [
    /^extra_source_addresses\[0\]\.address\.address: "a\.example" is not a literal IP address/,
  ]);
});

t.test('problems', async (t) => {
  const pair =
    'lb_policy: a cluster of type ORIGINAL_DST needs lb_policy CLUSTER_PROVIDED, and no other cluster may have it';
  const rows: readonly [fields: string, problem: string][] = [
    ['lb_policy: CLUSTER_PROVIDED', pair],
    ['type: ORIGINAL_DST', pair],
    ['lb_policy: MAGLEV', 'lb_policy: MAGLEV is not supported; write ROUND_ROBIN, LEAST_REQUEST or RANDOM'],
    [
      'circuit_breakers: {thresholds: [{}, {}]}',
      'circuit_breakers.thresholds[1].priority: there are thresholds of priority DEFAULT already',
    ],
    ['connect_timeout: 0s', 'connect_timeout: must be more than 0s, got 0s'],
    ['health_checks: [{}]', 'health_checks: health_checks is not supported; active health checks are not offered yet'],
  ];
  for (const [fields, problem] of rows) t.same(cluster(fields).problems, [problem]);
});

t.test('connections to endpoints are plain, or as the sockets say', async (t) => {
  const tls =
    '{name: s, typed_config: {"@type": a/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: n}}';
  const plain = '{name: s, typed_config: {"@type": a/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}';
  t.match(cluster('').value, { transport: { kind: 'plain' }, transportMatches: noItems });
  t.match(cluster(`transport_socket: ${tls}`).value?.transport, { kind: 'tls', tls: { sni: 'n', autoSni: false } });
  const matches = `[{name: m, match: {tlsMode: istio}, transport_socket: ${tls}}, {name: n, match: {}, transport_socket: ${plain}}]`;
  t.match(
    cluster(`transport_socket_matches: ${matches}`).value?.transportMatches,
    onlyItems(
      { name: 'm', match: { tlsMode: 'istio' }, transport: { kind: 'tls', tls: { sni: 'n' } } },
      { name: 'n', match: noFields, transport: { kind: 'plain' } },
    ),
  );
});

t.test('the host of a request may be the name of an endpoint, in the newer spelling and the older', async (t) => {
  const socket =
    'transport_socket: {name: s, typed_config: {"@type": a/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}';
  const options = 'upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true}';
  const type = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const typed = (fields: string) =>
    `typed_extension_protocol_options: {${type}: {"@type": a/${type}, explicit_http_config: {http_protocol_options: {}}, ${fields}}}`;
  const names = { kind: 'tls', tls: { autoSni: true, autoSanValidation: true, autoHostSni: false } };
  t.match(cluster(`${socket}, ${options}`).value?.transport, names);
  t.match(cluster(`${socket}, ${typed(options)}`).value?.transport, names);
  t.matchOnly(cluster(`${typed('upstream_http_protocol_options: {auto_san_validation: true}')}`).problems, [
    /HttpProtocolOptions"\]\.upstream_http_protocol_options\.auto_san_validation: .* without auto_sni is not supported/,
  ]);
  t.matchOnly(cluster('upstream_http_protocol_options: {auto_sni: true, override_auto_sni_header: x}').problems, [
    /^upstream_http_protocol_options\.override_auto_sni_header: .* is not supported/,
  ]);
});
