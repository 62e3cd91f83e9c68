import fc from 'fast-check';
import t from 'tap';
import { parseManifest } from '../../../bpf/loader/object-manifest.ts';

const HASH = 'a'.repeat(64);
const OBJECT = { file: 'inbound.bpf.o', sha256: HASH, bytes: 10, programs: ['or_lookup'] };
const MANIFEST = { compiler: 'clang 14.0.6', sources: HASH, objects: { inbound: OBJECT } };

const parsed = (tree: unknown) => parseManifest(JSON.stringify(tree));
const withObject = (change: object) => parsed({ ...MANIFEST, objects: { inbound: { ...OBJECT, ...change } } });

t.test('a manifest is read', (t) => {
  t.same(parsed(MANIFEST), { ...MANIFEST, objects: new Map([['inbound', OBJECT]]) });
  t.end();
});

t.test('what is wrong is said with its place', (t) => {
  const wrong = 'objects.inbound: file, sha256, bytes and programs are needed';
  t.match(parseManifest('{'), /^not JSON: /);
  t.equal(parsed([]), 'not an object');
  t.equal(parsed({ ...MANIFEST, compiler: 14 }), 'compiler: a text is needed');
  t.equal(parsed({ ...MANIFEST, sources: 'abc' }), 'sources: a sha256 in hexadecimal is needed');
  t.equal(parsed({ ...MANIFEST, objects: [] }), 'objects: a mapping is needed');
  t.equal(withObject({ sha256: HASH.toUpperCase() }), wrong);
  t.equal(withObject({ bytes: 1.5 }), wrong);
  t.equal(withObject({ programs: [1] }), wrong);
  t.equal(parsed({ ...MANIFEST, objects: { inbound: null } }), wrong);
  t.end();
});

t.test('an object lies beside its manifest and nowhere else', (t) => {
  for (const file of ['../inbound.bpf.o', '/etc/x.o', 'a/b.o', '.o', 'x.so', '..o']) {
    t.type(withObject({ file }), 'string', file);
  }
  t.end();
});

t.test('any text is either a manifest or told what is wrong with it', (t) => {
  const trees = fc.oneof(fc.string(), fc.json(), fc.object({ key: fc.constantFrom(...Object.keys(MANIFEST)) }));
  fc.assert(
    fc.property(trees, (tree) => {
      const outcome = parseManifest(typeof tree === 'string' ? tree : JSON.stringify(tree));
      t.ok(typeof outcome === 'string' || outcome.objects instanceof Map);
    }),
    { numRuns: 300 },
  );
  t.end();
});
