// Run by certificates.test.ts in network and mount namespaces of its own: sidecars whose certificates are mounted, and a pod
// that is taken for one of the mesh and shows what it likes: to the sidecar of a server, and as an endpoint to that of a client.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startIstiod } from '../istio/istiod.ts';
import { pause } from '../support/pause.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';
import { filesOf, type MeshSidecar, NODE_IP, type Pod, startMeshSidecar, startNode, startPod } from './mesh-node.ts';
import {
  CLIENT_IP,
  documents,
  IMPOSTOR_IP,
  IMPOSTOR_PORT,
  IMPOSTOR_SERVICE_IP,
  meshObjects,
  mutualTls,
  ports,
  SERVER_IP,
  SERVICE_IP,
} from './mesh-objects.ts';

/** How long the mesh is to do without its control plane. */
const WITHOUT_ISTIOD_MS = Number(process.env['OUTRIGGER_WITHOUT_ISTIOD_MS'] ?? 5_000);

/** Some twenty requests pass until a sidecar has seen that its files are others. */
const REQUESTS_A_CERTIFICATE = 60;

t.setTimeout(900_000 + WITHOUT_ISTIOD_MS);

const folder = t.testdir({});
const mesh = Authority.make(join(folder, 'mesh'), 'mesh');
const others = Authority.make(join(folder, 'others'), 'others');
const nameOf = (account: string, trustDomain = 'cluster.local') => `spiffe://${trustDomain}/ns/shop/sa/${account}`;
const issued = (account: string) => mesh.issue({ subjectAltName: `URI:${nameOf(account)}` });

interface Shown {
  readonly what: string;
  readonly identity: IssuedIdentity;
  /** What is counted, and said. */
  readonly refusedAs?: string;
  readonly reason?: string;
  /** As a client it is let in all the same, by its own name. */
  readonly isLetIn?: boolean;
}

/** What the impostor shows. */
const shown: readonly Shown[] = [
  { what: 'its own', identity: issued('impostor') },
  {
    // A listener is told by Istio that all of the mesh may come, a cluster whose pods its endpoints are.
    what: 'of another service account',
    identity: issued('stranger'),
    refusedAs: 'fail_verify_san',
    reason: `the certificate is for ${nameOf('stranger')}, and not for ${nameOf('impostor')}`,
    isLetIn: true,
  },
  {
    what: 'of another trust domain',
    identity: mesh.issue({ subjectAltName: `URI:${nameOf('impostor', 'other.mesh')}` }),
    refusedAs: 'fail_verify_san',
    reason: `the certificate is for ${nameOf('impostor', 'other.mesh')}, and `,
  },
  {
    what: 'expired',
    identity: mesh.issue({
      subjectAltName: `URI:${nameOf('impostor')}`,
      notBefore: '20240101000000Z',
      notAfter: '20240102000000Z',
    }),
    refusedAs: 'fail_verify_error',
    reason: 'certificate verify failed: certificate has expired',
  },
  {
    what: 'with a stolen name, signed by somebody else',
    identity: others.issue({ subjectAltName: `URI:${nameOf('impostor')}` }),
    refusedAs: 'fail_verify_error',
    reason: 'certificate verify failed: unable to get local issuer certificate',
  },
  {
    what: 'with a stolen name, self-signed',
    identity: selfSigned(),
    refusedAs: 'fail_verify_error',
    reason: 'certificate verify failed: self-signed certificate',
  },
];

function selfSigned(): IssuedIdentity {
  const [key, certificate] = [join(folder, 'self.key'), join(folder, 'self.pem')];
  const terms = ['-subj', '/', '-addext', `subjectAltName=URI:${nameOf('impostor')}`, '-days', '2', '-nodes'];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', ...newKey, ...terms], { stdio: 'pipe' });
  return { certificateChain: readFileSync(certificate, 'utf8'), privateKey: readFileSync(key, 'utf8') };
}

startNode();
const istiod = await startIstiod(t, {
  program: process.argv[2]!,
  address: `${NODE_IP}:0`,
  mesh: {
    accessLogFile: '/dev/stdout',
    accessLogFormat: 'endpoint refused: %UPSTREAM_TRANSPORT_FAILURE_REASON%\n',
  },
});
await istiod.apply(documents(...meshObjects(), mutualTls('STRICT'), inboundLog()));
const server = await startPod(t, { name: 'server', ip: SERVER_IP });
const client = await startPod(t, { name: 'client', ip: CLIENT_IP });
const impostor = await startPod(t, { name: 'impostor', ip: IMPOSTOR_IP });
await Promise.all([
  ...[ports.http, ports.auto].map((port) => server.serveHttp(port)),
  ...shown.map(({ identity }, index) => impostor.serveHttp(IMPOSTOR_PORT + index, identity)),
]);
const sidecarOf = async (pod: Pod): Promise<MeshSidecar> => {
  const mounted = { identity: issued(pod.name), roots: mesh.certificate };
  const sidecar = startMeshSidecar(t, pod, { istiod, serviceAccount: pod.name, labels: { app: pod.name }, mounted });
  await sidecar.ready();
  return sidecar;
};
const [serverSidecar, clientSidecar] = await Promise.all([sidecarOf(server), sidecarOf(client)]);

/** Istio's own log of listeners leaves out all but connections that no filter chain was found for. */
function inboundLog(): object {
  const accessLog = {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path: '/dev/stdout',
      log_format: { text_format_source: { inline_string: 'client refused: %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n' } },
    },
  };
  const match = { context: 'SIDECAR_INBOUND', listener: { name: 'virtualInbound' } };
  const patch = { operation: 'MERGE', value: { access_log: [accessLog] } };
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'inbound-log', namespace: 'istio-system' },
    spec: { configPatches: [{ applyTo: 'LISTENER', match, patch }] },
  };
}

function oneRequestAConnection(): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'server', namespace: 'shop' },
    spec: {
      host: 'server.shop.svc.cluster.local',
      trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } },
    },
  };
}

/** In place of Istio's chain of the port, one for a single account: Istio itself asks for the trust domain alone. */
function onlyFor(account: string): object {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
  const grpc = { envoy_grpc: { cluster_name: 'sds-grpc' } };
  const api = { api_type: 'GRPC', transport_api_version: 'V3', grpc_services: [grpc] };
  const secret = (name: string) => ({ name, sds_config: { api_config_source: api, resource_api_version: 'V3' } });
  const validation = {
    default_validation_context: {
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: nameOf(account) } }],
    },
    validation_context_sds_secret_config: secret('ROOTCA'),
  };
  const tls = {
    '@type': type('transport_sockets.tls.v3.DownstreamTlsContext'),
    require_client_certificate: true,
    common_tls_context: {
      alpn_protocols: ['http/1.1'],
      tls_certificate_sds_secret_configs: [secret('default')],
      combined_validation_context: validation,
    },
  };
  const tcp = {
    '@type': type('filters.network.tcp_proxy.v3.TcpProxy'),
    stat_prefix: 'only',
    cluster: `inbound|${ports.auto}||`,
  };
  const chain = {
    name: 'only',
    filter_chain_match: { destination_port: ports.auto, transport_protocol: 'tls' },
    filters: [{ name: 'tcp', typed_config: tcp }],
    transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tls },
  };
  const listener = { name: 'virtualInbound' };
  const match = { context: 'SIDECAR_INBOUND', listener };
  const ofPort = {
    context: 'SIDECAR_INBOUND',
    listener: { ...listener, filterChain: { destinationPort: ports.auto } },
  };
  const configPatches = [
    { applyTo: 'FILTER_CHAIN', match: ofPort, patch: { operation: 'REMOVE' } },
    { applyTo: 'FILTER_CHAIN', match, patch: { operation: 'ADD', value: chain } },
  ];
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'only', namespace: 'shop' },
    spec: { workloadSelector: { labels: { app: 'server' } }, configPatches },
  };
}

/** The sum of what `ssl.…` statistics with this end count. */
function countOf(sidecar: MeshSidecar, name: string): number {
  const lines = sidecar.admin(`/stats?filter=ssl.${name}$`).matchAll(/: (\d+)$/gm);
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** A sentence is one word in an access log. */
const logged = (who: string, sentence: string): string => `${who} refused: ${sentence.replaceAll(' ', '_')}`;

/** Status and body; 000 when there was no answer. */
function get(from: Pod, url: string, ...options: readonly string[]): string {
  return from.run(`sh -c 'curl -sk --max-time 10 -w " %{http_code}" ${options.join(' ')} ${url} || true'`);
}

const getAs = (identity: IssuedIdentity, port: number = ports.http): string => {
  const [certificate, key] = filesOf(t, identity);
  return get(impostor, `https://${SERVER_IP}:${port}/`, '--cert', certificate, '--key', key);
};

async function refusesClient(
  t: Test,
  { what, identity, refusedAs, reason, port }: Required<Omit<Shown, 'isLetIn'>> & { readonly port?: number },
) {
  const before = countOf(serverSidecar, refusedAs);
  t.equal(getAs(identity, port), ' 000', what);
  t.equal(countOf(serverSidecar, refusedAs), before + 1, `${what}: ${refusedAs}`);
  await serverSidecar.logged(logged('client', `TLS: ${reason}`));
}

t.test('a client is let in by who signed its certificate, for when, and for whom', async (t) => {
  for (const { what, identity, refusedAs, reason, isLetIn = false } of shown) {
    if (refusedAs === undefined || isLetIn) {
      const answer = getAs(identity);
      t.match(answer, / 200$/, what);
      const name = isLetIn ? nameOf('stranger') : nameOf('impostor');
      t.match(answer, `URI=${name}"`, `${what}: the server is told who it is`);
    } else await refusesClient(t, { what, identity, refusedAs, reason: reason! });
  }
  const before = countOf(serverSidecar, 'fail_verify_no_cert');
  t.equal(get(impostor, `https://${SERVER_IP}:${ports.http}/`), ' 000', 'none at all');
  t.equal(countOf(serverSidecar, 'fail_verify_no_cert'), before + 1);
  await serverSidecar.logged(logged('client', 'TLS: peer did not return a certificate'));
});

t.test('an endpoint is believed by the same, and its client is told why it is not', async (t) => {
  for (const [index, { what, refusedAs, reason }] of shown.entries()) {
    const url = `http://${IMPOSTOR_SERVICE_IP}:${IMPOSTOR_PORT + index}/`;
    const before = refusedAs === undefined ? 0 : countOf(clientSidecar, refusedAs);
    const answer = get(client, url);
    if (refusedAs === undefined) {
      t.match(answer, / 200$/, what);
      continue;
    }
    t.match(answer, / 503$/, what);
    t.ok(answer.includes(`TLS: ${reason}`), `${what}: ${answer}`);
    t.ok(countOf(clientSidecar, refusedAs) > before, `${what}: ${refusedAs}`);
    await clientSidecar.logged(logged('endpoint', `TLS_error: ${reason}`));
  }
});

t.test('a listener that names one service account refuses all others of the mesh', async (t) => {
  await istiod.apply(documents(onlyFor('client')));
  const port = ports.auto;
  const stranger = issued('stranger');
  while (getAs(stranger, port).endsWith(' 200')) await pause();
  await refusesClient(t, {
    what: 'another service account',
    identity: stranger,
    refusedAs: 'fail_verify_san',
    reason: `the certificate is for ${nameOf('stranger')}, and not for ${nameOf('client')}`,
    port,
  });
  t.match(get(client, `http://${SERVICE_IP}:${port}/`), / 200$/, 'the one that is named');
});

t.test('a mesh that has no control plane for some time goes on, and so do rotations of what is mounted', async (t) => {
  // Otherwise all would go over the connection of the first.
  await istiod.apply(documents(oneRequestAConnection()));
  while (!clientSidecar.admin('/config_dump').includes('max_requests_per_connection')) await pause();
  await istiod.stop();
  const stoppedAtMs = performance.now();
  const shownHashes = new Set<string>();
  let count = 0;
  while (performance.now() - stoppedAtMs < WITHOUT_ISTIOD_MS || shownHashes.size < 3) {
    if (count++ % REQUESTS_A_CERTIFICATE === 0) {
      clientSidecar.rotate(issued('client'));
      serverSidecar.rotate(issued('server'));
    }
    const answer = get(client, `http://${SERVICE_IP}:${ports.http}/`);
    const [, hash] = new RegExp(`Hash=(\\w+);.*URI=${nameOf('client')}".* 200$`).exec(answer) ?? [];
    if (hash === undefined) t.fail(`${count} requests later: ${answer}`);
    else shownHashes.add(hash);
  }
  const rotations = Math.floor(count / REQUESTS_A_CERTIFICATE);
  const told = `${count} requests, ${shownHashes.size} certificates of the client in ${rotations} rotations`;
  t.ok(shownHashes.size > rotations / 2, told);
});
