// Secrets from control planes: over the aggregated stream, over a stream of their own on a Unix socket as Istio's agent has
// it, and from files, in both protocols.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Secret } from '../../config/secret.ts';
import type { SnapshotChange } from '../../config/snapshot.ts';
import { DiscoveryServer } from '../../control-plane/discovery-server.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { DynamicConfiguration } from '../../xds/dynamic-configuration.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';
import { renameIntoPlace, resourcesOfText } from '../support/control-plane-fixtures.ts';
import { noItems } from '../support/empty-patterns.ts';
import { onlyItems } from '../support/only-items.ts';
import { certificateYaml, makeSecretFiles, tlsCluster, tlsListener } from '../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir({}));
const secretType = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';

const own = (of = files.leaf) =>
  `{'@type': ${secretType}, name: default, tls_certificate: ${certificateYaml(of, 'inline')}}`;
const roots = `{'@type': ${secretType}, name: ROOTCA, validation_context: {trusted_ca: {inline_string: ${JSON.stringify(files.root.chainPem)}}}}`;

/** The path of a socket, which is short. */
function socketPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 'socket');
}

async function startServer(t: Test, path: string) {
  const cache = new SnapshotCache();
  const refusals: string[] = [];
  const refused = Promise.withResolvers<void>();
  const onRefusal = (_client: unknown, { text }: { readonly text: string }) => {
    refusals.push(text);
    refused.resolve();
  };
  const server = new DiscoveryServer({ cache, clock: Date.now, onRefusal });
  await server.listen(`unix:${path}`);
  t.teardown(() => server.close());
  const publish = (...resources: readonly string[]) =>
    cache.update(new Map([[everyNode, { resources: resourcesOfText(`resources: [${resources.join(', ')}]`) }]]));
  return { publish, refusals, refused: refused.promise };
}

/** Follows a configuration until it is as a test wants it. */
function follow(t: Test, yaml: string) {
  const secrets = new Map<string, Secret>();
  const changes: SnapshotChange[] = [];
  const names = { listeners: new Set<string>(), clusters: new Set<string>() };
  let changed = Promise.withResolvers<void>();
  const logged: string[] = [];
  const configuration = new DynamicConfiguration({
    bootstrap: bootstrapOf(yaml).bootstrap,
    sockets: { prepare: () => undefined, discard: () => undefined, openLogs: () => undefined },
    drainTimeMs: 0,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    defer: setImmediate,
    clock: Date.now,
    random: () => 0,
    runtime: () => new Map(),
    onRuntimeLayer: () => undefined,
    onChange: (change) => {
      changes.push(change);
      for (const [key, secret] of change.secrets.set) secrets.set(key, secret);
      for (const key of change.secrets.removed) secrets.delete(key);
      for (const kind of ['listeners', 'clusters'] as const) {
        for (const [name] of change[kind].set) names[kind].add(name);
      }
      changed.resolve();
      changed = Promise.withResolvers();
    },
    onReady: () => undefined,
    log: (_level, text, facts) => logged.push(`${text} ${JSON.stringify(facts)}`),
  });
  t.teardown(() => configuration.stop());
  configuration.start();
  const until = async (isReached: () => boolean) => {
    while (!isReached()) await changed.promise;
  };
  const chain = (name: string) => {
    const secret = [...secrets.values()].find((each) => each.name === name);
    return secret?.kind === 'certificate' ? secret.certificateChain : undefined;
  };
  return { configuration, changes, secrets, names, chain, until, logged };
}

const common = (source: string) =>
  `{tls_certificate_sds_secret_configs: [{name: default, sds_config: ${source}}], validation_context_sds_secret_config: {name: ROOTCA, sds_config: ${source}}}`;

/** `path` is that of a control plane's socket. */
function bootstrapWith(parts: { readonly path?: string; readonly api?: string; readonly source: string }): string {
  const { path, api = '', source } = parts;
  const endpoint = `{lb_endpoints: [{endpoint: {address: {pipe: {path: ${path}}}}}]}`;
  const type = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const http2 = `{${type}: {'@type': t/${type}, explicit_http_config: {http2_protocol_options: {}}}}`;
  const calls = `{name: sds-grpc, typed_extension_protocol_options: ${http2}, load_assignment: {cluster_name: sds-grpc, endpoints: [${endpoint}]}}`;
  return `
node: { id: n, cluster: c }
${api}
static_resources:
  clusters: [${path === undefined ? '' : `${calls}, `}${tlsCluster('c', common(source))}]
  listeners: [${tlsListener('l', 1, common(source))}]
`;
}

const services = '[{envoy_grpc: {cluster_name: sds-grpc}}]';

for (const type of ['DELTA_GRPC', 'GRPC']) {
  t.test(`${type}: over the aggregated stream, and a rotation is told to nobody else`, async (t) => {
    const path = socketPath(t);
    const { publish, refusals } = await startServer(t, path);
    const api = `dynamic_resources: {ads_config: {api_type: ${type}, transport_api_version: V3, grpc_services: ${services}}}`;
    const followed = follow(t, bootstrapWith({ path, api, source: '{ads: {}, initial_fetch_timeout: 0s}' }));
    publish(own(), roots);
    await followed.until(() => followed.names.listeners.size === 1 && followed.names.clusters.size === 1);
    t.same([followed.chain('default'), followed.secrets.size], [files.leaf.chainPem, 2]);
    const count = followed.changes.length;
    publish(own(files.other), roots);
    await followed.until(() => followed.chain('default') === files.other.chainPem);
    const rotations = followed.changes.slice(count);
    const renewed = onlyItems('ads default', { certificateChain: files.other.chainPem });
    t.match(
      rotations,
      onlyItems({ listeners: { set: noItems }, clusters: { set: noItems }, secrets: { set: onlyItems(renewed) } }),
    );
    t.same(refusals, []);
  });

  t.test(`${type}: over a stream of its own on a Unix socket, without a control plane beside it`, async (t) => {
    const path = socketPath(t);
    const { publish } = await startServer(t, path);
    const source = `{api_config_source: {api_type: ${type}, transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: ${services}}, initial_fetch_timeout: 0s}`;
    const followed = follow(t, bootstrapWith({ path, source }));
    t.same(followed.changes, [], 'nothing serves before its secrets are there');
    publish(own(), roots);
    await followed.until(() => followed.names.listeners.size === 1 && followed.names.clusters.size === 1);
    t.equal(followed.chain('default'), files.leaf.chainPem);
    t.same(
      followed.configuration.sources().map(({ name }) => name),
      ['sds sds-grpc'],
    );
    publish(own(files.other), roots);
    await followed.until(() => followed.chain('default') === files.other.chainPem);
    publish(roots);
    publish(own(files.leaf), roots);
    await followed.until(() => followed.chain('default') === files.leaf.chainPem);
    const statuses = followed.configuration.resources(secretType).map(({ name, state }) => `${name} ${state}`);
    t.same(statuses.sort(), ['ROOTCA active', 'default active']);
  });
}

t.test('from a file, whose secrets are files themselves', async (t) => {
  const folder = t.testdir({ keys: {} });
  const keys = join(folder, 'keys');
  const put = (of = files.leaf) => {
    renameIntoPlace(keys, 'a.pem', of.chainPem);
    renameIntoPlace(keys, 'a.key', of.keyPem);
  };
  put();
  const certificate = `{certificate_chain: {filename: ${keys}/a.pem}, private_key: {filename: ${keys}/a.key}}`;
  writeFileSync(
    join(folder, 'sds.yaml'),
    `resources: [{'@type': ${secretType}, name: default, tls_certificate: ${certificate}}, ${roots}]`,
  );
  const source = `{path_config_source: {path: ${folder}/sds.yaml}}`;
  const followed = follow(t, bootstrapWith({ source }));
  await followed.until(() => followed.chain('default') === files.leaf.chainPem);
  put(files.other);
  await followed.until(() => followed.chain('default') === files.other.chainPem);
});

t.test('a secret that is wrong is refused in words without its key, and what was there serves on', async (t) => {
  const path = socketPath(t);
  const { publish, refusals, refused } = await startServer(t, path);
  const source = `{api_config_source: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: ${services}}}`;
  const followed = follow(t, bootstrapWith({ path, source }));
  publish(own(), roots);
  await followed.until(() => followed.names.listeners.size === 1);
  const mixed = own({ ...files.leaf, keyPem: files.other.keyPem });
  publish(mixed, roots);
  await refused;
  t.equal(followed.chain('default'), files.leaf.chainPem);
  publish(own(files.other), roots);
  await followed.until(() => followed.chain('default') === files.other.chainPem);
  t.matchOnly(refusals, [/default: tls_certificate\.private_key: does not belong to the certificate/]);
  const line = files.other.keyPem.split('\n')[1]!;
  t.notOk([...refusals, ...followed.logged].join().includes(line.slice(0, 12)));
});
