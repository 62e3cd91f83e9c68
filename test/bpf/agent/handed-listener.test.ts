import { closeSync, openSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { commonNamespace, type HandedListener, listenerProblem } from '../../../bpf/agent/handed-listener.ts';
import { bind, close, createSocket, listen } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { createUnixSocket } from '../../../native/unix-message.ts';
import { rootProblem } from '../../support/privileges.ts';

const peer = { read: (file: string) => readFileSync(`/proc/self/${file}`, 'latin1') };
const stranger = { read: () => 'sl local_address rem_address\n' };

t.test('a listening socket of the peer’s own namespace is taken', (t) => {
  t.equal(listenerProblem([listener(t, 'ipv4')], peer), undefined);
  t.equal(listenerProblem([listener(t, 'ipv4'), listener(t, 'ipv6')], peer), undefined);
  t.equal(listenerProblem([], peer), undefined);
  t.end();
});

t.test('one that the peer’s namespace does not have is refused, but to root of the node', (t) => {
  const handed = [listener(t, 'ipv4')];
  t.match(listenerProblem(handed, stranger), /not of the network namespace of the process/);
  t.match(
    listenerProblem(handed, { read: () => undefined }),
    /not of the network namespace/,
    'a peer that is gone has none',
  );
  t.equal(listenerProblem(handed, undefined), undefined);
  t.end();
});

t.test('what is no listening socket of TCP and of its family is refused by what it is', (t) => {
  const file = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(file));
  const unix = createUnixSocket('stream');
  const deaf = createSocket(AddressFamily.ipv4);
  t.teardown(() => [unix, deaf].map(close));
  const { fd } = listener(t, 'ipv6');
  const wrong: readonly [number, RegExp][] = [
    [file, /no socket/],
    [unix, /not one of TCP/],
    [fd, /of another family/],
    [deaf, /does not listen/],
  ];
  for (const [fd, problem] of wrong) t.match(listenerProblem([{ family: 'ipv4', fd }], peer), problem);
  t.end();
});

t.test('the agent’s own namespace is nobody’s', { skip: rootProblem() ?? false }, (t) => {
  t.match(commonNamespace([listener(t, 'ipv4')]), /hostNetwork/);
  t.equal(commonNamespace([]), -1);
  t.end();
});

function listener(t: Test, family: HandedListener['family']): HandedListener {
  const fd = createSocket(AddressFamily[family]);
  t.teardown(() => close(fd));
  const bound = bind(fd, { kind: 'ip', ip: family === 'ipv4' ? '127.0.0.1' : '::1', port: 0 });
  if (bound < 0 || listen(fd, 1) < 0) throw new Error('cannot listen');
  return { family, fd };
}
