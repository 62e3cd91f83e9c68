// The rules for descriptors (native/README.md): whoever asks for one has it alone, closes it once, and no program that is
// started gets it. Where there is none left, that is a number, and nothing is left behind.

import t from 'tap';
import { Epoll } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import { createEventFd } from '../../native/event-fd.ts';
import { raiseFileLimit, setSoftFileLimit } from '../../native/file-limit.ts';
import { createMemoryFile } from '../../native/memory-file.ts';
import { close, createSocket, duplicate } from '../../native/socket.ts';
import { networkNamespaceOf, peerProcess } from '../../native/socket-origin.ts';
import { createPipe } from '../../native/splice.ts';
import { createUnixSocket, unixSocketPair } from '../../native/unix-message.ts';
import { isClosedOnExec, openDescriptors } from '../support/open-descriptors.ts';
import { rootProblem } from '../support/privileges.ts';
import { connectedPair } from '../support/socket-pair.ts';

const IPV4 = 2;

/** All that is given, or a negated errno. */
type Giver = () => readonly number[] | number;

const one = (fd: number) => (fd < 0 ? fd : [fd]);

const givers: Readonly<Record<string, Giver>> = {
  'a socket': () => one(createSocket(IPV4)),
  'a Unix socket': () => one(createUnixSocket('stream')),
  'a pair of Unix sockets': () => unixSocketPair(),
  'a duplicate': () => one(duplicate(0)),
  'an event counter': () => one(createEventFd()),
  'a file in memory': () => one(createMemoryFile('test')),
  'a pipe': () => {
    const pipe = createPipe();
    return typeof pipe === 'number' ? pipe : [pipe.readFd, pipe.writeFd];
  },
};

for (const [name, give] of Object.entries(givers)) {
  t.test(`${name} is closed on exec, and by its owner once`, (t) => {
    const before = openDescriptors();
    const given = give() as readonly number[];
    t.equal(openDescriptors(), before + given.length);
    t.ok(given.every(isClosedOnExec));
    for (const fd of given) t.same([close(fd), close(fd)], [0, -Errno.EBADF]);
    t.equal(openDescriptors(), before);
    t.end();
  });

  t.test(`without room for it ${name} is -EMFILE, and takes none`, (t) => {
    const given = give() as readonly number[];
    for (const fd of given) close(fd);
    // One less than it needs.
    const refused = withRoomFor(given.length - 1, () => {
      const result = give();
      const left = duplicate(0);
      return { result, hasTaken: given.length > 1 && left < 0, left };
    });
    if (refused.left >= 0) close(refused.left);
    t.same([refused.result, refused.hasTaken], [-Errno.EMFILE, false]);
    t.end();
  });
}

t.test('both ends of a connection that was accepted are closed on exec', (t) => {
  const before = openDescriptors();
  const pair = connectedPair();
  t.ok(pair.every(isClosedOnExec));
  t.equal(openDescriptors(), before + 2);
  for (const fd of pair) close(fd);
  t.end();
});

t.test('an epoll set is closed on exec, and one that cannot be made leaves none', (t) => {
  const next = duplicate(0);
  close(next);
  const epoll = new Epoll();
  t.ok(isClosedOnExec(next));
  epoll.close();
  t.equal(close(next), -Errno.EBADF);
  t.throws(() => withRoomFor(0, () => new Epoll()), /errno 24$/);
  t.end();
});

t.test('a peer’s process is a descriptor of its own each time', (t) => {
  const pair = unixSocketPair() as [number, number];
  const [first, second] = [peerProcess(pair[0]), peerProcess(pair[0])];
  t.ok(first >= 0 && second >= 0 && first !== second);
  t.ok([first, second].every(isClosedOnExec));
  for (const fd of [...pair, first, second]) t.equal(close(fd), 0);
  t.end();
});

t.test('so is a socket’s network namespace', { skip: rootProblem() ?? false }, (t) => {
  const socket = createSocket(IPV4);
  const [first, second] = [networkNamespaceOf(socket), networkNamespaceOf(socket)];
  t.ok(first >= 0 && second >= 0 && first !== second);
  t.ok([first, second].every(isClosedOnExec));
  for (const fd of [socket, first, second]) t.equal(close(fd), 0);
  t.end();
});

/** Calls it while this many descriptors can be had. */
function withRoomFor<T>(count: number, call: () => T): T {
  const held: number[] = [];
  const first = duplicate(0);
  // All numbers below are taken then.
  for (let fd = first; held.length < 64; fd = duplicate(0)) held.push(fd);
  const highest = Math.max(...held);
  const room = held.slice(held.length - count);
  setSoftFileLimit(highest + 1);
  for (const fd of count === 0 ? [] : room) close(fd);
  try {
    return call();
  } finally {
    raiseFileLimit();
    for (const fd of held) if (count === 0 || !room.includes(fd)) close(fd);
  }
}
