import t from 'tap';
import { findBpffs, hasNoBpffs } from '../../../bpf/loader/bpffs.ts';
import { bpfSkipReason, temporaryBpffs } from '../../support/bpf-environment.ts';

const mount = (path: string, isReadOnly = false) => ({ path, type: 'bpf', isReadOnly, root: '/' });

t.test('the usual place is taken, or the only one', (t) => {
  t.same(findBpffs(undefined, [mount('/other'), mount('/sys/fs/bpf')]), { path: '/sys/fs/bpf' });
  t.same(findBpffs(undefined, [mount('/other')]), { path: '/other' });
  t.end();
});

t.test('what is missing is told with what to do about it', (t) => {
  t.match(findBpffs(undefined, []), { reason: /^bpffs is not mounted/, wayOut: /mount -t bpf bpf \/sys\/fs\/bpf/ });
  t.match(findBpffs(undefined, [mount('/sys/fs/bpf', true)]), {
    reason: 'bpffs at /sys/fs/bpf is mounted read-only, so nothing can be pinned',
    wayOut: 'remount it: mount -o remount,rw /sys/fs/bpf',
  });
  t.match(findBpffs(undefined, [mount('/a'), mount('/b')]), { reason: /none of them \/sys\/fs\/bpf: \/a, \/b$/ });
  t.end();
});

t.test('there is none where mounts can be read and none is of it', (t) => {
  const mounted = (types: readonly string[]) => (type: string) =>
    types.includes(type) ? [{ path: '/x', type, isReadOnly: false, root: '/' }] : [];
  t.ok(hasNoBpffs(mounted(['proc'])));
  t.notOk(hasNoBpffs(mounted(['proc', 'bpf'])));
  t.notOk(hasNoBpffs(mounted([])), 'nobody knows');
  t.end();
});

t.test('a given place must be one', (t) => {
  t.match(findBpffs(t.testdir()), { reason: /is not a bpffs/, wayOut: /mount -t bpf/ });
  t.match(findBpffs('/nowhere'), { reason: 'cannot look at /nowhere: no such file or directory (ENOENT)' });
  t.end();
});

t.test('a mounted one is found to be one', { skip: bpfSkipReason('bpffs') ?? false }, (t) => {
  const path = temporaryBpffs(t);
  t.same(findBpffs(path), { path });
  t.end();
});
