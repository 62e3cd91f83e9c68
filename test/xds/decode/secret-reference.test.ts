import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeSecretReference, inlineReference, staticSecretKey } from '../../../xds/decode/secret-reference.ts';
import type { SdsSecretConfig } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decoded = (yaml: string) =>
  decodedAs('envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig', yaml, (message: SdsSecretConfig, problems) =>
    decodeSecretReference(message, problems),
  );
const api = (cluster: string, more = '') =>
  `{api_config_source: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: ${cluster}}}]${more}}}`;
const keyOf = (source: string, name = 'default') => decoded(`{name: ${name}, sds_config: ${source}}`).value?.key;

t.test('a secret comes from where it is said to, or from the bootstrap', async (t) => {
  t.same(decoded('{name: own}'), {
    value: { key: 'static own', name: 'own', source: { kind: 'static' } },
    problems: [],
  });
  t.equal(staticSecretKey('own'), 'static own');
  t.same(decoded('{name: own, sds_config: {ads: {}, initial_fetch_timeout: 0s}}').value, {
    key: 'ads own',
    name: 'own',
    source: { kind: 'sds', config: { kind: 'ads', initialFetchTimeoutMs: 0 } },
  });
  t.match(decoded(`{name: default, sds_config: ${api('sds-grpc')}}`).value, {
    name: 'default',
    source: { kind: 'sds', config: { kind: 'grpc', initialFetchTimeoutMs: 15_000 } },
  });
  t.match(decoded('{name: own, sds_config: {path_config_source: {path: /sds.yaml}}}').value, {
    key: 'file /sds.yaml own',
  });
  t.matchOnly(decoded('{sds_config: {ads: {}}}').problems, [/^name: must not be empty|^name: .*required/]);
});

t.test('the key tells sources and names apart, and nothing else', async (t) => {
  t.equal(keyOf(api('sds-grpc')), keyOf(api('sds-grpc').replace(/}$/, ', initial_fetch_timeout: 3s}')));
  const keys = [
    keyOf(api('sds-grpc')),
    keyOf(api('other')),
    keyOf(api('sds-grpc', ', set_node_on_first_message_only: true')),
    keyOf(api('sds-grpc'), 'ROOTCA'),
    keyOf('{ads: {}}'),
  ];
  t.equal(new Set(keys).size, keys.length);
  const metadata =
    ', grpc_services: [{envoy_grpc: {cluster_name: c}, initial_metadata: [{key: token, value: letters}]}]';
  t.notMatch(keyOf(`{api_config_source: {api_type: GRPC${metadata}}}`), /letters/);
});

t.test('what is written in place is known by its content', async (t) => {
  const written = (value: number) =>
    ({
      kind: 'session-ticket-keys',
      name: '',
      keys: [{ kind: 'inline', bytes: new Uint8Array(80).fill(value) }],
      watchedDirectories: [],
    }) as const;
  const keys = [1, 1, 2].map((value) => inlineReference(written(value), new Problems()).key);
  t.equal(keys[0], keys[1]);
  t.not(keys[0], keys[2]);
  const problems = new Problems('p');
  inlineReference({ ...written(1), keys: [{ kind: 'file', path: '/not/there' }] }, problems);
  t.matchOnly(problems.list, [{ path: 'p.keys[0].filename', message: '/not/there cannot be read: ENOENT' }]);
});
