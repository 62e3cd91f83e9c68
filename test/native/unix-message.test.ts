import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { fileLimit, setSoftFileLimit } from '../../native/file-limit.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { bind, close, connect, listen, send, shutdownWrite } from '../../native/socket.ts';
import {
  createUnixSocket,
  MAX_DESCRIPTORS,
  peerCredentials,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
  type UnixSocketKind,
  unixSocketPair,
} from '../../native/unix-message.ts';
import { isClosedOnExec, openDescriptors } from '../support/open-descriptors.ts';

const KINDS: readonly UnixSocketKind[] = ['stream', 'seqpacket'];
const outgoing = new NativeBuffer(1024);
const incoming = new NativeBuffer(1024);
outgoing.bytes.write('hello, world');

t.test('descriptors arrive under new numbers for the same files', (t) => {
  const path = join(t.testdir({ file: 'content' }), 'file');
  for (const kind of KINDS) {
    const [one, other] = pairFor(t, kind);
    const fd = openSync(path, 'r');
    t.equal(sendMessage(one, outgoing, 5, [fd]), 5);
    closeSync(fd);
    const { length, descriptors } = received(other);
    t.equal(incoming.bytes.toString('latin1', 0, length), 'hello');
    t.equal(descriptors.length, 1);
    const content = Buffer.alloc(7);
    t.equal(readSync(descriptors[0]!, content), 7, 'the sender’s own was closed before');
    t.equal(content.toString(), 'content');
    closeAll(descriptors);
  }
  t.end();
});

t.test('every one that arrives is closed on exec, as are the sockets', (t) => {
  const pair = pairFor(t, 'seqpacket');
  t.ok(pair.every(isClosedOnExec));
  sendMessage(pair[0], outgoing, 1, [0, 1, 2]);
  const { descriptors } = received(pair[1]);
  t.equal(descriptors.length, 3);
  t.ok(descriptors.every(isClosedOnExec));
  closeAll(descriptors);
  const fd = createUnixSocket('stream');
  t.ok(isClosedOnExec(fd));
  close(fd);
  t.end();
});

t.test('a message without descriptors has none', (t) => {
  const [one, other] = pairFor(t, 'stream');
  t.equal(sendMessage(one, outgoing, 5, []), 5);
  t.same(received(other), { length: 5, descriptors: [] });
  t.equal(send(one, outgoing, 0, 3), 3);
  t.same(received(other), { length: 3, descriptors: [] }, 'nor one that was sent in another way');
  t.end();
});

t.test('a stream joins no bytes across descriptors, so that each stay with theirs', (t) => {
  const [one, other] = pairFor(t, 'stream');
  sendMessage(one, outgoing, 3, []);
  sendMessage(one, outgoing, 4, [0]);
  sendMessage(one, outgoing, 5, [0, 1]);
  const counts: number[][] = [];
  for (let rest = 12; rest > 0; ) {
    const { length, descriptors } = received(other);
    counts.push([length, descriptors.length]);
    closeAll(descriptors);
    rest -= length;
  }
  t.same(counts, [
    [7, 1],
    [5, 2],
  ]);
  t.end();
});

t.test('nothing there is -EAGAIN, and the end is length 0', (t) => {
  for (const kind of KINDS) {
    const [one, other] = pairFor(t, kind);
    t.equal(receiveMessage(other, incoming), -Errno.EAGAIN);
    shutdownWrite(one);
    t.same(receiveMessage(other, incoming), { length: 0, descriptors: [] });
  }
  t.end();
});

t.test(`${MAX_DESCRIPTORS} descriptors go with one message, more are refused`, (t) => {
  const [one, other] = pairFor(t, 'seqpacket');
  const before = openDescriptors();
  t.equal(sendMessage(one, outgoing, 1, Array(MAX_DESCRIPTORS).fill(0)), 1);
  const { descriptors } = received(other);
  t.equal(new Set(descriptors).size, MAX_DESCRIPTORS);
  closeAll(descriptors);
  t.equal(sendMessage(one, outgoing, 1, Array(MAX_DESCRIPTORS + 1).fill(0)), -Errno.EINVAL);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('what cannot be sent is a negated errno', (t) => {
  const [one, other] = pairFor(t, 'stream');
  t.equal(sendMessage(one, outgoing, 0, [0]), -Errno.EINVAL, 'descriptors need a byte to go with');
  t.equal(sendMessage(one, outgoing, 1025, []), -Errno.EINVAL, 'more than the buffer has');
  t.equal(sendMessage(one, outgoing, 1, [-1]), -Errno.EBADF);
  t.equal(sendMessage(one, outgoing, 1, [1e9]), -Errno.EBADF);
  t.equal(receiveMessage(other, incoming), -Errno.EAGAIN, 'nothing of it was sent');
  const unconnected = createUnixSocket('stream');
  t.equal(sendMessage(unconnected, outgoing, 1, []), -Errno.ENOTCONN);
  close(unconnected);
  t.end();
});

t.test('a peer that reads no more is an error, not a signal', (t) => {
  const pair = unixSocketPair() as [number, number];
  close(pair[1]);
  t.equal(sendMessage(pair[0], outgoing, 1, [0]), -Errno.EPIPE);
  close(pair[0]);
  t.end();
});

t.test('a message that is longer than the buffer is refused, and its descriptors are closed', (t) => {
  const [one, other] = pairFor(t, 'seqpacket');
  const before = openDescriptors();
  sendMessage(one, outgoing, 12, [0, 1]);
  t.equal(receiveMessage(other, new NativeBuffer(11)), -Errno.EMSGSIZE);
  t.equal(openDescriptors(), before);
  t.equal(receiveMessage(other, incoming), -Errno.EAGAIN, 'the message is gone');
  t.end();
});

t.test('a message whose descriptors find no room is refused, and those that did are closed', (t) => {
  const [one, other] = pairFor(t, 'seqpacket');
  const limit = fileLimit();
  if (typeof limit === 'number') throw new Error(`no limit: ${limit}`);
  sendMessage(one, outgoing, 1, Array(100).fill(0));
  const before = openDescriptors();
  // A descriptor's number is what is limited: the lowest free ones are taken, a few below the limit.
  const next = openSync('/dev/null', 'r');
  closeSync(next);
  t.equal(setSoftFileLimit(next + 10), 0);
  const outcome = receiveMessage(other, incoming);
  t.equal(setSoftFileLimit(limit.soft), 0);
  t.equal(outcome, -Errno.EMFILE);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('a message that nobody reads takes its descriptors along', (t) => {
  const before = openDescriptors();
  const pair = unixSocketPair('seqpacket') as [number, number];
  sendMessage(pair[0], outgoing, 1, [0, 1, 2]);
  closeAll(pair);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('the kernel says who the peer is', (t) => {
  const [one] = pairFor(t, 'stream');
  t.same(peerCredentials(one), { pid: process.pid, uid: process.geteuid!(), gid: process.getegid!() });
  t.equal(peerCredentials(-1), -Errno.EBADF);
  t.equal(peerCredentials(0), -Errno.ENOTSOCK);
  t.end();
});

t.test('sockets of both kinds listen and connect', (t) => {
  for (const kind of KINDS) {
    const address = { kind: 'pipe', path: `@outrigger-test-${process.pid}-${kind}` } as const;
    const [listener, client] = [createUnixSocket(kind), createUnixSocket(kind)];
    t.equal(bind(listener, address), 0);
    t.equal(listen(listener, 1), 0);
    t.equal(connect(client, address), 0);
    closeAll([listener, client]);
  }
  t.end();
});

function pairFor(t: Test, kind: UnixSocketKind): [number, number] {
  const pair = unixSocketPair(kind);
  if (typeof pair === 'number') throw new Error(`no pair: ${pair}`);
  t.teardown(() => closeAll(pair));
  return pair;
}

function received(fd: number): ReceivedMessage {
  const message = receiveMessage(fd, incoming);
  if (typeof message === 'number') throw new Error(`nothing received: ${message}`);
  return message;
}

function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) close(fd);
}
