import t from 'tap';
import { makeSnapshot, type ServedSnapshot } from '../../control-plane/served-snapshot.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { differenceLines } from '../../control-plane/snapshot-difference.ts';
import { resourcesOfText, serviceText, snapshotOfText, typeUrls } from '../support/control-plane-fixtures.ts';

const a = { resources: resourcesOfText(serviceText('a')) };
const b = { resources: resourcesOfText(serviceText('b')) };

t.test('a node has the snapshot of its group, and none before there is one', async (t) => {
  const cache = new SnapshotCache();
  t.equal(cache.snapshotFor('x'), undefined);
  cache.update(
    new Map([
      [everyNode, a],
      ['edge-*', b],
    ]),
  );
  const namesFor = (node: string) => [...cache.snapshotFor(node)!.types.get(typeUrls['cds']!)!.byName.keys()];
  t.same(namesFor('x'), ['a']);
  t.same(namesFor('edge-1'), ['b']);
  t.equal(cache.groupFor('edge-1'), 'edge-*');
});

t.test('nodes of a group that went have what is for every node', async (t) => {
  const cache = new SnapshotCache();
  cache.update(new Map([...[everyNode, 'edge-*'].map((group) => [group, b] as const)]));
  cache.update(new Map([[everyNode, a]]));
  t.equal(cache.groupFor('edge-1'), everyNode);
  t.same([...cache.snapshotFor('edge-1')!.types.get(typeUrls['cds']!)!.byName.keys()], ['a']);
});

t.test('a version is of the content alone, in whatever order it came', async (t) => {
  const resources = [...a.resources, ...b.resources];
  const versionsOf = (list: typeof resources) =>
    new Map([...makeSnapshot(list).types].sort().map(([typeUrl, { version }]) => [typeUrl, version]));
  t.same(versionsOf(resources), versionsOf([...resources].reverse()));
  t.not(versionsOf(resources).get(typeUrls['cds']!), versionsOf([...a.resources]).get(typeUrls['cds']!));
});

t.test('followers are called until they let go', async (t) => {
  const cache = new SnapshotCache();
  let calls = 0;
  const unfollow = cache.follow(() => calls++);
  cache.update(new Map([[everyNode, a]]));
  unfollow();
  cache.update(new Map([[everyNode, b]]));
  t.equal(calls, 1);
});

t.test('a difference names what was added, changed and removed', async (t) => {
  const before = new Map([[everyNode, snapshotOfText(`${serviceText('a')}---\n${serviceText('b')}`)]]);
  const after = new Map([
    [everyNode, snapshotOfText(`${serviceText('a', 2)}---\n${serviceText('c')}`)],
    ['edge', snapshotOfText(serviceText('e'))],
  ]);
  t.matchOnly(differenceLines(before, after), [
    /^cds: added c; removed b \(version \S+\)$/,
    /^eds: added c; changed a; removed b \(version \S+\)$/,
    /^cds for edge: added e /,
    /^eds for edge: added e /,
  ]);
  t.same(differenceLines(before, before), []);
  t.strictSame(differenceLines(before, new Map([[everyNode, { types: new Map() }]])), [
    'cds: removed a, b',
    'eds: removed a, b',
  ]);
  const many = snapshotOfText(Array.from({ length: 8 }, (_, index) => serviceText(`s${index}`)).join('---\n'));
  t.matchOnly(differenceLines(new Map(), new Map([['', many]])), [
    /^cds: added s0, s1, s2, s3, s4 and 3 more /,
    /^eds: added s0, s1, s2, s3, s4 and 3 more /,
  ]);
});

t.test('a type whose origins are further away is another one, of which nothing is told to people', async (t) => {
  const resources = resourcesOfText(serviceText('a'));
  const withHops = (hops: number, previous?: ServedSnapshot) =>
    makeSnapshot(resources, { previous, hops: () => new Map([['far', hops]]) });
  const before = withHops(2);
  const typeOf = ({ types }: ServedSnapshot) => types.get(typeUrls['cds']!);
  t.equal(typeOf(withHops(2, before)), typeOf(before));
  const after = withHops(3, before);
  t.not(typeOf(after), typeOf(before));
  t.same(differenceLines(new Map([[everyNode, before]]), new Map([[everyNode, after]])), []);
});

t.test('a type is the same as before only when it says the same of who has which endpoint', async (t) => {
  const [resource] = resourcesOfText(serviceText('a'));
  const snapshotWith = (shares: string, previous?: ServedSnapshot) =>
    makeSnapshot([{ ...resource!, shares }], { previous });
  const before = snapshotWith('1*1');
  const typeOf = ({ types }: ServedSnapshot) => types.get(resource!.type.typeUrl);
  t.equal(typeOf(snapshotWith('1*1', before)), typeOf(before));
  t.not(typeOf(snapshotWith('3*1', before)), typeOf(before));
});
