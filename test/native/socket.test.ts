import { readdirSync } from 'node:fs';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import * as socket from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { connectedPair } from '../support/socket-pair.ts';

const buffer = new NativeBuffer(1024);

t.test('bytes go from one side to the other', (t) => {
  const [one, other] = connectedPair();
  buffer.bytes.write('..hello');
  t.equal(socket.send(one, buffer, 2, 5), 5);
  t.equal(socket.readableBytes(other), 5);
  t.equal(socket.peek(other, buffer, 100, 100), 5, 'peeking consumes nothing');
  t.equal(socket.receive(other, buffer, 200, 100), 5);
  t.equal(buffer.bytes.toString('latin1', 200, 205), 'hello');
  t.equal(socket.receive(other, buffer, 0, 100), -Errno.EAGAIN);
  t.equal(socket.shutdownWrite(one), 0);
  t.equal(socket.receive(other, buffer, 0, 100), 0, 'the end');
  socket.close(one);
  socket.close(other);
  t.end();
});

t.test('both sides know both addresses', (t) => {
  for (const ip of ['127.0.0.1', '::1']) {
    const [one, other] = connectedPair({ kind: 'ip', ip, port: 0 });
    t.same(socket.localAddress(one), socket.remoteAddress(other));
    t.same(socket.remoteAddress(one), socket.localAddress(other));
    t.match(socket.localAddress(one), { kind: 'ip', ip });
    socket.close(one);
    socket.close(other);
  }
  t.end();
});

t.test('sockets of the abstract namespace connect, and their client is unnamed', (t) => {
  const at = { kind: 'pipe', path: `@outrigger-test-${process.pid}` } as const;
  const [one, other] = connectedPair(at);
  t.same(socket.remoteAddress(one), at);
  t.equal(socket.remoteAddress(other), undefined);
  socket.close(one);
  socket.close(other);
  t.end();
});

t.test('writing to a peer that is gone is an errno and no signal', (t) => {
  const [one, other] = connectedPair();
  socket.setLinger(other, 0);
  socket.close(other);
  t.equal(socket.socketError(one), Errno.ECONNRESET);
  t.equal(socket.socketError(one), 0, 'told once');
  t.equal(socket.send(one, buffer, 0, 1), -Errno.EPIPE);
  socket.close(one);
  t.end();
});

t.test('failures are negated errnos', (t) => {
  t.equal(socket.close(-1), -Errno.EBADF);
  t.equal(socket.receive(-1, buffer, 0, 1), -Errno.EBADF);
  t.equal(socket.setNoDelay(-1, true), -Errno.EBADF);
  t.equal(socket.socketError(-1), -Errno.EBADF);
  t.equal(socket.bind(-1, { kind: 'ip', ip: 'nonsense', port: 0 }), -Errno.EINVAL);
  t.equal(socket.localAddress(-1), undefined);
  const one = socket.createSocket(AddressFamily.ipv4);
  t.equal(socket.bind(one, { kind: 'ip', ip: '127.0.0.1', port: 0 }), 0);
  socket.listen(one, 1);
  const other = socket.createSocket(AddressFamily.ipv4);
  t.equal(socket.bind(other, socket.localAddress(one)!), -Errno.EADDRINUSE);
  socket.close(one);
  socket.close(other);
  t.end();
});

t.test('options are accepted by sockets of both families', (t) => {
  for (const family of [AddressFamily.ipv4, AddressFamily.ipv6]) {
    const fd = socket.createSocket(family);
    t.equal(socket.setNoDelay(fd, true), 0);
    t.equal(socket.setReuseAddress(fd), 0);
    t.equal(socket.setReusePort(fd), 0);
    t.equal(socket.setKeepAlive(fd, { probes: 3, timeSeconds: 60, intervalSeconds: 5 }), 0);
    t.equal(socket.setKeepAlive(fd, {}), 0);
    t.equal(socket.setFreebind(fd, family), 0);
    t.equal(socket.setReceiveBuffer(fd, 65536), 0);
    t.equal(socket.setSendBuffer(fd, 65536), 0);
    t.equal(socket.setLinger(fd, 1), 0);
    if (family === AddressFamily.ipv6) t.equal(socket.setIpv6Only(fd, true), 0);
    else t.equal(socket.setBindAddressNoPort(fd), 0);
    socket.close(fd);
  }
  t.end();
});

t.test('a mark and transparency need a privilege and say so', (t) => {
  const fd = socket.createSocket(AddressFamily.ipv4);
  for (const result of [socket.setMark(fd, 7), socket.setTransparent(fd, AddressFamily.ipv4)]) {
    t.ok(result === 0 || result === -Errno.EPERM, `${result}`);
  }
  socket.close(fd);
  t.end();
});

t.test('a connection that nobody redirected has no original destination', (t) => {
  const [one, other] = connectedPair();
  t.equal(socket.originalDestination(other), undefined);
  socket.close(one);
  socket.close(other);
  t.end();
});

t.test('a duplicate keeps the socket open, and each descriptor is closed once', (t) => {
  const before = readdirSync('/proc/self/fd').length;
  const [one, other] = connectedPair();
  const copy = socket.duplicate(other);
  t.equal(socket.close(other), 0);
  t.equal(socket.send(copy, buffer, 0, 3), 3);
  t.equal(socket.receive(one, buffer, 0, 3), 3);
  t.equal(socket.close(copy), 0);
  t.equal(socket.receive(one, buffer, 0, 3), 0, 'closed with the last descriptor');
  t.equal(socket.close(one), 0);
  t.equal(readdirSync('/proc/self/fd').length, before);
  t.end();
});
