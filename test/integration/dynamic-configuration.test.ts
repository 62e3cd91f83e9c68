// The whole process under a control plane that serves a folder: what is written there is what requests meet.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { renameIntoPlace, writeFiles } from '../support/control-plane-fixtures.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { pause } from '../support/pause.ts';
import { startSidecar } from '../support/sidecar.ts';

// Seven processes are started here, one after the other.
t.setTimeout(900_000);

type Files = { readonly [path: string]: string };

async function startControlPlane(t: Test, files: Files, listen = '127.0.0.1:0') {
  const folder = join(t.testdir({}), 'served');
  writeFiles(folder, files);
  const flags = parseControlPlaneFlags(['--dir', folder, '--listen', listen]);
  const controlPlane = new ControlPlane(flags!, () => undefined);
  const { port } = await controlPlane.start();
  t.teardown(() => controlPlane.close());
  const write = (path: string, text: string): void => renameIntoPlace(folder, path, text);
  return { port, write, close: () => controlPlane.close() };
}

function bootstrapFor(controlPlanePort: number, protocol = 'DELTA_GRPC'): object {
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: controlPlanePort } } };
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: 'sidecar', cluster: 'tests' },
    dynamic_resources: {
      ads_config: {
        api_type: protocol,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control-plane' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'control-plane',
          type: 'STATIC',
          http2_protocol_options: {},
          load_assignment: {
            cluster_name: 'control-plane',
            endpoints: [{ lb_endpoints: [{ endpoint }] }],
          },
        },
      ],
    },
  };
}

// One worker: a test of configuration needs no more, and starts sooner.
const withoutCache = ['--no-config-cache', '--concurrency', '1'];

function ask(port: number, path = '/'): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.once('end', () => resolve({ status: response.statusCode!, body }));
    });
    sent.once('error', reject).end();
  });
}

/** Asks until the answer is as wanted: a change is served soon, and a test that waits in vain is ended by the runner. */
async function becomes(port: number, isWanted: (answer: { status: number; body: string }) => boolean): Promise<void> {
  while (!isWanted(await ask(port))) await pause();
}

function service(name: string, listenPort: number, endpointPort: number): string {
  return `service: ${name}\nlisten: 127.0.0.1:${listenPort}\nendpoints: [127.0.0.1:${endpointPort}]\n`;
}

for (const protocol of ['DELTA_GRPC', 'GRPC']) {
  t.test(`${protocol}: services of a folder are served, and follow its files`, async (t) => {
    const [first, second] = [await startNamedOrigin(t, 'first'), await startNamedOrigin(t, 'second')];
    const { port, write } = await startControlPlane(t, { 'shop.yaml': service('shop', 0, first) });
    const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(port, protocol), flags: withoutCache });
    const shop = sidecar.port('shop');
    t.match(await ask(shop), { status: 200, body: 'first' });

    write('shop.yaml', service('shop', 0, second));
    await becomes(shop, ({ body }) => body === 'second');

    write('shop.yaml', `${service('shop', 0, second)}routes:\n  - match: {prefix: /}\n    to: other\n`);
    write('other.yaml', `service: other\nendpoints: [127.0.0.1:${first}]\n`);
    await becomes(shop, ({ body }) => body === 'first');
    const page = await sidecar.admin('/xds');
    t.match(page, /^ads: (delta|state-of-the-world) from 127\.0\.0\.1:\d+, connected/m);
    t.notMatch(page, 'refused');
    const stats = await sidecar.admin('/stats?filter=control_plane.connected|cds.update_(success|rejected)');
    t.match(stats, 'control_plane.connected_state: 1\n');
    t.match(stats, /cluster_manager\.cds\.update_success: [1-9]/);
    t.match(stats, 'cluster_manager.cds.update_rejected: 0\n');
  });
}

t.test('what is refused is named in /xds and /config_dump, and the last good state serves', async (t) => {
  const origin = await startNamedOrigin(t, 'origin');
  const cluster = (policy: string): string =>
    [
      '"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster',
      'name: extra',
      `lb_policy: ${policy}`,
      `load_assignment: {cluster_name: extra, endpoints: []}`,
    ].join('\n');
  const files = { 'shop.yaml': service('shop', 0, origin), 'extra.yaml': cluster('ROUND_ROBIN') };
  const { port } = await startControlPlane(t, files);
  // A data plane that knows less than the control plane: what it has of its own may not be taken.
  const bootstrap = bootstrapFor(port) as { static_resources: { clusters: object[] } };
  bootstrap.static_resources.clusters.push({ name: 'extra', type: 'STATIC' });
  const sidecar = await startSidecar(t, { bootstrap, flags: withoutCache });
  t.match(await ask(sidecar.port('shop')), { status: 200, body: 'origin' });
  const page = await sidecar.admin('/xds');
  t.match(page, /refused .*\n\s+extra: name: is the name of a static cluster/);
  const dump = JSON.parse(await sidecar.admin('/config_dump?resource=dynamic_active_clusters'));
  const names = dump.configs.map((entry: { cluster?: { name: string } }) => entry.cluster?.name);
  t.ok(names.includes('shop'));
  const refused = dump.configs.find((entry: object) => 'error_state' in entry);
  t.match(refused, { error_state: { details: /static cluster/ }, client_status: 'NACKED' });
  t.match(await sidecar.admin('/stats?filter=cds.update_rejected'), 'cluster_manager.cds.update_rejected: 1\n');
});

t.test('requests go on without the control plane, and changes arrive when it is back', async (t) => {
  const [first, second] = [await startNamedOrigin(t, 'first'), await startNamedOrigin(t, 'second')];
  const before = await startControlPlane(t, { 'shop.yaml': service('shop', 0, first) });
  const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(before.port), flags: withoutCache });
  const shop = sidecar.port('shop');
  await before.close();
  await sidecar.logged(/stream to the control plane ended/);
  t.match(await ask(shop), { status: 200, body: 'first' });
  await startControlPlane(t, { 'shop.yaml': service('shop', 0, second) }, `127.0.0.1:${before.port}`);
  await becomes(shop, ({ body }) => body === 'second');
});

t.test('an address that is taken is a refusal of that listener alone', async (t) => {
  const origin = await startNamedOrigin(t, 'origin');
  const taken = await startNamedOrigin(t, 'somebody else');
  const { port } = await startControlPlane(t, {
    'shop.yaml': service('shop', 0, origin),
    'late.yaml': service('late', taken, origin),
  });
  const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(port), flags: withoutCache });
  t.match(await ask(sidecar.port('shop')), { status: 200 });
  t.match(await sidecar.admin('/xds'), new RegExp(`late: .*127\\.0\\.0\\.1:${taken}`));
});

/** One that answers by itself, at an address of which it has the only socket. */
function answeringListener(name: string, address: string, port: number): string {
  const typed = (type: string): string => `"@type": type.googleapis.com/envoy.extensions.filters.${type}`;
  return [
    '"@type": type.googleapis.com/envoy.config.listener.v3.Listener',
    `name: ${name}`,
    'enable_reuse_port: false',
    `address: {socket_address: {address: "${address}", port_value: ${port}, ipv4_compat: ${address.includes(':')}}}`,
    'filter_chains:',
    '- filters:',
    '  - name: http',
    '    typed_config:',
    `      ${typed('network.http_connection_manager.v3.HttpConnectionManager')}`,
    `      stat_prefix: ${name}`,
    '      route_config:',
    '        name: own',
    '        virtual_hosts:',
    '        - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}',
    `      http_filters: [{name: router, typed_config: {${typed('http.router.v3.Router')}}}]`,
  ].join('\n');
}

t.test('a listener that cannot listen when it begins is left out, told and counted', async (t) => {
  const origin = await startNamedOrigin(t, 'origin');
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const taken = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, 'close');
  // The kernel lets both have their address, as nobody listens yet. To us the second one is another address.
  const { port } = await startControlPlane(t, {
    'shop.yaml': service('shop', 0, origin),
    'four.yaml': answeringListener('four', '127.0.0.1', taken),
    'mapped.yaml': answeringListener('mapped', '::ffff:127.0.0.1', taken),
  });
  const sidecar = await startSidecar(t, { bootstrap: bootstrapFor(port), flags: withoutCache });
  t.match(await sidecar.logged(/^listener (four|mapped) cannot listen on .*: .*in use/), { level: 'error' });
  t.match(await ask(sidecar.port('shop')), { status: 200, body: 'origin' });
  t.match(await ask(taken), { status: 200 });
  t.match(await sidecar.admin('/stats?filter=create_failure'), 'listener_manager.listener_create_failure: 1\n');
});

t.test('a restart without the control plane serves at once what was accepted before', async (t) => {
  const origin = await startNamedOrigin(t, 'origin');
  const controlPlane = await startControlPlane(t, { 'shop.yaml': service('shop', 0, origin) });
  const bootstrap = bootstrapFor(controlPlane.port);
  const directory = join(t.testdir({}), 'cache');
  const flags = ['--concurrency', '1', '--config-cache-dir', directory];
  const forgetful = await startSidecar(t, { bootstrap, flags: [...flags, '--no-config-cache'] });
  t.match(await ask(forgetful.port('shop')), { status: 200, body: 'origin' });
  forgetful.process.kill('SIGTERM');
  t.equal(await forgetful.ended, 0);
  t.notOk(existsSync(directory), 'nothing is kept where that is not wanted');
  const first = await startSidecar(t, { bootstrap, flags });
  t.match(await ask(first.port('shop')), { status: 200, body: 'origin' });
  first.process.kill('SIGTERM');
  t.equal(await first.ended, 0);
  t.ok(existsSync(directory));
  await controlPlane.close();

  const second = await startSidecar(t, { bootstrap, flags });
  t.match(await ask(second.port('shop')), { status: 200, body: 'origin' });
  t.match(await second.admin('/xds'), /^ads: delta from .*(not connected|connecting)/m);
  t.match(await second.admin('/ready'), 'LIVE');
});
