import t from 'tap';
import { decodeHttpConnectionManager } from '../../../xds/decode/http-connection-manager.ts';
import { decodePerFilterConfig } from '../../../xds/decode/per-filter-config.ts';
import type { HttpConnectionManager, VirtualHost } from '../../../xds/generated/messages.ts';
import { bootstrapProblems, decodedAs } from '../../support/config-fixtures.ts';

const typeName = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const router = '{name: r, typed_config: {"@type": a/envoy.extensions.filters.http.router.v3.Router}}';
const demand = (fields = '') =>
  `{name: d, typed_config: {"@type": a/envoy.extensions.filters.http.on_demand.v3.OnDemand, ${fields}}}`;
const managerYaml = (filters: string) =>
  `stat_prefix: s, route_config: {name: n, virtual_hosts: []}, http_filters: [${filters}, ${router}]`;
const decoded = (filters: string) => {
  const { value, problems } = decodedAs(
    typeName,
    `{${managerYaml(filters)}}`,
    (message: HttpConnectionManager, problems) => decodeHttpConnectionManager(message, problems),
  );
  return { onDemand: value?.onDemand, problems };
};

t.test('the filter is part of the connection manager', async (t) => {
  t.same(decoded(demand()), { onDemand: { name: 'd' }, problems: [] });
  t.same(decoded(demand('odcds: {source: {ads: {}}}')), {
    onDemand: { name: 'd', clusters: { timeoutMs: 5000 } },
    problems: [],
  });
  t.same(decoded(demand('odcds: {source: {ads: {}}, timeout: 2s}')).onDemand?.clusters, { timeoutMs: 2000 });
});

t.test('what it cannot do is refused by name', async (t) => {
  const path = 'http_filters[0].typed_config.odcds';
  t.matchOnly(decoded(demand('odcds: {source: {path_config_source: {path: /a}}}')).problems, [
    `${path}.source: clusters on demand from another source than ads`,
  ]);
  t.matchOnly(decoded(demand('odcds: {source: {ads: {}}, resources_locator: "xdstp://a"}')).problems, [
    `${path}.resources_locator: `,
  ]);
  t.matchOnly(decoded(demand('odcds: {}')).problems, [
    /source: source is required$/,
    /source: source is required: it says where clusters come from$/,
  ]);
  t.matchOnly(decoded(`${demand()}, ${demand()}`).problems, [/may be there once/]);
});

t.test('a route has its own', async (t) => {
  const own = (fields: string) =>
    decodedAs(
      'envoy.config.route.v3.VirtualHost',
      `{name: v, domains: ["*"], typed_per_filter_config: {d: {"@type": a/envoy.extensions.filters.http.on_demand.v3.PerRouteConfig, ${fields}}}}`,
      ({ typedPerFilterConfig }: VirtualHost, problems) => decodePerFilterConfig(typedPerFilterConfig, problems),
    ).value;
  t.same(own(''), { d: { disabled: false, onDemand: {} } });
  t.same(own('odcds: {source: {ads: {}}, timeout: 1s}'), {
    d: { disabled: false, onDemand: { clusters: { timeoutMs: 1000 } } },
  });
});

t.test('a static listener needs a control plane for it', async (t) => {
  const filter = `{name: h, typed_config: {"@type": a/${typeName}, ${managerYaml(demand('odcds: {source: {ads: {}}}'))}}}`;
  const address = '{socket_address: {address: 127.0.0.1, port_value: 0}}';
  const yaml = `static_resources: {listeners: [{name: l, address: ${address}, filter_chains: [{filters: [${filter}]}]}]}`;
  t.matchOnly(bootstrapProblems(yaml), [/http_filters: clusters on demand: there is no ads_config/]);
});
