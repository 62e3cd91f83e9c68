import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, receive, send, setSendBuffer, shutdownWrite } from '../../native/socket.ts';
import { tcpBytesAcknowledged, tcpBytesReceived, tcpBytesWritten } from '../../native/tcp-info.ts';
import { connectedPair } from '../support/socket-pair.ts';

const bytes = new NativeBuffer(1000);

t.test('bytes are counted as they come, read or not, and the end as one more', (t) => {
  const [client, accepted] = connectedPair();
  t.equal(tcpBytesReceived(accepted), 0);
  send(client, bytes, 0, 700);
  t.equal(tcpBytesReceived(accepted), 700);
  t.equal(receive(accepted, bytes, 0, 500), 500);
  send(client, bytes, 0, 300);
  t.equal(tcpBytesReceived(accepted), 1000);
  shutdownWrite(client);
  t.equal(tcpBytesReceived(accepted), 1001);
  close(client);
  close(accepted);
  t.end();
});

t.test('what the peer has is counted with SYN and FIN', (t) => {
  const [client, accepted] = connectedPair();
  t.ok(tcpBytesAcknowledged(client) <= 1);
  send(client, bytes, 0, 700);
  // The peer acknowledges when it answers, or reads.
  receive(accepted, bytes, 0, 1000);
  send(accepted, bytes, 0, 1);
  t.ok(tcpBytesAcknowledged(client) >= 700 && tcpBytesAcknowledged(client) <= 701);
  close(client);
  close(accepted);
  t.end();
});

t.test('what was written is counted, whether it was sent or not', (t) => {
  const [client, accepted] = connectedPair();
  setSendBuffer(client, 8192);
  t.equal(tcpBytesWritten(client), 0);
  let total = 0;
  for (let count = 0; count >= 0; total += Math.max(count, 0)) count = send(client, bytes, 0, 1000);
  t.equal(tcpBytesWritten(client), total, 'a full socket');
  receive(accepted, bytes, 0, 1000);
  t.equal(tcpBytesWritten(client), total);
  t.equal(tcpBytesWritten(accepted), 0);
  close(client);
  close(accepted);
  t.end();
});

t.test('other descriptors have none', (t) => {
  t.equal(tcpBytesReceived(-1), -Errno.EBADF);
  t.ok(tcpBytesReceived(0) < 0 && tcpBytesAcknowledged(0) < 0 && tcpBytesWritten(0) < 0);
  t.end();
});
