import t from 'tap';
import { failureText, isFailure, systemFailure } from '../../../bpf/loader/load-failure.ts';
import { Errno } from '../../../native/errno.ts';

t.test('an errno becomes a sentence, negated or not', (t) => {
  const reason = 'cannot pin a map: no space left (ENOSPC)';
  t.same(systemFailure('pin a map', -Errno.ENOSPC), { reason });
  t.same(systemFailure('pin a map', Errno.ENOSPC), { reason });
  t.equal(systemFailure('load it', 4001).reason, 'cannot load it: errno 4001 (errno 4001)');
  t.end();
});

t.test('what a person can mend has a way out, which the text tells', (t) => {
  const failure = systemFailure('load a program', -Errno.EPERM);
  t.equal(
    failureText(failure),
    'cannot load a program: operation not permitted (EPERM); give the process CAP_BPF and CAP_NET_ADMIN (before Linux 5.8: CAP_SYS_ADMIN)',
  );
  t.match(systemFailure('make a folder', Errno.EACCES).wayOut, /^run as a user that may write there/);
  t.equal(failureText({ reason: 'no' }), 'no');
  t.end();
});

t.test('a failure is told from everything else', (t) => {
  t.ok(isFailure({ reason: 'no' }));
  for (const other of [undefined, null, 0, -1, 'reason', {}, new Map(), []]) t.notOk(isFailure(other));
  t.end();
});
