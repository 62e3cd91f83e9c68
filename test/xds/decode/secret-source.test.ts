import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import type { NamedSecret } from '../../../config/secret-references.ts';
import type { SecretSource } from '../../../config/tls.ts';
import type { WrittenSecret } from '../../../config/written-secret.ts';
import { checkSecretSources, secretSourceProblem, writtenSecretOf } from '../../../xds/decode/secret-source.ts';

const own: WrittenSecret = {
  kind: 'generic',
  name: 'own',
  value: { kind: 'file', path: '/own' },
  watchedDirectories: [],
};
const statics = new Map([['own', own]]);
const named = (name: string, source: SecretSource, kind: NamedSecret['kind'] = 'generic'): NamedSecret => ({
  reference: { key: 'k', name, source },
  kind,
});
const ads = { kind: 'sds', config: { kind: 'ads', initialFetchTimeoutMs: 0 } } as const;

t.test('a secret of the bootstrap, one in place, one of SDS', async (t) => {
  t.equal(writtenSecretOf(named('own', { kind: 'static' }).reference, statics), own);
  t.equal(writtenSecretOf(named('other', { kind: 'static' }).reference, statics), undefined);
  t.equal(writtenSecretOf(named('', { kind: 'inline', secret: own }).reference, new Map()), own);
  t.equal(writtenSecretOf(named('own', ads).reference, statics), undefined);
});

t.test('problems', async (t) => {
  t.equal(secretSourceProblem(named('own', { kind: 'static' }), statics), undefined);
  t.equal(secretSourceProblem(named('x', ads), statics), undefined);
  t.match(
    secretSourceProblem(named('own', { kind: 'static' }, 'certificate'), statics),
    /is of kind generic, and is used/,
  );
  const problems = new Problems('p');
  const known = { hasAds: false, grpcClusters: new Map(), secrets: statics };
  checkSecretSources(
    [named('own', { kind: 'static' }), named('a', ads), named('x', { kind: 'static' })],
    known,
    problems,
  );
  t.matchOnly(problems.list, [
    { path: 'p', message: /^secret "a": there is no ads_config/ },
    { path: 'p', message: /^secret "x": the bootstrap has no static secret/ },
  ]);
});
