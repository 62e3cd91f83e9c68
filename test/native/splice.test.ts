import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, receive, send, shutdownWrite } from '../../native/socket.ts';
import { createPipe, type Pipe, splice } from '../../native/splice.ts';
import { connectedPair } from '../support/socket-pair.ts';

t.test('bytes of one connection arrive on another through a pipe', (t) => {
  const [client, downstream] = connectedPair();
  const [upstream, endpoint] = connectedPair();
  const pipe = createPipe() as Pipe;
  const buffer = new NativeBuffer(64);
  buffer.bytes.write('forwarded');
  t.equal(splice(downstream, pipe.writeFd, 65536), -Errno.EAGAIN, 'nothing to move yet');
  send(client, buffer, 0, 9);
  t.equal(splice(downstream, pipe.writeFd, 65536), 9);
  t.equal(splice(pipe.readFd, upstream, 9), 9);
  buffer.bytes.fill(0);
  t.equal(receive(endpoint, buffer, 0, 64), 9);
  t.equal(buffer.bytes.toString('latin1', 0, 9), 'forwarded');
  shutdownWrite(client);
  t.equal(splice(downstream, pipe.writeFd, 65536), 0, 'the end');
  for (const fd of [client, downstream, upstream, endpoint, pipe.readFd, pipe.writeFd]) t.equal(close(fd), 0);
  t.end();
});
