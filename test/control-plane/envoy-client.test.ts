// Envoy as a client, in both protocols: it takes what is served, and follows what is changed.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { findEnvoy } from '../differential/envoy-binary.ts';
import { ProxyProcess } from '../differential/proxy-process.ts';
import { renameIntoPlace, writeFiles } from '../support/control-plane-fixtures.ts';
import { startNamedOrigin } from '../support/named-origin.ts';

const envoy = findEnvoy();
if ('missing' in envoy) t.pass('Envoy as a client', { skip: envoy.missing });
else
  for (const protocol of ['DELTA_GRPC', 'GRPC']) t.test(`Envoy by ${protocol}`, (t) => follow(t, envoy.path, protocol));

async function follow(t: Test, envoyPath: string, protocol: string): Promise<void> {
  const [first, second] = [await startNamedOrigin(t, 'first'), await startNamedOrigin(t, 'second')];
  const root = t.testdir({ resources: {} });
  const folder = join(root, 'resources');
  const shop = (port: number, route: string) =>
    `service: shop\nlisten: 127.0.0.1:0\nendpoints: ["127.0.0.1:${port}"]\nroutes:\n  - to: ${route}\n`;
  const canary = `service: canary\nendpoints: ["127.0.0.1:${second}"]\n`;
  writeFiles(folder, { 'shop.yaml': shop(first, 'shop'), 'canary.yaml': canary });
  const lines: string[] = [];
  const flags = parseControlPlaneFlags(['--dir', folder, '--listen', '127.0.0.1:0'])!;
  const controlPlane = new ControlPlane(flags, (line) => lines.push(line));
  const { port } = await controlPlane.start();
  t.teardown(() => controlPlane.close());
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const each of started) each.kill();
  });
  const proxy = await ProxyProcess.start({
    name: 'envoy',
    command: [envoyPath],
    isReady: [/all dependencies initialized\. starting workers/],
    directory: join(root, 'envoy'),
    bootstrap: bootstrap(protocol, port),
    started,
  });
  const ask = async () => (await fetch(`http://127.0.0.1:${proxy.port('shop')}/`)).text();
  /** Resolves when the answer is the wanted one; a test that waits in vain is ended by its runner. */
  const answers = async (wanted: string) => {
    while ((await ask()) !== wanted);
  };
  await answers('first');
  renameIntoPlace(folder, 'shop.yaml', shop(second, 'shop'));
  await answers('second');
  t.pass('a changed endpoint');
  renameIntoPlace(folder, 'shop.yaml', shop(first, 'shop'));
  await answers('first');
  renameIntoPlace(folder, 'shop.yaml', shop(first, 'canary'));
  await answers('second');
  t.pass('a changed route');
  const listeners = async () => JSON.parse(await proxy.admin('GET', '/listeners?format=json')).listener_statuses;
  writeFiles(folder, { 'more.yaml': `service: more\nlisten: 127.0.0.1:0\nendpoints: ["127.0.0.1:${first}"]\n` });
  while ((await listeners()).length !== 2);
  t.pass('a new listener');
  t.same(
    lines.filter((line) => line.includes('refused')),
    [],
    'nothing is refused',
  );
}

function bootstrap(protocol: string, port: number): object {
  const ads = { ads: {}, resource_api_version: 'V3' };
  const http2 = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    node: { id: 'envoy', cluster: 'test' },
    admin: { address: { pipe: { path: 'admin.sock' } } },
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
          typed_extension_protocol_options: {
            [http2]: { '@type': `type.googleapis.com/${http2}`, explicit_http_config: { http2_protocol_options: {} } },
          },
          load_assignment: {
            cluster_name: 'control-plane',
            endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
          },
        },
      ],
    },
  };
}
