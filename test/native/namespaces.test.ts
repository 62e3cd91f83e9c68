import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { enterNetworkNamespace, networkNamespaceCookie } from '../../native/namespaces.ts';
import { close, createSocket } from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';

t.test('sockets of one namespace have one cookie', (t) => {
  const cookie = cookieHere();
  t.type(cookie, 'bigint');
  t.equal(cookieHere(), cookie);
  t.equal(networkNamespaceCookie(0), -Errno.ENOTSOCK);
  t.equal(networkNamespaceCookie(-1), -Errno.EBADF);
  t.end();
});

t.test('sockets are made in the namespace that was entered, and there only', { skip: skip() }, async (t) => {
  const other = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; read -r line'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(other.stdout, 'data');
  const [here, there] = ['self', other.pid].map((pid) => openSync(`/proc/${pid}/ns/net`, 'r')) as [number, number];
  const [cookie, name] = [cookieHere(), nameHere()];
  t.equal(enterNetworkNamespace(there), 0);
  const [cookieThere, nameThere] = [cookieHere(), nameHere()];
  t.equal(enterNetworkNamespace(here), 0);
  t.not(cookieThere, cookie);
  t.not(nameThere, name);
  t.equal(cookieHere(), cookie);
  t.equal(nameHere(), name);
  for (const fd of [here, there]) closeSync(fd);
  other.stdin.end();
  await once(other, 'exit');
});

t.test('what is no network namespace cannot be entered', (t) => {
  const fd = openSync('/proc/self/ns/mnt', 'r');
  t.equal(enterNetworkNamespace(fd), -Errno.EINVAL);
  t.equal(enterNetworkNamespace(-1), -Errno.EBADF);
  closeSync(fd);
  t.end();
});

function skip(): string | false {
  return bpfSkipReason('namespaces') ?? false;
}

function cookieHere(): bigint | number {
  const fd = createSocket(AddressFamily.ipv4);
  const cookie = networkNamespaceCookie(fd);
  close(fd);
  return cookie;
}

/** Of this thread: /proc/self is the process's first. */
function nameHere(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}
