import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { bind, close, createSocket, listen } from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { networkNamespaceOf, peerProcess, socketKind } from '../../native/socket-origin.ts';
import { unixSocketPair } from '../../native/unix-message.ts';
import { rootProblem } from '../support/privileges.ts';

t.test('a socket tells its family, type and protocol, and whether it listens', (t) => {
  const fd = createSocket(AddressFamily.ipv6);
  t.teardown(() => close(fd));
  t.same(socketKind(fd), { family: AddressFamily.ipv6, type: 1, protocol: 6, isListening: false });
  bind(fd, { kind: 'ip', ip: '::1', port: 0 });
  listen(fd, 1);
  t.match(socketKind(fd), { isListening: true });
  t.end();
});

t.test('a file is no socket', (t) => {
  const fd = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(fd));
  t.equal(socketKind(fd), -Errno.ENOTSOCK);
  t.equal(peerProcess(fd), -Errno.ENOTSOCK);
  t.ok(networkNamespaceOf(fd) < 0);
  t.end();
});

t.test('the peer of a Unix socket is a process that can be held', (t) => {
  const pair = unixSocketPair();
  if (typeof pair === 'number') throw new Error(`socketpair: ${pair}`);
  t.teardown(() => pair.map(close));
  const fd = peerProcess(pair[0]);
  if (fd === -Errno.ENOPROTOOPT) {
    t.comment('this kernel has no SO_PEERPIDFD (Linux 6.5)');
    t.end();
    return;
  }
  t.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), new RegExp(`^Pid:\\s*${process.pid}$`, 'm'));
  close(fd);
  t.end();
});

t.test('a socket knows its network namespace', { skip: rootProblem() ?? false }, (t) => {
  const fd = createSocket(AddressFamily.ipv4);
  t.teardown(() => close(fd));
  const namespace = networkNamespaceOf(fd);
  t.ok(namespace >= 0);
  t.equal(fstatSync(namespace).ino, statSync('/proc/self/ns/net').ino);
  close(namespace);
  t.end();
});
