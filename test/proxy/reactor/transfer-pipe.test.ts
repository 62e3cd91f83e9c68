import t, { type Test } from 'tap';
import { Errno } from '../../../native/errno.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, receive, send, setSendBuffer } from '../../../native/socket.ts';
import { TransferPipe } from '../../../proxy/reactor/transfer-pipe.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';
import { connectedPair } from '../../support/socket-pair.ts';

t.test('bytes pass from one socket to another', (t) => {
  const { pipe, client, downstream, upstream, endpoint, buffer } = open(t);
  t.equal(pipe.fill(downstream, 100), -Errno.EAGAIN);
  buffer.bytes.write('forwarded');
  send(client, buffer, 0, 9);
  t.equal(pipe.fill(downstream, 100), 9);
  t.equal(pipe.empty(upstream, 9), 9);
  buffer.bytes.fill(0);
  t.equal(receive(endpoint, buffer, 0, 100), 9);
  t.equal(buffer.bytes.latin1Slice(0, 9), 'forwarded');
  t.end();
});

t.test('what a socket does not take is read out, in order', (t) => {
  const { pipe, client, downstream, upstream, endpoint, buffer } = open(t);
  setSendBuffer(upstream, 4096);
  for (let index = 0; index < buffer.length; index++) buffer.bytes[index] = index % 251;
  const expected = Buffer.from(buffer.bytes);
  const sent = send(client, buffer, 0, buffer.length);
  let filled = 0;
  const rest: Buffer[] = [];
  let arrived = 0;
  let isFull = false;
  while (filled < sent) {
    const count = pipe.fill(downstream, sent);
    if (count === -Errno.EAGAIN) continue;
    filled += count;
    const taken: number = isFull ? 0 : Math.max(0, pipe.empty(upstream, count));
    arrived += taken;
    isFull ||= taken < count;
    for (let left = count - taken; left > 0; ) {
      const read = pipe.read(buffer, 0, Math.min(left, 1000));
      rest.push(Buffer.from(buffer.bytes.subarray(0, read)));
      left -= read;
    }
  }
  t.ok(rest.length > 0, 'the socket was full');
  t.equal(pipe.read(buffer, 0, 1), -Errno.EAGAIN, 'the pipe is empty');
  const received: Buffer[] = [];
  for (let left = arrived; left > 0; ) {
    const count = receive(endpoint, buffer, 0, buffer.length);
    if (count === -Errno.EAGAIN) continue;
    received.push(Buffer.from(buffer.bytes.subarray(0, count)));
    left -= count;
  }
  t.ok(Buffer.concat([...received, ...rest]).equals(expected.subarray(0, sent)));
  t.end();
});

t.test('bytes that nobody wants are dropped', (t) => {
  const { pipe, client, downstream, upstream, endpoint, buffer } = open(t);
  send(client, buffer, 0, 5000);
  t.equal(pipe.fill(downstream, 5000), 5000);
  pipe.discard(5000, new NativeBuffer(300));
  t.equal(pipe.read(buffer, 0, 1), -Errno.EAGAIN);
  buffer.bytes.write('next');
  send(client, buffer, 0, 4);
  pipe.empty(upstream, pipe.fill(downstream, 5000));
  t.equal(receive(endpoint, buffer, 0, 100), 4, 'and do not reach the next one');
  t.end();
});

t.test('a pipe is two descriptors, closed with it', (t) => {
  const before = openDescriptors();
  const pipe = TransferPipe.open()!;
  t.equal(openDescriptors(), before + 2);
  pipe.close();
  t.equal(openDescriptors(), before);
  t.end();
});

function open(t: Test) {
  const [client, downstream] = connectedPair();
  const [upstream, endpoint] = connectedPair();
  const pipe = TransferPipe.open()!;
  t.teardown(() => {
    pipe.close();
    for (const fd of [client, downstream, upstream, endpoint]) close(fd);
  });
  return { pipe, client, downstream, upstream, endpoint, buffer: new NativeBuffer(256 * 1024) };
}
