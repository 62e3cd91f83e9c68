// The whole process under a control plane that sends virtual hosts apart from their route configuration (VHDS).

import { request } from 'node:http';
import t from 'tap';
import { DiscoveryServer } from '../../control-plane/discovery-server.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { resourcesOfText } from '../support/control-plane-fixtures.ts';
import { pause } from '../support/pause.ts';
import { startSidecar } from '../support/sidecar.ts';

t.setTimeout(900_000);

const prefix = 'type.googleapis.com';

function listener(): string {
  const filters = `${prefix}/envoy.extensions.filters`;
  const router = `{name: router, typed_config: {'@type': ${filters}.http.router.v3.Router}}`;
  const type = `${filters}.network.http_connection_manager.v3.HttpConnectionManager`;
  const rds = 'rds: {route_config_name: r, config_source: {ads: {}}}';
  const manager = `{name: web, typed_config: {'@type': ${type}, stat_prefix: s, ${rds}, http_filters: [${router}]}}`;
  const address = '{socket_address: {address: 127.0.0.1, port_value: 0}}';
  const chains = `filter_chains: [{filters: [${manager}]}]`;
  return `{'@type': ${prefix}/envoy.config.listener.v3.Listener, name: l, address: ${address}, ${chains}}`;
}

const routes = `{'@type': ${prefix}/envoy.config.route.v3.RouteConfiguration, name: r, vhds: {config_source: {ads: {}}}}`;

/** Answers with this text. */
function host(domain: string, text: string): string {
  const route = `{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: ${text}}}}`;
  const type = `${prefix}/envoy.config.route.v3.VirtualHost`;
  return `{'@type': ${type}, name: r/${domain}, domains: [${domain}], routes: [${route}]}`;
}

function bootstrapFor(port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const load_assignment = { cluster_name: 'xds', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  const grpc_services = [{ envoy_grpc: { cluster_name: 'xds' } }];
  return {
    node: { id: 'sidecar', cluster: 'tests' },
    dynamic_resources: {
      ads_config: { api_type: 'DELTA_GRPC', transport_api_version: 'V3', grpc_services },
      lds_config: { ads: {} },
    },
    static_resources: { clusters: [{ name: 'xds', type: 'STATIC', http2_protocol_options: {}, load_assignment }] },
  };
}

function ask(port: number, authority: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: authority };
    const sent = request({ host: '127.0.0.1', port, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.once('end', () => resolve(`${response.statusCode} ${body}`));
    });
    sent.once('error', reject).end();
  });
}

t.test('virtual hosts come, change and go while requests are answered', async (t) => {
  const cache = new SnapshotCache();
  const server = new DiscoveryServer({ cache, clock: Date.now, onRefusal: () => undefined });
  const port = await server.listen('127.0.0.1:0');
  t.teardown(() => server.close());
  const publish = (...hosts: readonly string[]) => {
    const resources = resourcesOfText(`resources: [${[listener(), routes, ...hosts].join(', ')}]`);
    cache.update(new Map([[everyNode, { resources }]]));
  };
  publish(host('a.example', 'first'));
  const flags = ['--no-config-cache', '--concurrency', '1'];
  const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(port), flags });
  const web = sidecar.port('l');
  t.equal(await ask(web, 'a.example'), '200 first');
  t.match(await ask(web, 'b.example'), /^404/);
  publish(host('a.example', 'second'), host('b.example', 'other'));
  while ((await ask(web, 'b.example')) !== '200 other') await pause();
  t.equal(await ask(web, 'a.example'), '200 second');
  publish(host('b.example', 'other'));
  while (!(await ask(web, 'a.example')).startsWith('404')) await pause();
  t.match(await sidecar.admin('/xds'), /route\.v3\.VirtualHost\n\s+subscribed to everything, holds 1\n/);
});
