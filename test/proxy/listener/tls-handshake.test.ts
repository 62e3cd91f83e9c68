import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { ListenerConnection } from '../../../proxy/listener/listener-connection.ts';
import { TlsHandshake } from '../../../proxy/listener/tls-handshake.ts';
import type { CloseReason } from '../../../proxy/reactor/byte-stream.ts';
import { anyConnection } from '../../support/http-fixtures.ts';

/** What the owner of the connection was told, and what its log says. */
function closed(reason: CloseReason): { readonly told: readonly string[]; readonly failure: string } {
  const told: string[] = [];
  const owner = { onConnectionEnd: () => told.push('end'), onHandshakeTimeout: () => told.push('timeout') };
  const connection = new ListenerConnection(owner, { ...anyConnection }, 0);
  new TlsHandshake({} as never, connection, () => told.push('done')).onClosed(reason);
  return { told, failure: connection.describe(1, 0).downstreamTransportFailureReason };
}

t.test('whatever ends a handshake ends its connection once, and is told in words', (t) => {
  t.same(closed({ kind: 'tls', problem: 'no certificate' }), { told: ['end'], failure: 'TLS: no certificate' });
  t.match(closed({ kind: 'error', errno: Errno.ECONNRESET }).failure, /^TLS: .+ during the handshake$/);
  t.match(closed({ kind: 'remote' }).failure, /the client closed the connection/);
  t.match(closed({ kind: 'local' }).failure, /drained/);
  t.same(closed({ kind: 'connect-timeout' }), {
    told: ['timeout', 'end'],
    failure: 'transport socket timeout was reached',
  });
  t.end();
});
