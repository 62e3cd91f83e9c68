import t from 'tap';
import { delayAcknowledgements, setBlocking, unacknowledgedBytes } from '../../native/blocking-socket.ts';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, receive, send } from '../../native/socket.ts';
import { connectedPair } from '../support/socket-pair.ts';

const buffer = new NativeBuffer(100);

t.test('a read waits for so long, and no longer', (t) => {
  const [client, server] = connectedPair();
  t.equal(receive(client, buffer, 0, 1), -Errno.EAGAIN);
  t.equal(setBlocking(client, 20), 0);
  const beganMs = performance.now();
  t.equal(receive(client, buffer, 0, 1), -Errno.EAGAIN);
  t.ok(performance.now() - beganMs >= 19);
  close(client);
  close(server);
  t.end();
});

t.test('acknowledgements that may wait leave bytes unacknowledged', (t) => {
  const [client, server] = connectedPair();
  t.equal(unacknowledgedBytes(client), 0);
  t.equal(delayAcknowledgements(server), 0);
  t.equal(send(client, buffer, 0, 100), 100);
  t.equal(unacknowledgedBytes(client), 100);
  // Whoever answers acknowledges.
  send(server, buffer, 0, 1);
  t.equal(unacknowledgedBytes(client), 0);
  close(client);
  close(server);
  t.end();
});

t.test('what is no socket is told as an error', (t) => {
  t.equal(setBlocking(-1, 1), -Errno.EBADF);
  t.equal(delayAcknowledgements(-1), -Errno.EBADF);
  t.equal(unacknowledgedBytes(-1), -Errno.EBADF);
  t.end();
});
