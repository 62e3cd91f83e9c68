import fc from 'fast-check';
import t from 'tap';
import { mountsOfType } from '../../../bpf/loader/mounts.ts';

const TABLE = `22 1 259:0 / / rw,relatime shared:1 - ext4 /dev/root rw
31 22 0:25 / /sys/fs/cgroup ro,nosuid shared:9 master:2 - tmpfs tmpfs ro,mode=755
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
42 31 0:38 /pods /mnt/read\\040only ro,relatime - cgroup2 cgroup2 rw
43 31 0:39 / /sys/fs/bpf rw,relatime shared:7 - bpf bpf ro,mode=700
`;

t.test('mounts are found by type, with their paths as they are', (t) => {
  t.same(mountsOfType('cgroup2', TABLE), [
    { path: '/sys/fs/cgroup/unified', type: 'cgroup2', isReadOnly: false, root: '/' },
    { path: '/mnt/read only', type: 'cgroup2', isReadOnly: true, root: '/pods' },
  ]);
  t.same(mountsOfType('tmpfs', TABLE)[0]?.path, '/sys/fs/cgroup', 'optional fields are passed over');
  t.equal(mountsOfType('bpf', TABLE)[0]?.isReadOnly, true, 'the filesystem itself is read-only');
  t.same(mountsOfType('none', TABLE), []);
  t.end();
});

t.test('this machine’s own table is read', (t) => {
  t.ok(mountsOfType('proc').some(({ path }) => path === '/proc'));
  t.end();
});

t.test('every path comes back, whatever is in it', (t) => {
  const octal = (path: string) =>
    path.replaceAll(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  fc.assert(
    fc.property(fc.string(), fc.boolean(), (name, isReadOnly) => {
      const path = `/${name}`;
      const line = `1 2 0:1 / ${octal(path)} ${isReadOnly ? 'ro' : 'rw'},relatime - bpf none rw`;
      t.same(mountsOfType('bpf', `${line}\n`), [{ path, type: 'bpf', isReadOnly, root: '/' }]);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('lines that are none are passed over', (t) => {
  fc.assert(fc.property(fc.string(), (text) => void mountsOfType('bpf', text)));
  t.same(mountsOfType('bpf', '\n1 2 3 - bpf\n- bpf bpf rw\n'), []);
  t.end();
});
