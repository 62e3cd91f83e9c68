// Trees are folders made for the test: of a cgroup only its name and its `cgroup.procs` are read.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { CgroupTree } from '../../../bpf/cgroup/cgroup-tree.ts';

const ownPath = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
const needsCgroup2 = { skip: ownPath === undefined && 'this kernel runs without cgroup2' };

t.test('what /proc calls by a path is at that path, where the mount shows the same root', needsCgroup2, (t) => {
  const mount = treeWith(t, ownPath!);
  const tree = open(mount);
  t.equal(tree.pathOf(`12:cpu:/other\n0::${ownPath}\n`), ownPath);
  t.equal(tree.pathOf('0::/shop.slice/web\n'), '/shop.slice/web');
  t.equal(tree.folderOf('/shop.slice/web'), join(mount, 'shop.slice/web'));
  t.end();
});

t.test('seen from a cgroup namespace, paths are told from where this process is found', needsCgroup2, (t) => {
  // As in a container: what /proc calls our root lies deep in the node's tree.
  const tree = open(treeWith(t, join('/kubepods/pod1/agent', ownPath!)));
  t.equal(tree.pathOf(`0::${ownPath}`), join('/kubepods/pod1/agent', ownPath!));
  t.equal(tree.pathOf('0::/../../pod2/web'), '/kubepods/pod2/web');
  t.equal(tree.pathOf('0::/../../../system.slice'), '/system.slice');
  t.equal(tree.pathOf('0::/../../../../outside'), undefined, 'above the root of the tree');
  t.end();
});

t.test('a cgroup that has gone is told by the path it had', needsCgroup2, (t) => {
  const tree = open(treeWith(t, ownPath!));
  t.equal(tree.pathOf('0::/shop.slice/web (deleted)\n'), '/shop.slice/web');
  t.equal(tree.pathOf('4:memory:/shop.slice\n'), undefined, 'a process without a line of cgroup2');
  t.equal(tree.pathOf(''), undefined);
  t.end();
});

t.test('no path leads out of the tree', needsCgroup2, (t) => {
  const tree = open(treeWith(t, join('/kubepods/pod1', ownPath!)));
  const segment = fc.constantFrom('..', '.', 'pod2', 'web', '');
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
      const path = tree.pathOf(`0::/${segments.join('/')}`);
      return path === undefined || (path.startsWith('/') && !path.split('/').includes('..'));
    }),
  );
  t.end();
});

t.test('the first cgroup that is wanted is found, the root among them', needsCgroup2, (t) => {
  const mount = treeWith(t, ownPath!);
  mkdirSync(join(mount, 'kubepods/pod1/web'), { recursive: true });
  mkdirSync(join(mount, 'kubepods/pod2'));
  const tree = open(mount);
  t.equal(
    tree.find((path) => path.endsWith('/web')),
    '/kubepods/pod1/web',
  );
  t.equal(
    tree.find(() => true),
    '/',
  );
  const walked: string[] = [];
  const visit = (path: string) => walked.push(path) < 0;
  t.equal(tree.find(visit), undefined);
  t.ok(['/kubepods', '/kubepods/pod1', '/kubepods/pod2'].every((path) => walked.includes(path)));
  t.notOk(walked.includes('/cgroup.procs'), 'files are no cgroups');
  t.end();
});

t.test('a folder that is no mount of cgroup2, or shows another part of it, is refused', needsCgroup2, (t) => {
  t.match(CgroupTree.open(t.testdir({})), /is not a mount of cgroup2: it has no cgroup\.procs/);
  const elsewhere = t.testdir({ 'cgroup.procs': '1\n', 'other.slice': { 'cgroup.procs': '2\n' } });
  t.match(
    CgroupTree.open(elsewhere, process.pid),
    /does not show the cgroup of this process .* mount the node's whole/,
  );
  t.end();
});

t.test('only a whole line is a process', needsCgroup2, (t) => {
  const mount = treeWith(t, ownPath!, `1${process.pid}\n${process.pid}0\n`);
  t.match(CgroupTree.open(mount), /does not show the cgroup of this process/);
  t.end();
});

function open(mount: string): CgroupTree {
  const tree = CgroupTree.open(mount);
  if (typeof tree === 'string') throw new Error(tree);
  return tree;
}

/** A mount whose cgroup at `path` holds this process. */
function treeWith(t: Test, path: string, processes = `${process.pid}\n`): string {
  const mount = t.testdir({ 'cgroup.procs': '' });
  mkdirSync(join(mount, path), { recursive: true });
  writeFileSync(join(mount, path, 'cgroup.procs'), processes);
  return mount;
}
