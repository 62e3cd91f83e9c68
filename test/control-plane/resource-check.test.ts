import t from 'tap';
import { problemText } from '../../control-plane/problem-text.ts';
import { readResourceFile } from '../../control-plane/resource-file.ts';
import { servedTypes } from '../../control-plane/served-type.ts';
import { resourcesOfText } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

const type = (shortName: string) => servedTypes.find((each) => each.shortName === shortName)!.typeUrl;
const problemsOf = (text: string) => readResourceFile('x.yaml', text).problems.map(problemText);

const tcp = (port: number) => `{filters: [{name: t, typed_config: {
  '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t,
  weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}}],
  filter_chain_match: {destination_port: ${port}}}`;
const at = (port: number) => `{socket_address: {address: 127.0.0.1, port_value: ${port}}}`;

t.test('a listener names the clusters of its filters, and the addresses that it binds', async (t) => {
  const listener = `'@type': ${type('lds')}\nname: l\naddress: ${at(1)}\nadditional_addresses: [{address: ${at(2)}}]
filter_chains: [${tcp(5)}]\n`;
  t.same(resourcesOfText(listener)[0]!.references, {
    clusters: ['a', 'b'],
    routes: [],
    addresses: ['127.0.0.1:1', '127.0.0.1:2'],
  });
  t.same(resourcesOfText(listener.replaceAll('_value: 2', '_value: 0'))[0]!.references.addresses, ['127.0.0.1:1']);
  t.same(resourcesOfText(`${listener}bind_to_port: false\n`)[0]!.references.addresses, []);
});

t.test('an EDS cluster names its assignment by its service name', async (t) => {
  const cluster = (config: string) => `{'@type': ${type('cds')}, name: c, type: EDS, eds_cluster_config: {${config}
    eds_config: {ads: {}, resource_api_version: V3}}}`;
  t.equal(resourcesOfText(cluster(''))[0]!.references.assignment, 'c');
  t.equal(resourcesOfText(cluster('service_name: s,'))[0]!.references.assignment, 's');
});

t.test('what a data plane has from a file of its own or another control plane is not named', async (t) => {
  const grpc = 'api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: other}}]';
  const routes =
    'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const router = `{name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}`;
  for (const source of ['path_config_source: {path: /of/the/data/plane}', `api_config_source: {${grpc}}`]) {
    const config = `{${source}, resource_api_version: V3}`;
    const [cluster] = resourcesOfText(
      `{'@type': ${type('cds')}, name: c, type: EDS, eds_cluster_config: {eds_config: ${config}}}`,
    );
    t.equal(cluster!.references.assignment, undefined, source);
    const manager = `{'@type': ${routes}, stat_prefix: s, rds: {route_config_name: n, config_source: ${config}}, http_filters: [${router}]}`;
    const chain = `{filters: [{name: http, typed_config: ${manager}}]}`;
    const [listener] = resourcesOfText(
      `{'@type': ${type('lds')}, name: l, address: ${at(1)}, filter_chains: [${chain}]}`,
    );
    t.same(listener!.references.routes, [], source);
  }
});

t.test('every type is checked as the data plane checks it', async (t) => {
  const wrong = {
    cds: 'name: x, type: EDS',
    eds: `cluster_name: x, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: n, port_value: 1}}}}]}]`,
    lds: 'name: x',
    rds: 'name: x, virtual_hosts: [{name: v, domains: []}]',
    vhds: 'name: x/v, domains: ["*"], routes: [{match: {prefix: /}}]',
    sds: 'name: x, tls_certificate: {private_keys: {}}',
    rtds: 'name: x, layer: []',
    ecds: 'name: x, typed_config: {}',
  };
  for (const [shortName, fields] of Object.entries(wrong)) {
    const problems = problemsOf(`{'@type': ${type(shortName)}, ${fields}}`);
    const places = shortName === 'lds' ? [/: address: /, /: filter_chains: /] : [/^x\.yaml:1: ./];
    t.matchOnly(problems, places, shortName);
  }
});

t.test('resources of the other types are served', async (t) => {
  const right = {
    vhds: 'name: r/v, domains: [a.example], routes: [{match: {prefix: /}, route: {cluster: c}}]',
    sds: 'name: s, tls_certificate: {certificate_chain: {filename: /of/the/data/plane}, private_key: {inline_string: k}}',
    rtds: 'name: r, layer: {a: 1}',
    ecds: "name: e, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}",
  };
  for (const [shortName, fields] of Object.entries(right)) {
    const text = `{'@type': ${type(shortName)}, ${fields}}`;
    t.same(problemsOf(text), [], shortName);
    t.match(resourcesOfText(text), onlyItems({ type: { shortName } }));
  }
});
