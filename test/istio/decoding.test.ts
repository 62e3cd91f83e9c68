// Does everything that a real Istio pushes to a sidecar decode, and is the rest refused by name and path?

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Listener } from '../../config/listener.ts';
import { onlyItems } from '../support/only-items.ts';
import { startIstiod } from './istiod.ts';
import { findIstiod } from './istiod-program.ts';
import { PushedMesh } from './pushed-mesh.ts';
import { client } from './sidecar-identity.ts';

/** Three control planes start one after the other; the first run builds their program. */
t.setTimeout(900_000);
// Each has a control plane of its own, which waits for whether more is applied: they wait side by side.
t.jobs = 4;

const istiod = await findIstiod();
const options = 'missing' in istiod ? { skip: istiod.missing } : {};
const program = 'path' in istiod ? istiod.path : '';

const documents = (name: string) => readFileSync(join(import.meta.dirname, 'mesh', `${name}.yaml`), 'utf8');
const withoutTls = {
  enableAutoMtls: false,
  accessLogFile: '/dev/stdout',
  extensionProviders: [{ name: 'zipkin', zipkin: { service: 'web.shop.svc.cluster.local', port: 80 } }],
};

/** What a sidecar was pushed of a mesh, once all of it is there. */
async function pushed(t: Test, mesh: object, files: readonly string[], identity = client) {
  const control = await startIstiod(t, { program, mesh });
  for (const file of files) await control.apply(documents(file));
  const received = new PushedMesh(t, control.xdsAddress, identity);
  await received.until(() => isComplete(received));
  return { control, mesh: received };
}

/** Istio takes in each kind of object by itself: a mesh may be pushed while only a part of it is known. */
function isComplete({ assignments, clusters, listeners, routes }: PushedMesh): boolean {
  const web = assignments.get('outbound|80||web.shop.svc.cluster.local');
  const endpoints = web?.localities.flatMap((locality) => locality.endpoints) ?? [];
  const hosts = routes.get('80')?.virtualHosts.map(({ name }) => name) ?? [];
  return (
    endpoints.length === 2 &&
    ['web.shop.svc.cluster.local:80', 'api.example.com:80'].every((host) => hosts.includes(host)) &&
    clusters.names.includes('outbound|80|v2|web.shop.svc.cluster.local') &&
    listeners.names.some((name) => name.endsWith('_8003'))
  );
}

function filterNames({ filterChains, defaultFilterChain }: Listener): readonly string[] {
  const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
  return chains.flatMap(({ filters }) => filters.map(({ kind }) => kind));
}

const common = ['services', 'external', 'routes'];

t.test('everything of a mesh without TLS is understood', options, async (t) => {
  const { control, mesh } = await pushed(t, withoutTls, [...common, 'without-tls']);
  await mesh.until(() => mesh.listeners.get('virtualInbound')?.filterChains.length === 7);
  t.same(mesh.problems, []);
  t.same(mesh.clusters.get('outbound|80|v1|web.shop.svc.cluster.local')?.circuitBreakers.default.maxConnections, 100);
  t.match(mesh.clusters.get('outbound|80|v1|web.shop.svc.cluster.local')?.loadBalancer.policy, {
    kind: 'round-robin',
    slowStart: { windowMs: 30_000, aggression: 2, minWeightPercent: 20 },
  });
  t.match(mesh.clusters.get('outbound|8000||legacy.example.com')?.loadBalancer.policy, {
    kind: 'least-request',
    slowStart: { windowMs: 45_000, aggression: 1, minWeightPercent: 10 },
  });
  t.equal(mesh.clusters.get('outbound|80||api.example.com')?.discovery.kind, 'strict-dns');
  t.equal(mesh.clusters.get('PassthroughCluster')?.discovery.kind, 'original-dst');
  const inbound = mesh.listeners.get('virtualInbound')?.filterChains.map(({ name }) => name);
  const own = ['0.0.0.0_8080', '0.0.0.0_9000', '0.0.0.0_9001', '0.0.0.0_9001'];
  t.same(inbound, ['virtualInbound-blackhole', 'virtualInbound-catchall-http', 'virtualInbound', ...own]);
  const kinds = mesh.listeners.values().flatMap(filterNames);
  t.same([...new Set(kinds)].sort(), ['http-connection-manager', 'tcp-proxy'], 'filters without effect are left out');
  const weighted = mesh.routes.get('80')?.virtualHosts.flatMap(({ routes }) => routes.map(({ name }) => name));
  t.ok(weighted?.includes('weights'));
  const routes = mesh.routes.get('80')?.virtualHosts.flatMap((host) => host.routes) ?? [];
  const cors = routes.find(({ name }) => name.startsWith('rewrite'))?.perFilterConfig['envoy.filters.http.cors']?.cors;
  t.match(cors, { allowedOrigins: onlyItems({ value: 'https://a.example' }), allowMethods: 'GET,PUT', maxAge: '3600' });
  await control.acknowledged('client-1.shop', 4);
});

t.test('so it is where listeners are bound and nothing is redirected', options, async (t) => {
  const { mesh } = await pushed(t, withoutTls, [...common, 'without-tls'], { ...client, interceptionMode: 'NONE' });
  t.same(mesh.problems, []);
  t.equal(mesh.listeners.get('127.0.0.1_80')?.bindToPort, true);
});

/** Each as `type "name": path: words`, where any index may stand. */
const refusals: readonly RegExp[] = [
  /^cds "outbound\|8104\|.*: lb_policy: RING_HASH is not supported/,
  /^cds "outbound\|8104\|.*: ring_hash_lb_config: .* is not supported/,
  /^cds "outbound\|8105\|.*: outlier_detection: .* is not supported/,
  /^lds "virtualInbound": filter_chains\[\d+\]\.filters\[\d+\]\.typed_config\.http_filters\[\d+\]\.typed_config: HTTP filter .*\.rbac\.v3\.RBAC is not supported/,
  /^lds "virtualInbound": .*\.http_filters\[\d+\]\.typed_config: HTTP filter .*\.JwtAuthentication is not supported/,
  /^lds "virtualInbound": filter_chains\[\d+\]\.filters\[\d+\]\.typed_config: network filter .*\.rbac\.v3\.RBAC is not supported/,
  /^rds "8101": virtual_hosts\[\d+\]\.routes\[\d+\]\.typed_per_filter_config\["envoy.filters.http.fault"\].* is not supported/,
  /^rds "8102": virtual_hosts\[\d+\]\.routes\[\d+\]\.route\.request_mirror_policies: .* is not supported/,
  /^rds "8108": .*\.retry_policy\.retry_priority: .* is not supported/,
];

/** Problems that are none of these refusals, and refusals that are not among the problems. */
function difference(problems: readonly string[], expected: readonly RegExp[]) {
  return {
    unexpected: problems.filter((problem) => !expected.some((refusal) => refusal.test(problem))),
    missing: expected.filter((refusal) => !problems.some((problem) => refusal.test(problem))),
  };
}

t.test('what protects or changes traffic and is not built is refused by name and path', options, async (t) => {
  const { control, mesh } = await pushed(t, withoutTls, [...common, 'without-tls', 'refused']);
  await mesh.until(() => difference(mesh.problems, refusals).missing.length === 0);
  t.same(difference(mesh.problems, refusals), { unexpected: [], missing: [] });
  await t.rejects(control.acknowledged('client-1.shop', 4), /^client-1\.shop refused: .* is not supported/);
});

t.test('a mesh with mutual TLS is understood, and asks for its certificates by name', options, async (t) => {
  const { control, mesh } = await pushed(t, { ...withoutTls, enableAutoMtls: true }, common);
  await mesh.until(
    () => mesh.listeners.get('virtualInbound')?.filterChains.some(({ tls }) => tls !== undefined) ?? false,
  );
  t.same(mesh.problems, []);
  const tls = mesh.listeners.get('virtualInbound')?.filterChains.flatMap((chain) => chain.tls ?? []) ?? [];
  t.ok(tls.every(({ requiresClientCertificate }) => requiresClientCertificate));
  t.same([...new Set(tls.flatMap(({ certificates }) => certificates.map(({ name }) => name)))], ['default']);
  const [match] = mesh.clusters.get('outbound|80||web.shop.svc.cluster.local')?.transportMatches ?? [];
  t.match(match, { name: 'tlsMode-istio', transport: { kind: 'tls', tls: { sni: /^outbound_\.80_\._\.web\.shop/ } } });
  await control.acknowledged('client-1.shop', 4);
});
