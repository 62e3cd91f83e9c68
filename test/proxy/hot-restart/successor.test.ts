import { openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { fileLimit, setSoftFileLimit } from '../../../native/file-limit.ts';
import { close } from '../../../native/socket.ts';
import { unixSocketPair } from '../../../native/unix-message.ts';
import { Channel } from '../../../proxy/hot-restart/channel.ts';
import { decodeFromSuccessor } from '../../../proxy/hot-restart/message.ts';
import { HotRestartSuccessor } from '../../../proxy/hot-restart/successor.ts';
import type { WantedAddress } from '../../../proxy/listener/inherited-sockets.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';

const wanted: WantedAddress = {
  listener: 'http',
  address: { kind: 'ip', ip: '127.0.0.1', port: 80 },
  ipv4Compatible: false,
};

/** A successor, and its parent as the test plays it. */
function make(t: Test) {
  const pair = unixSocketPair('seqpacket');
  if (typeof pair === 'number') throw new Error(`no socket pair: ${pair}`);
  const parent = new Channel(pair[0]);
  const log: string[] = [];
  const files: number[] = [];
  const successor = new HotRestartSuccessor(new Channel(pair[1]), {
    onStatistics: (file) => void files.push(file),
    giveUp: (reason) => {
      throw new Error(reason);
    },
    log: { info: (text) => void log.push(text), warn: (text) => void log.push(text) },
    answerWithinMs: 20,
  });
  t.teardown(() => {
    successor.close();
    parent.close();
  });
  const heard = () => {
    const received = parent.receive();
    return received.kind === 'message' ? decodeFromSuccessor(received.bytes) : received.kind;
  };
  return { parent, successor, heard, log, files };
}

const anyDescriptor = (): number => openSync('/dev/null', 'r');

t.test('sockets of several messages are one answer', (t) => {
  const { parent, successor, heard } = make(t);
  const sent = [anyDescriptor(), anyDescriptor(), anyDescriptor()];
  parent.send({ kind: 'sockets', isLast: false }, sent.slice(0, 2));
  parent.send({ kind: 'sockets', isLast: true }, sent.slice(2));
  const sockets = successor.inherit(wanted);
  t.equal(new Set(sockets).size, 3);
  t.same(heard(), { kind: 'sockets', ...wanted });
  for (const each of [...sent, ...sockets]) close(each);
  t.end();
});

t.test('a parent that does not answer, or answers something else, is given up', (t) => {
  const silent = make(t);
  t.throws(() => silent.successor.inherit(wanted), /did not answer within 0.02 s/);
  const strange = make(t);
  strange.parent.send({ kind: 'retired' });
  t.throws(() => strange.successor.inherit(wanted), /answers retired to sockets/);
  t.end();
});

t.test('a process without room for the sockets gives up, and does not take the parent for dead', (t) => {
  const { parent, successor } = make(t);
  const sent = anyDescriptor();
  parent.send({ kind: 'sockets', isLast: true }, [sent, sent]);
  const before = openDescriptors();
  const limit = fileLimit();
  if (typeof limit === 'number') throw new Error(`no limit: ${limit}`);
  const lowestFree = anyDescriptor();
  close(lowestFree);
  setSoftFileLimit(lowestFree + 1);
  t.throws(() => successor.inherit(wanted), /sent what cannot be received: too many open files/);
  setSoftFileLimit(limit.soft);
  t.equal(openDescriptors(), before);
  close(sent);
  t.end();
});

t.test('a parent that dies between two messages leaves what it has passed', async (t) => {
  const { parent, successor, log } = make(t);
  const sent = anyDescriptor();
  parent.send({ kind: 'sockets', isLast: false }, [sent]);
  parent.close();
  const sockets = successor.inherit(wanted);
  t.equal(sockets.length, 1);
  t.same(successor.inherit(wanted), [], 'nobody is asked any more');
  await successor.adminFree;
  t.matchOnly(log, [/has ended before it retired/]);
  for (const each of [sent, ...sockets]) close(each);
});

t.test('it takes over when it serves, and waits for the admin address', async (t) => {
  const { parent, successor, heard } = make(t);
  successor.serves();
  successor.serves();
  t.same(heard(), { kind: 'take-over' });
  t.equal(heard(), 'none', 'once');
  t.same(successor.inherit(wanted), [], 'listeners that come later are its own');
  parent.send({ kind: 'retired' });
  await successor.adminFree;
});

t.test('statistics are taken of a parent that has retired, and no descriptor stays open', async (t) => {
  const { parent, successor, files } = make(t);
  successor.serves();
  const file = anyDescriptor();
  const before = openDescriptors();
  parent.send({ kind: 'statistics' }, [file]);
  parent.send({ kind: 'retired' }, [file]);
  await successor.adminFree;
  t.same(files, [], 'not before');
  parent.send({ kind: 'statistics' }, [file, file]);
  parent.send({ kind: 'statistics' }, [file]);
  while (files.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(files.length, 1, 'one file a message');
  t.equal(openDescriptors(), before);
  close(file);
});
