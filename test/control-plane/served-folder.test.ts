import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { problemText } from '../../control-plane/problem-text.ts';
import { ServedFolder } from '../../control-plane/served-folder.ts';
import { everyNode } from '../../control-plane/snapshot-cache.ts';
import { serviceText, writeFiles } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

function folderOf(t: Test, files: { readonly [path: string]: string }) {
  const folder = t.testdir();
  writeFiles(folder, files);
  const served = new ServedFolder({ folder, hasUpstreams: false });
  served.refresh();
  const namesOf = (group = everyNode) => served.groups.get(group)?.map(({ type, name }) => `${type.shortName} ${name}`);
  return { folder, served, namesOf, problems: () => served.problems.map(problemText) };
}

t.test('every YAML and JSON file of the folder is served, and nothing else of it', async (t) => {
  const { served, namesOf } = folderOf(t, {
    'b.yaml': serviceText('b'),
    'a.yml': serviceText('a'),
    'c.json': '{"service": "c", "endpoints": ["127.0.0.1:1"]}',
    '.d.yaml': serviceText('d'),
    '.e.yaml.swp': 'x',
    '#f.yaml#': 'x',
    '#g.yaml': 'x',
    'h.yaml~': 'x',
    'i.txt': 'x',
    'sub/j.yaml': serviceText('j'),
  });
  t.same(served.problems, []);
  t.same(served.files, ['a.yml', 'b.yaml', 'c.json']);
  t.same(namesOf(), ['cds a', 'eds a', 'cds b', 'eds b', 'cds c', 'eds c']);
});

t.test('a broken file leaves the last good state, until it is mended', async (t) => {
  const { folder, served, namesOf, problems } = folderOf(t, { 'a.yaml': serviceText('a') });
  writeFiles(folder, { 'a.yaml': 'service: a\nendpoints: 5\n', 'b.yaml': serviceText('b') });
  served.refresh();
  t.same(problems(), ['a.yaml:2: endpoints: expected a list of addresses such as 127.0.0.1:9001']);
  t.same(namesOf(), ['cds a', 'eds a'], 'nothing of the new state, so that files that belong together change together');
  writeFiles(folder, { 'a.yaml': serviceText('c') });
  served.refresh();
  t.same(problems(), []);
  t.same(namesOf(), ['cds c', 'eds c', 'cds b', 'eds b']);
});

t.test('files that do not fit together are not served', async (t) => {
  const gateway = 'service: g\nlisten: 127.0.0.1:1\nroutes: [{to: shop}]\n';
  const { folder, served, namesOf, problems } = folderOf(t, { 'g.yaml': gateway });
  t.matchOnly(problems(), [
    /^g\.yaml:3: routes\[0\]\.to: route configuration "g" needs cluster "shop", which no file has$/,
  ]);
  t.equal(namesOf(), undefined, 'there never was a good state');
  writeFiles(folder, { 'shop.yaml': serviceText('shop') });
  served.refresh();
  t.same(problems(), []);
  t.same(namesOf(), ['lds g', 'rds g', 'cds shop', 'eds shop']);
});

t.test(
  'a group of nodes has the files for every node, with its own in the place of those of the same name',
  async (t) => {
    const { served, namesOf } = folderOf(t, {
      'a.yaml': serviceText('a', 1),
      'b.yaml': serviceText('b', 1),
      'nodes/edge-*/a.yaml': serviceText('a', 2),
      'nodes/edge-*/c.yaml': serviceText('c', 2),
    });
    t.same(served.problems, []);
    t.same(namesOf(), ['cds a', 'eds a', 'cds b', 'eds b']);
    t.same(namesOf('edge-*'), ['cds b', 'eds b', 'cds a', 'eds a', 'cds c', 'eds c']);
  },
);

t.test('a fault in a group is no fault of others', async (t) => {
  const { folder, served, namesOf, problems } = folderOf(t, {
    'a.yaml': serviceText('a'),
    'nodes/edge/c.yaml': serviceText('c'),
  });
  writeFiles(folder, { 'a.yaml': serviceText('b'), 'nodes/edge/c.yaml': 'service: 5' });
  served.refresh();
  t.same(problems(), ['nodes/edge/c.yaml:1: has neither endpoints nor routes to other services']);
  t.same(namesOf(), ['cds b', 'eds b']);
  t.same(namesOf('edge'), ['cds a', 'eds a', 'cds c', 'eds c']);
});

t.test('a fault that every group has is named once', async (t) => {
  const { problems } = folderOf(t, {
    'g.yaml': 'service: g\nlisten: 127.0.0.1:1\nroutes: [{to: shop}]\n',
    'nodes/x/a.yaml': serviceText('a'),
  });
  t.equal(problems().length, 1);
});

t.test('a folder of a group that cannot be read is named itself', async (t) => {
  const { folder, problems, served, namesOf } = folderOf(t, {
    'a.yaml': serviceText('a'),
    'nodes/z/z.yaml': serviceText('z'),
  });
  symlinkSync('gone', join(folder, 'nodes', 'edge'));
  writeFiles(folder, { 'nodes/z/z.yaml': 'service: z' });
  served.refresh();
  t.match(
    problems(),
    onlyItems(
      /^nodes\/edge: cannot be read: ENOENT: .*\/nodes\/edge is a link to gone, which is not there/,
      'nodes/z/z.yaml:1: has neither endpoints nor routes to other services',
    ),
  );
  t.same(namesOf(), ['cds a', 'eds a']);
});

t.test('a folder that cannot be read is a problem, and what it had is served on', async (t) => {
  const { folder, served, namesOf, problems } = folderOf(t, { 'a.yaml': serviceText('a') });
  rmSync(join(folder, 'a.yaml'));
  served.refresh();
  t.same(namesOf(), [], 'a file that was removed is gone');
  writeFiles(folder, { 'a.yaml': serviceText('a') });
  served.refresh();
  rmSync(folder, { recursive: true });
  served.refresh();
  t.equal(problems().length, 1);
  t.match(problems()[0], `${folder}: cannot be read: ENOENT: `);
  t.same(namesOf(), ['cds a', 'eds a']);
});

t.test('bytes that are no text are told with their line', async (t) => {
  const { folder, served, namesOf, problems } = folderOf(t, { 'a.yaml': serviceText('a') });
  writeFileSync(join(folder, 'a.yaml'), Buffer.from('service: a\nendpoints: [caf\u00e9:1]\n', 'latin1'));
  served.refresh();
  t.same(problems(), ['a.yaml:2: is not UTF-8; save it in that encoding']);
  t.same(namesOf(), ['cds a', 'eds a']);
});
