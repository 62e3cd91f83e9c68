import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { readDiscoveryDocument } from '../../../xds/client/discovery-document.ts';
import { decodeMessage } from '../../../xds/message/wire-message.ts';
import { clusterDecoder } from '../../../xds/resource/cluster-resource.ts';
import { onlyItems } from '../../support/only-items.ts';

const { type } = clusterDecoder(undefined);
const read = (text: string) => readDiscoveryDocument(text, type);
const problemsOf = (text: string) => {
  const document = read(text);
  return document.kind === 'malformed' ? document.problems.map(({ path, message }) => `${path}: ${message}`) : [];
};
const cluster = (name: string, more = '') => `{"@type": ${type.typeUrl}, name: ${name}${more}}`;

t.test('a response in YAML or JSON, as Envoy reads it', async (t) => {
  const document = read(`
version_info: 7
resources:
- "@type": ${type.typeUrl}
  name: a
  connectTimeout: 1s
- ${cluster('b')}
`);
  t.match(document, { kind: 'response', version: '7', resources: onlyItems({ name: 'a' }, { name: 'b' }) });
  const bytes = document.kind === 'response' ? document.resources[0]!.message! : new Uint8Array();
  t.same(decodeMessage(bytes, 'envoy.config.cluster.v3.Cluster', new Problems()), { name: 'a', connectTimeout: 1000 });
  const json = JSON.stringify({
    versionInfo: 'v',
    resources: [{ '@type': type.typeUrl, name: 'a' }],
    typeUrl: type.typeUrl,
  });
  t.match(read(json), { kind: 'response', version: 'v', resources: onlyItems({ name: 'a', version: '' }) });
  t.same(read('{}'), { kind: 'response', version: '', resources: [] });
});

t.test('a resource may be wrapped, and so have a version', async (t) => {
  const wrapped = (fields: string) =>
    `resources: [{"@type": type.googleapis.com/envoy.service.discovery.v3.Resource, ${fields}, resource: ${cluster('a')}}]`;
  t.match(read(wrapped('version: "1"')), { resources: onlyItems({ name: 'a', version: '1' }) });
  t.match(read(wrapped('name: b')), { resources: onlyItems({ name: 'b', version: '' }) });
  t.same(problemsOf(wrapped('ttl: 1s')), ['resources[0].ttl: ttl of a resource in a file is not supported']);
});

t.test('everything that is wrong is told with its path', async (t) => {
  t.strictSame(problemsOf('resources: [1, {}]'), [
    `resources[0]: expected a resource with "@type": ${type.typeUrl}`,
    `resources[1]: expected a resource with "@type": ${type.typeUrl}`,
  ]);
  t.matchOnly(problemsOf(`resources: [${cluster('a', ', connect_timeout: soon, lb_polcy: RANDOM')}]`), [
    /^resources\[0\]\.connect_timeout: /,
    /^resources\[0\]\.lb_polcy: unknown field of envoy.config.cluster.v3.Cluster; did you mean `lb_policy`\?/,
  ]);
  t.matchOnly(problemsOf(`resources: [${cluster('a', ', health_checks: [{}]')}]`), [
    /^resources\[0\]\.health_checks: .*not supp/,
  ]);
  t.strictSame(problemsOf('resources: {}'), ['resources: expected a list']);
  t.matchOnly(problemsOf('resource: []'), [/^resource: unknown field/]);
  t.matchOnly(problemsOf('type_url: other'), [/^type_url: must be type.googleapis.com/]);
  t.strictSame(problemsOf('[]'), [': expected an object with a list `resources`']);
  t.matchOnly(problemsOf('a: ['), [/^: line 1/]);
  t.matchOnly(problemsOf(''), [/^: is empty/]);
});

t.test('no text makes it throw', async (t) => {
  const scalar = fc.oneof(fc.constant(type.typeUrl), fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const names = fc.constantFrom('@type', 'resources', 'version_info', 'resource', 'name', 'x');
  const tree = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('tree')), fc.dictionary(names, tie('tree'))),
  })).tree;
  fc.assert(
    fc.property(tree, (value) => read(JSON.stringify(value)).kind !== undefined),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.string(), (text) => read(text).kind !== undefined),
    { numRuns: 300 },
  );
  t.pass('whatever is in it');
});
