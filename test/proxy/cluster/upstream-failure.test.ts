// In which words a failure is told, and of which kind it is.

import t from 'tap';
import { connectFailure, invalidResponseFailure, terminationFailure } from '../../../proxy/cluster/upstream-failure.ts';

t.test('a connection that was not made says why', (t) => {
  t.equal(connectFailure({ kind: 'connect-timeout' }).kind, 'connect-timeout');
  t.same(connectFailure({ kind: 'error', errno: 111 }), {
    kind: 'connect-failure',
    reason: 'connection refused',
    errno: 111,
  });
  t.equal(connectFailure({ kind: 'tls', problem: 'no name' }).tlsProblem, 'no name');
  for (const kind of ['local', 'remote'] as const)
    t.match(connectFailure({ kind }).reason, /before it was established$/);
  t.end();
});

t.test('one that is lost says so, and after how long it was used again', (t) => {
  t.equal(
    terminationFailure({ kind: 'remote' }, -1).reason,
    'the endpoint closed the connection before the response was complete',
  );
  t.match(terminationFailure({ kind: 'tls', problem: 'cut' }, 3210).reason, /^TLS: cut .*reused after 3\.2 s idle\)$/);
  t.end();
});

t.test('an answer that is none is of a kind of its own', (t) => {
  t.same(invalidResponseFailure('no status'), {
    kind: 'protocol-error',
    reason: "the endpoint's response is not valid HTTP/1.1: no status",
  });
  t.end();
});
