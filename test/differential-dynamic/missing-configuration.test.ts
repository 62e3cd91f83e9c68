// What connections meet whose filter or certificate has not come, and what is counted of them and of certificates that came:
// the names and numbers of Envoy, which is led through the same.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as aTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { findEnvoy } from '../differential/envoy-binary.ts';
import type { AskedControlPlane } from '../support/asked-control-plane.ts';
import { encodedOf } from '../support/assembly-bench.ts';
import type { SentResource } from '../support/discovery-messages.ts';
import { askFor } from '../support/on-demand-mesh.ts';
import { certificateYaml, type IssuedFiles, makeSecretFiles } from '../support/secret-fixtures.ts';
import { type AskedProxy, startAskedProxy } from './asked-proxy.ts';

t.setTimeout(900_000);

const envoy = findEnvoy();
const files = makeSecretFiles(t.testdir({}));

const filters = 'type.googleapis.com/envoy.extensions.filters';
const source = 'ads: {}, resource_api_version: V3, initial_fetch_timeout: 1s';
const tcpProxyType = `${filters}.network.tcp_proxy.v3.TcpProxy`;
const tcpProxy = `{name: tcp, typed_config: {'@type': ${tcpProxyType}, stat_prefix: tcp, cluster: none}}`;
const discovered = (type: string) =>
  `{name: never, config_discovery: {config_source: {${source}}, type_urls: [${type}]}}`;

function listener(name: string, chain: string): SentResource {
  const address = '{socket_address: {address: 127.0.0.1, port_value: 0}}';
  const yaml = `{name: ${name}, stat_prefix: ${name}, address: ${address}, filter_chains: [{${chain}}]}`;
  return { name, bytes: encodedOf('envoy.config.listener.v3.Listener', yaml) };
}

function secured(name: string, secretName: string): SentResource {
  const context = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
  const secrets = `tls_certificate_sds_secret_configs: [{name: ${secretName}, sds_config: {${source}}}]`;
  const tls = `{name: tls, typed_config: {'@type': ${context}, common_tls_context: {${secrets}}}}`;
  return listener(name, `transport_socket: ${tls}, filters: [${tcpProxy}]`);
}

function secret(leaf: IssuedFiles): SentResource {
  const yaml = `{name: own, tls_certificate: ${certificateYaml(leaf, 'inline')}}`;
  return { name: 'own', bytes: encodedOf('envoy.extensions.transport_sockets.tls.v3.Secret', yaml) };
}

function teach({ offered, answers }: AskedControlPlane): void {
  const router = `{name: router, typed_config: {'@type': ${filters}.http.router.v3.Router}}`;
  const route = '{match: {prefix: /}, direct_response: {status: 200}}';
  const routes = `route_config: {virtual_hosts: [{name: all, domains: ['*'], routes: [${route}]}]}`;
  const managerType = `${filters}.network.http_connection_manager.v3.HttpConnectionManager`;
  const httpFilters = `http_filters: [${discovered(`${filters}.http.cors.v3.Cors`)}, ${router}]`;
  const manager = `{'@type': ${managerType}, stat_prefix: in, ${routes}, ${httpFilters}}`;
  offered.set('Listener', [
    listener('network', `filters: [${discovered(tcpProxyType)}]`),
    listener('http', `filters: [{name: http, typed_config: ${manager}}]`),
    secured('secret', 'never'),
    secured('renewed', 'own'),
  ]);
  answers.set('own', secret(files.leaf));
}

/** Connects, and waits until the other side has closed. */
async function isClosed(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  // Closed with RST or in order: both are no answer.
  socket.on('error', () => undefined).resume();
  await once(socket, 'close');
}

async function lead({ proxy, controlPlane }: AskedProxy): Promise<string> {
  for (const name of ['network', 'network', 'secret']) await isClosed(proxy.port(name));
  controlPlane.send('Secret', [secret(files.other)]);
  return askFor(proxy.port('http'), {});
}

const counted =
  /^listener\.(network|http|secret|renewed)\.(downstream_cx_(total|active|destroy)|no_filter_chain_match|(network_)?extension_config_missing|server_ssl_socket_factory\..*)$/;

async function statisticsOf({ proxy }: AskedProxy): Promise<ReadonlyMap<string, number>> {
  const text = await proxy.admin('GET', '/stats?filter=listener');
  const lines = [...text.matchAll(/^(\S+): (\d+)$/gm)].filter(([, name]) => counted.test(name!));
  return new Map(lines.map(([, name, value]) => [name!, Number(value)]));
}

if ('missing' in envoy) t.pass('the comparison with Envoy of what is missing', { skip: envoy.missing });
else {
  t.test('what is missing is counted as Envoy does', async (t) => {
    const parts = { envoyPath: envoy.path, prepare: teach };
    const ours = await startAskedProxy(t, { name: 'outrigger', ...parts });
    const theirs = await startAskedProxy(t, { name: 'envoy', ...parts });
    t.match(await lead(ours), /^500/);
    t.match(await lead(theirs), /^500/);
    const deadline = Date.now() + 15_000;
    let [own, other] = [await statisticsOf(ours), await statisticsOf(theirs)];
    while (!isDeepStrictEqual(own, other) && Date.now() < deadline) {
      await aTurn();
      [own, other] = [await statisticsOf(ours), await statisticsOf(theirs)];
    }
    t.strictSame(own, other);
    t.equal(own.get('listener.network.network_extension_config_missing'), 2);
    t.equal(own.get('listener.secret.server_ssl_socket_factory.downstream_context_secrets_not_ready'), 1);
    t.equal(own.get('listener.renewed.server_ssl_socket_factory.ssl_context_update_by_sds'), 2, 'nobody has connected');
  });
}
