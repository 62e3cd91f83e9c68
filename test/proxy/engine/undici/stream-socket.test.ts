// What undici's client relies on of its socket: who has read how much, which events come, and one end.

import t from 'tap';
import { LibraryTurn } from '../../../../proxy/engine/undici/library-turn.ts';
import { StreamSocket } from '../../../../proxy/engine/undici/stream-socket.ts';
import { OutputBuffer } from '../../../../proxy/http/http1/output-buffer.ts';
import type { ByteStream } from '../../../../proxy/reactor/byte-stream.ts';
import type { Reactor } from '../../../../proxy/reactor/reactor.ts';

function open() {
  const output = new OutputBuffer();
  const reactor = { enter: () => undefined, leave: () => undefined } as unknown as Reactor;
  const calls: string[] = [];
  const stream = {
    isClosed: false,
    pendingWriteBytes: 0,
    write: (buffer: { bytes: Buffer }, start: number, end: number) =>
      calls.push(`write ${buffer.bytes.latin1Slice(start, end)}`),
    close: () => calls.push('close'),
    reset: () => calls.push('reset'),
  };
  const socket = new StreamSocket(new LibraryTurn(reactor, output), output);
  socket.stream = stream as unknown as ByteStream;
  return { socket, stream, calls };
}

const hello = Buffer.from('hello');

t.test('bytes count as taken when they were read, and not when nobody read', async (t) => {
  const { socket } = open();
  t.equal(socket.receive(hello), 0);
  socket.on('readable', () => {
    t.equal(socket.read(), hello);
    t.equal(socket.read(), null);
  });
  t.equal(socket.receive(hello), 5);
});

t.test('what was read and given back is not taken', async (t) => {
  const { socket } = open();
  socket.on('readable', () => socket.unshift(socket.read()!.subarray(2)));
  t.equal(socket.receive(hello), 2);
  t.equal(socket.receive(hello), 2, 'each piece counts for itself');
});

t.test('a listener that goes away in the middle of an event takes no other with it', async (t) => {
  const { socket } = open();
  const heard: string[] = [];
  const first = () => {
    heard.push('first');
    socket.removeListener('end', first);
  };
  socket.on('end', first).on('end', () => heard.push('second'));
  socket.emit('end');
  socket.emit('end');
  t.same(heard, ['first', 'second', 'second']);
  t.equal(
    socket.off('never', () => undefined),
    socket,
  );
});

t.test('what one turn writes leaves together', async (t) => {
  const { socket, calls } = open();
  t.ok(socket.write('caf\xe9: ', 'latin1'));
  t.ok(socket.write(hello));
  t.same(calls, []);
  await Promise.resolve();
  t.same(calls, ['write caf\xe9: hello']);
});

t.test('an endpoint that takes nothing is told of', async (t) => {
  const { socket, stream } = open();
  stream.pendingWriteBytes = 1;
  t.notOk(socket.write('x'));
  t.ok(socket.writableNeedDrain);
});

t.test('it is destroyed once, with the first reason, and takes nothing afterwards', async (t) => {
  const { socket, calls } = open();
  const [first, second] = [new Error('first'), new Error('second')];
  socket.destroy(first).destroy(second);
  t.equal(socket.errored, first);
  t.notOk(socket.write('x'));
  await Promise.resolve();
  t.same(calls, ['close']);
});

t.test('its end is told with the error in front', async (t) => {
  const { socket, calls } = open();
  const heard: unknown[] = [];
  socket.on('error', (error) => heard.push(error?.message)).on('close', () => heard.push('close'));
  socket.reset();
  socket.end(new Error('read ECONNRESET'));
  t.same(heard, ['read ECONNRESET', 'close']);
  t.ok(socket.destroyed);
  t.same(calls, ['reset']);
});
