import t from 'tap';
import { decodeDiscovery } from '../../../xds/decode/discovery.ts';
import type { Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const discovery = (fields: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, ${fields}}`, (message: Cluster, problems) =>
    decodeDiscovery(message, problems),
  );
const members = (...addresses: readonly string[]) => {
  const endpoints = addresses.map(
    (address) => `{endpoint: {address: {socket_address: {address: ${address}, port_value: 80}}}}`,
  );
  return `load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [${endpoints.join(', ')}]}]}`;
};
const place = 'load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address';

t.test('a cluster without a type is static, and static means literal addresses', async (t) => {
  const localities = onlyItems({ endpoints: onlyItems({ address: { kind: 'ip', ip: '127.0.0.1' } }) });
  t.match(discovery(members('127.0.0.1')).value, { kind: 'static', assignment: { localities } });
  t.same(discovery(members('a.example')).problems, [
    `${place}: "a.example" is not a literal IP address; use type STRICT_DNS or LOGICAL_DNS`,
  ]);
});

t.test('DNS clusters have the defaults', async (t) => {
  const { value } = discovery(`type: STRICT_DNS, ${members('a.example', 'b.example')}`);
  t.match(value, { kind: 'strict-dns' });
  t.same(value?.kind === 'strict-dns' && value.dns, {
    family: 'auto',
    refreshRateMs: 5000,
    respectTtl: false,
    failureRefreshBaseMs: 5000,
    failureRefreshMaxMs: 5000,
    jitterMs: 0,
    resolvers: [],
  });
});

t.test('what a DNS cluster sets', async (t) => {
  const dns = (fields: string) => discovery(`type: STRICT_DNS, ${members('a.example')}, ${fields}`);
  t.match(dns('dns_lookup_family: V4_PREFERRED, dns_refresh_rate: 1s, respect_dns_ttl: true, dns_jitter: 2s').value, {
    dns: { family: 'v4-preferred', refreshRateMs: 1000, respectTtl: true, jitterMs: 2000 },
  });
  t.match(dns('dns_failure_refresh_rate: {base_interval: 2s}').value, {
    dns: { failureRefreshBaseMs: 2000, failureRefreshMaxMs: 20_000 },
  });
  t.same(dns('dns_failure_refresh_rate: {base_interval: 2s, max_interval: 1s}').problems, [
    'dns_failure_refresh_rate.max_interval: must not be less than base_interval',
  ]);
});

t.test('resolvers of the newest place win, and are IP addresses', async (t) => {
  const ip = (address: string) => `{socket_address: {address: ${address}, port_value: 53}}`;
  const typed = (type: string, fields: string) =>
    `typed_dns_resolver_config: {name: r, typed_config: {"@type": a/envoy.extensions.network.dns_resolver.${type}, ${fields}}}`;
  const resolvers = (fields: string) => {
    const { value, problems } = discovery(`type: STRICT_DNS, ${members('a.example')}, ${fields}`);
    return { ips: value?.kind === 'strict-dns' ? value.dns.resolvers : null, problems };
  };
  t.match(resolvers(`dns_resolvers: [${ip('10.0.0.1')}]`).ips, onlyItems({ ip: '10.0.0.1', port: 53 }));
  t.match(
    resolvers(`dns_resolvers: [${ip('10.0.0.1')}], dns_resolution_config: {resolvers: [${ip('10.0.0.2')}]}`).ips,
    onlyItems({ ip: '10.0.0.2' }),
  );
  const cares = typed('cares.v3.CaresDnsResolverConfig', `resolvers: [${ip('10.0.0.3')}]`);
  t.match(
    resolvers(`dns_resolution_config: {resolvers: [${ip('10.0.0.2')}]}, ${cares}`).ips,
    onlyItems({ ip: '10.0.0.3' }),
  );
  t.same(resolvers(typed('getaddrinfo.v3.GetAddrInfoDnsResolverConfig', '')).ips, []);
  t.same(resolvers('dns_resolvers: [{pipe: {path: /run/dns}}]').problems, [
    'dns_resolvers[0].pipe: a DNS resolver is reached by an IP address',
  ]);
  t.match(
    resolvers(typed('apple.v3.AppleDnsResolverConfig', '')).problems[0],
    /typed_config: DNS resolver .* not supp/,
  );
});

t.test('LOGICAL_DNS is one name', async (t) => {
  const problem = 'load_assignment: a LOGICAL_DNS cluster needs exactly one locality with one endpoint';
  t.match(discovery(`type: LOGICAL_DNS, ${members('a.example')}`), {
    value: { kind: 'logical-dns' },
    problems: noItems,
  });
  t.same(discovery(`type: LOGICAL_DNS, ${members('a.example', 'b.example')}`).problems, [problem]);
  t.same(discovery('type: LOGICAL_DNS').problems, [problem]);
});

t.test('ORIGINAL_DST has no members', async (t) => {
  t.same(discovery('type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED').value, {
    kind: 'original-dst',
    cleanupIntervalMs: 5000,
    useHttpHeader: false,
    httpHeaderName: 'x-envoy-original-dst-host',
  });
  t.match(
    discovery(
      'type: ORIGINAL_DST, cleanup_interval: 1s, original_dst_lb_config: {use_http_header: true, http_header_name: X-To, upstream_port_override: 81}',
    ).value,
    { cleanupIntervalMs: 1000, useHttpHeader: true, httpHeaderName: 'x-to', portOverride: 81 },
  );
  t.match(discovery(`type: ORIGINAL_DST, ${members('127.0.0.1')}`).problems[0], /has no load_assignment/);
});

t.test('the members of an EDS cluster come from a source, under the name of the cluster or of a service', async (t) => {
  const eds = (config: string) => discovery(`type: EDS, eds_cluster_config: ${config}`);
  const ads = { kind: 'ads', initialFetchTimeoutMs: 15_000 };
  t.same(eds('{eds_config: {ads: {}}}'), { value: { kind: 'eds', serviceName: 'c', source: ads }, problems: [] });
  t.match(eds('{service_name: s, eds_config: {initial_fetch_timeout: 0s, ads: {}}}').value, {
    serviceName: 's',
    source: { initialFetchTimeoutMs: 0 },
  });
  t.match(eds('{eds_config: {path: /a.yaml}}').value, { source: { kind: 'path', path: '/a.yaml' } });
  const sourceOf = ({ value }: ReturnType<typeof eds>) => (value?.kind === 'eds' ? value.source : undefined);
  const [one, other] = ['a', 'b'].map((service) => sourceOf(eds(`{service_name: ${service}, eds_config: {ads: {}}}`)));
  t.equal(one, other, 'equal sources are one object');
});

t.test('an EDS cluster says where its members come from, and lists none', async (t) => {
  const missing = ['eds_cluster_config.eds_config: eds_config is required: it says where the members come from'];
  t.same(discovery('type: EDS'), { value: undefined, problems: missing });
  t.same(discovery('type: EDS, eds_cluster_config: {service_name: s}').problems, missing);
  t.same(discovery(`type: EDS, eds_cluster_config: {eds_config: {ads: {}}}, ${members('127.0.0.1')}`).problems, [
    'load_assignment: an EDS cluster has no load_assignment: its members come from eds_config',
  ]);
});
