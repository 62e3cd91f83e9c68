import t from 'tap';
import { bootstrapOf, bootstrapProblems } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateYaml, makeSecretFiles, tlsCluster, tlsListener } from '../../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir());
const own = `{name: own, tls_certificate: ${certificateYaml(files.leaf)}}`;
const uses = (name: string) => `{tls_certificate_sds_secret_configs: [{name: ${name}}]}`;
const bootstrap = (secrets: string, listener = tlsListener('l', 1, uses('own'))) =>
  `static_resources: {secrets: [${secrets}], listeners: [${listener}], clusters: [{name: c}]}`;

t.test('secrets of the bootstrap are there by name', async (t) => {
  const { secrets, listeners } = bootstrapOf(bootstrap(own)).bootstrap;
  t.match(secrets.get('own'), { kind: 'certificate', certificateChain: { path: files.leaf.certificate } });
  t.same(secrets.get('own')?.watchedDirectories, []);
  t.match(listeners[0]?.filterChains[0]?.tls?.certificates, onlyItems({ key: 'static own' }));
});

t.test('problems', async (t) => {
  const rows: readonly [yaml: string, problem: RegExp][] = [
    [bootstrap(`${own}, ${own}`), /^static_resources\.secrets\[1\]\.name: secret "own" exists already/],
    [
      bootstrap(`${own}, {generic_secret: {secret: {inline_string: a}}}`),
      /^static_resources\.secrets\[1\]\.name: name is/,
    ],
    [bootstrap(`${own}, {name: a}`), /^static_resources\.secrets\[1\]: one of tls_certificate/],
    [
      bootstrap(own, tlsListener('l', 1, uses('owm'))),
      /^static_resources\.listeners\["l"\]: secret "owm": the bootstrap has no static secret of this name; did you mean "own"\?$/,
    ],
    [
      bootstrap('{name: own, generic_secret: {secret: {inline_string: a}}}'),
      /^static_resources\.listeners\["l"\]: secret "own": is of kind generic, and is used as certificate$/,
    ],
    [
      `static_resources: {clusters: [${tlsCluster('c', uses('own'))}]}`,
      /^static_resources\.clusters\["c"\]: secret "own": the bootstrap has no static secret of this name, and no sds_config/,
    ],
  ];
  for (const [yaml, problem] of rows) t.match(bootstrapProblems(yaml)[0], problem);
});
