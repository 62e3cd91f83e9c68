import t from 'tap';
import { placesOfInlineSecrets } from '../../config/inline-secrets.ts';
import type { SecretReference } from '../../config/tls.ts';
import type { SecretPart } from '../../config/written-secret.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';
import { tlsCluster, tlsListener } from '../support/secret-fixtures.ts';

const common = '{tls_certificate_sds_secret_configs: [{name: s, sds_config: {path_config_source: {path: /f}}}]}';
const bytes = { kind: 'inline', bytes: new Uint8Array() } as const;

function certificate(key: string, certificateChain: SecretPart = bytes): SecretReference {
  const secret = {
    kind: 'certificate',
    name: '',
    watchedDirectories: [],
    certificateChain,
    privateKey: bytes,
  } as const;
  return { key, name: '', source: { kind: 'inline', secret } };
}

t.test('a secret that is written in place is known by its file, its field and its resource', async (t) => {
  const { listeners, clusters } = bootstrapOf(
    `static_resources: {listeners: [${tlsListener('l', 1, common)}], clusters: [${tlsCluster('c', common)}]}`,
  ).bootstrap;
  const [listener] = listeners;
  const [cluster] = clusters;
  const [chain] = listener!.filterChains;
  const tls = chain!.tls!;
  const own = [...tls.certificates, certificate('a', { kind: 'file', path: '/etc/a.pem' })];
  const rules = { subjectAltNames: [], spkiHashes: [], certificateHashes: [] };
  const roots = { kind: 'validation-context', name: '', watchedDirectories: [], rules } as const;
  const validation = { secret: { key: 'v', name: '', source: { kind: 'inline', secret: roots } } } as const;
  const changed = {
    ...listener!,
    filterChains: [chain!, { ...chain!, tls: { ...tls, certificates: own, validation } }],
    defaultFilterChain: { ...chain!, tls: { ...tls, certificates: [certificate('d')] } },
  };
  const { transport } = cluster!;
  if (transport.kind !== 'tls') throw new Error('the fixture has TLS');
  const socketWith = (key: string) => ({ ...transport, tls: { ...transport.tls, certificates: [certificate(key)] } });
  const match = { name: 'm', criteria: {}, transport: socketWith('m') };
  const reached = { ...cluster!, transport: socketWith('a'), transportMatches: [match] };
  const inListener = 'transport_socket.typed_config.common_tls_context';
  t.same(
    [...placesOfInlineSecrets({ listeners: new Map([['l', changed]]), clusters: new Map([['c', reached as never]]) })],
    [
      ['a', `/etc/a.pem in filter_chains[1].${inListener}.tls_certificates[1] of listener l`],
      ['v', `in filter_chains[1].${inListener}.validation_context of listener l`],
      ['d', `in default_filter_chain.${inListener}.tls_certificates[0] of listener l`],
      ['m', `in transport_socket_matches[0].${inListener}.tls_certificates[0] of cluster c`],
    ],
  );
});
