import t from 'tap';
import type { IpAddress } from '../../config/address.ts';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, localAddress, receive, send } from '../../native/socket.ts';
import { SocketDiagnosis } from '../../native/socket-diagnosis.ts';
import { connectedPair } from '../support/socket-pair.ts';

const diagnosis = SocketDiagnosis.open();
const options = { skip: diagnosis === undefined && 'this kernel tells nothing of sockets (sock_diag)' };
const bytes = new NativeBuffer(1000);

for (const [ip, addressBytes] of [
  ['127.0.0.1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1]],
  ['::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
] as const) {
  t.test(`what was not read of a connection to ${ip} is told, of either end`, options, (t) => {
    const [client, accepted] = connectedPair({ kind: 'ip', ip, port: 0 });
    const [clientPort, acceptedPort] = [client, accepted].map((fd) => (localAddress(fd) as IpAddress).port);
    const address = Uint8Array.from(addressBytes);
    const ips = { localIp: address, remoteIp: address };
    const ofAccepted = { ...ips, localPort: acceptedPort!, remotePort: clientPort! };
    const ofClient = { ...ips, localPort: clientPort!, remotePort: acceptedPort! };
    const unread = () => [diagnosis!.unreadBytes(ofClient), diagnosis!.unreadBytes(ofAccepted)];
    t.same(unread(), [0, 0]);
    send(client, bytes, 0, 700);
    t.same(unread(), [0, 700]);
    t.equal(receive(accepted, bytes, 0, 600), 600);
    t.same(unread(), [0, 100]);
    send(accepted, bytes, 0, 50);
    t.same(unread(), [50, 100]);
    close(client);
    close(accepted);
    t.equal(diagnosis!.unreadBytes({ ...ofClient, remotePort: 1 }), -Errno.ENOENT, 'nobody is called so');
    t.end();
  });
}
