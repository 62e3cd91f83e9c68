import t from 'tap';
import { holdKeys, secretsOfCluster, secretsOfListener } from '../../config/secret-references.ts';
import type { SecretReference } from '../../config/tls.ts';
import type { SecretPart } from '../../config/written-secret.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';
import { tlsCluster, tlsListener } from '../support/secret-fixtures.ts';

const sds = (name: string) => `{name: ${name}, sds_config: {path_config_source: {path: /f}}}`;
const common = `{tls_certificate_sds_secret_configs: [${sds('a')}, ${sds('b')}, ${sds('a')}], validation_context_sds_secret_config: ${sds('a')}}`;
const named = (secrets: ReturnType<typeof secretsOfListener>) =>
  secrets.map(({ kind, reference }) => `${kind} ${reference.name}`);

t.test('each secret of a listener and of a cluster is named once, as what it must be', async (t) => {
  const oneCertificate = common.replace(`, ${sds('b')}, ${sds('a')}]`, ']');
  const { listeners, clusters } = bootstrapOf(
    `static_resources: {listeners: [${tlsListener('l', 1, common)}], clusters: [${tlsCluster('c', oneCertificate)}]}`,
  ).bootstrap;
  t.same(named(secretsOfListener(listeners[0]!)), ['certificate a', 'certificate b', 'validation-context a']);
  t.same(named(secretsOfCluster(clusters[0]!)), ['certificate a', 'validation-context a']);
  t.same(secretsOfCluster({ ...clusters[0]!, transport: { kind: 'plain' } }), []);
});

t.test('a key in place is seen, a file with one is none', async (t) => {
  const certificate = (privateKey: SecretPart): SecretReference => ({
    key: 'k',
    name: '',
    source: {
      kind: 'inline',
      secret: {
        kind: 'certificate',
        name: '',
        certificateChain: { kind: 'file', path: '/c' },
        privateKey,
        watchedDirectories: [],
      },
    },
  });
  const holds = (reference: SecretReference) => holdKeys([{ reference, kind: 'certificate' }]);
  t.ok(holds(certificate({ kind: 'inline', bytes: new Uint8Array(1) })));
  t.notOk(holds(certificate({ kind: 'file', path: '/k' })));
  t.notOk(holds({ key: 'k', name: '', source: { kind: 'static' } }));
  t.notOk(holdKeys([]));
});
