// Statistics of what is discovered apart: filters (ECDS), virtual hosts (VHDS), clusters on demand (ODCDS), secrets and runtime
// values. Envoy and outrigger are led through the same, and are to have the same names, and the same numbers.

import { setImmediate as aTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { findEnvoy } from '../differential/envoy-binary.ts';
import type { AskedControlPlane } from '../support/asked-control-plane.ts';
import { encodedOf } from '../support/assembly-bench.ts';
import type { SentResource } from '../support/discovery-messages.ts';
import {
  askFor,
  clusterAt,
  demandingListener,
  hostSaying,
  odcds,
  routesNamed,
  vhds,
  virtualHost,
} from '../support/on-demand-mesh.ts';
import { certificateYaml, makeSecretFiles } from '../support/secret-fixtures.ts';
import { type AskedProxy, startAskedProxy } from './asked-proxy.ts';

t.setTimeout(900_000);

const envoy = findEnvoy();
const files = makeSecretFiles(t.testdir({}));

const filters = 'type.googleapis.com/envoy.extensions.filters';
const corsType = `${filters}.http.cors.v3.Cors`;
const faultType = `${filters}.http.fault.v3.HTTPFault`;
const ads = 'ads: {}, resource_api_version: V3';
const grpcStatsType = `${filters}.http.grpc_stats.v3.FilterConfig`;
const discovered = (name: string, type: string) =>
  `{name: ${name}, config_discovery: {config_source: {${ads}, initial_fetch_timeout: 1s}, ` +
  `default_config: {'@type': ${type}}, type_urls: [${type}]}}`;

function filterNamed(name: string, config: string): SentResource {
  const type = 'envoy.config.core.v3.TypedExtensionConfig';
  return { name, bytes: encodedOf(type, `{name: ${name}, typed_config: ${config}}`) };
}

function securedListener(): SentResource {
  const context = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
  const secrets = `tls_certificate_sds_secret_configs: [{name: own, sds_config: {${ads}}}]`;
  const tls = `{name: tls, typed_config: {'@type': ${context}, common_tls_context: {${secrets}}}}`;
  const proxy = `{'@type': ${filters}.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: none}`;
  const chain = `{transport_socket: ${tls}, filters: [{name: tcp, typed_config: ${proxy}}]}`;
  const address = '{socket_address: {address: 127.0.0.1, port_value: 0}}';
  const yaml = `{name: secured, address: ${address}, filter_chains: [${chain}]}`;
  return { name: 'secured', bytes: encodedOf('envoy.config.listener.v3.Listener', yaml) };
}

function teach({ offered, answers }: AskedControlPlane): void {
  const pushed = [hostSaying('pushed', 'pushed', 'pushed')];
  offered.set('Listener', [
    demandingListener({
      fields: odcds,
      filters: `${discovered('cors', corsType)}, ${discovered('late', grpcStatsType)}, `,
    }),
    securedListener(),
  ]);
  answers.set('TypedExtensionConfig cors', filterNamed('cors', `{'@type': ${corsType}}`));
  answers.set('routes', routesNamed('routes', vhds));
  // Envoy asks for the virtual hosts of its routes, outrigger for all.
  offered.set('VirtualHost', pushed);
  answers.set('VirtualHost routes', pushed);
  answers.set('routes/found', hostSaying('yes', 'found', 'found'));
  answers.set('routes/via', virtualHost('via', ['via'], '{match: {prefix: /}, route: {cluster_header: x-cluster}}'));
  answers.set('first', clusterAt('first', 1));
  answers.set('missing', null);
  const secret = `{name: own, tls_certificate: ${certificateYaml(files.leaf, 'inline')}}`;
  answers.set('own', { name: 'own', bytes: encodedOf('envoy.extensions.transport_sockets.tls.v3.Secret', secret) });
  answers.set('layer', {
    name: 'layer',
    bytes: encodedOf('envoy.service.runtime.v3.Runtime', '{name: layer, layer: {a: 1}}'),
  });
}

/** What is answered on the way is compared elsewhere. */
async function lead({ proxy, controlPlane }: AskedProxy): Promise<void> {
  const port = proxy.port('web');
  for (const asking of [{ host: 'found' }, { host: 'via', cluster: 'first' }, { host: 'via', cluster: 'missing' }]) {
    await askFor(port, asking);
  }
  controlPlane.send('TypedExtensionConfig', [filterNamed('cors', `{'@type': ${faultType}}`)]);
  controlPlane.send('TypedExtensionConfig', [], ['cors']);
  controlPlane.send('VirtualHost', [hostSaying('changed', 'pushed', 'pushed')]);
  controlPlane.send('VirtualHost', [
    { name: 'routes/bad', bytes: encodedOf('envoy.config.route.v3.VirtualHost', '{name: bad}') },
  ]);
  controlPlane.send('Cluster', [
    {
      name: 'first',
      bytes: encodedOf('envoy.config.cluster.v3.Cluster', '{name: first, type: STATIC, lb_policy: CLUSTER_PROVIDED}'),
    },
  ]);
}

const places = [
  'extension_config_discovery\\.',
  'cluster_manager\\.odcds\\.',
  'http\\.in\\.rds\\.',
  'sds\\.',
  'runtime\\.(update|version|init)',
  'listener_manager\\.lds\\.',
];
const isCompared = new RegExp(`^(${places.join('|')})`);

/** All numbers and texts of discovery; which moment and which version it was is not compared. */
async function statisticsOf({ proxy }: AskedProxy): Promise<ReadonlyMap<string, string>> {
  const text = await proxy.admin('GET', '/stats');
  const lines = text.split('\n').flatMap((line) => (isCompared.test(line) ? [line.split(/: (.*)/s)] : []));
  return new Map(
    lines.map(([name, value]) => [name!, /(time(_ms)?|duration|version|version_text)$/.test(name!) ? 'some' : value!]),
  );
}

const layer = { name: 'layer', rtds_layer: { name: 'layer', rtds_config: { ads: {}, resource_api_version: 'V3' } } };
const bootstrap = { layered_runtime: { layers: [layer] } };

const late = 'extension_config_discovery.http_filter.late';
/** `docs/differences-from-envoy.md` has these. */
const accepted: ReadonlyMap<string, string> = new Map([
  // One refused cluster is refused twice.
  ['cluster_manager.odcds.update_attempt', '5, Envoy 7'],
  ['cluster_manager.odcds.update_rejected', '1, Envoy 2'],
  ['extension_config_discovery.http_filter.cors.update_attempt', '4, Envoy 5'],
  // Nothing was sent for it: that another filter was refused is none of its business.
  [`${late}.config_fail`, '1, Envoy 2'],
  [`${late}.update_attempt`, '2, Envoy 3'],
  [`${late}.update_rejected`, '0, Envoy 1'],
  // A change of its virtual hosts is counted with these.
  ['http.in.rds.routes.config_reload', '1, Envoy 4'],
  ['http.in.rds.vhds.routes.config_reload_time_ms', 'some, Envoy none'],
]);

if ('missing' in envoy) t.pass('the comparison of statistics with Envoy', { skip: envoy.missing });
else {
  t.test('what is discovered apart has the names and the numbers of Envoy', async (t) => {
    const parts = { envoyPath: envoy.path, prepare: teach, bootstrap };
    const ours = await startAskedProxy(t, { name: 'outrigger', ...parts });
    const theirs = await startAskedProxy(t, { name: 'envoy', ...parts });
    for (const each of [ours, theirs]) await lead(each);
    const deadline = Date.now() + 15_000;
    let found: ReadonlyMap<string, string>;
    do {
      await aTurn();
      found = differences(await statisticsOf(ours), await statisticsOf(theirs));
    } while (!isDeepStrictEqual(found, accepted) && Date.now() < deadline);
    t.strictSame(found, accepted);
  });
}

function differences(
  own: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const names = [...new Set([...own.keys(), ...other.keys()])].sort();
  const different = names.filter((name) => own.get(name) !== other.get(name));
  return new Map(different.map((name) => [name, `${own.get(name) ?? 'none'}, Envoy ${other.get(name) ?? 'none'}`]));
}
