// The whole process under a control plane that sends configurations of filters apart from their listener (ECDS).

import { request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DiscoveryServer } from '../../control-plane/discovery-server.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { renameIntoPlace, resourcesOfText } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';
import { pause } from '../support/pause.ts';
import { startSidecar } from '../support/sidecar.ts';

// Three processes are started here, one after the other.
t.setTimeout(900_000);

const prefix = 'type.googleapis.com';
const managerType = `${prefix}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const routerType = `${prefix}/envoy.extensions.filters.http.router.v3.Router`;
const corsType = `${prefix}/envoy.extensions.filters.http.cors.v3.Cors`;
const router = `{name: router, typed_config: {'@type': ${routerType}}}`;

/** Answers with this text. */
function manager(text: string, filters = router): string {
  const route = `{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: ${text}}}}`;
  const routes = `route_config: {virtual_hosts: [{name: all, domains: ['*'], routes: [${route}]}]}`;
  return `{'@type': ${managerType}, stat_prefix: s, ${routes}, http_filters: [${filters}]}`;
}

function listener(filter: string): string {
  const type = `${prefix}/envoy.config.listener.v3.Listener`;
  const address = '{socket_address: {address: 127.0.0.1, port_value: 0}}';
  return `{'@type': ${type}, name: l, address: ${address}, filter_chains: [{filters: [${filter}]}]}`;
}

function extension(name: string, config: string): string {
  return `{'@type': ${prefix}/envoy.config.core.v3.TypedExtensionConfig, name: ${name}, typed_config: ${config}}`;
}

const discovered = (name: string, type: string, source = 'ads: {}') =>
  `{name: ${name}, config_discovery: {config_source: {${source}}, type_urls: [${type}]}}`;

async function startServer(t: Test) {
  const cache = new SnapshotCache();
  const { promise: refusal, resolve } = Promise.withResolvers<string>();
  const onRefusal = (_client: unknown, { text }: { readonly text: string }) => resolve(text);
  const server = new DiscoveryServer({ cache, clock: Date.now, onRefusal });
  const port = await server.listen('127.0.0.1:0');
  t.teardown(() => server.close());
  const publish = (...resources: readonly string[]) =>
    cache.update(new Map([[everyNode, { resources: resourcesOfText(`resources: [${resources.join(', ')}]`) }]]));
  return { port, publish, refusal };
}

function bootstrapFor(port: number, protocol: string): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const load_assignment = { cluster_name: 'xds', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  const grpc_services = [{ envoy_grpc: { cluster_name: 'xds' } }];
  return {
    node: { id: 'sidecar', cluster: 'tests' },
    dynamic_resources: {
      ads_config: { api_type: protocol, transport_api_version: 'V3', grpc_services },
      lds_config: { ads: {} },
    },
    static_resources: { clusters: [{ name: 'xds', type: 'STATIC', http2_protocol_options: {}, load_assignment }] },
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.once('end', () => resolve({ status: response.statusCode!, body }));
    });
    sent.once('error', reject).end();
  });
}

/** Asks until the answer is as wanted; every answer on the way is one of before or after. */
async function becomes(port: number, isWanted: (answer: Answer) => boolean): Promise<void> {
  while (!isWanted(await ask(port))) await pause();
}

const flags = ['--no-config-cache', '--concurrency', '1'];

for (const protocol of ['DELTA_GRPC', 'GRPC']) {
  t.test(`${protocol}: a network filter with all its routes comes apart, and changes`, async (t) => {
    const { port, publish, refusal } = await startServer(t);
    publish(listener(discovered('web', managerType)), extension('web', manager('first')));
    const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(port, protocol), flags });
    const web = sidecar.port('l');
    t.match(await ask(web), { status: 200, body: 'first' });
    publish(listener(discovered('web', managerType)), extension('web', manager('second')));
    await becomes(web, ({ body }) => body === 'second');

    publish(listener(discovered('web', managerType)), extension('web', `{'@type': ${routerType}}`));
    t.match(await refusal, /web: .*Router, but listener "l" allows .*HttpConnectionManager/);
    t.match(await ask(web), { status: 200, body: 'second' }, 'the last one serves');
    const dump = JSON.parse(await sidecar.admin('/config_dump?resource=ecds_filters'));
    t.match(
      dump.configs,
      onlyItems({
        ecds_filter: { name: 'web', typed_config: { stat_prefix: 's' } },
        error_state: { details: /allows/ },
      }),
    );
    t.equal(sidecar.port('l'), web);
  });
}

t.test('an HTTP filter of a file is waited for, and may come late', async (t) => {
  const { port, publish } = await startServer(t);
  const folder = t.testdir({});
  const file = (text: string) => renameIntoPlace(folder, 'cors.yaml', `resources: [${text}]`);
  const source = `path_config_source: {path: ${join(folder, 'cors.yaml')}}, initial_fetch_timeout: 0.2s`;
  publish(
    listener(`{name: web, typed_config: ${manager('all', `${discovered('cors', corsType, source)}, ${router}`)}}`),
  );
  const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(port, 'DELTA_GRPC'), flags });
  const web = sidecar.port('l');
  t.match(await ask(web), { status: 500, body: '' }, 'it did not come: nothing gets past');
  file(extension('cors', `{'@type': ${corsType}}`));
  await becomes(web, ({ status }) => status === 200);
  t.match(await ask(web), { status: 200, body: 'all' });
});
