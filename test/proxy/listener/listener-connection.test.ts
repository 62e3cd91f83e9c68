import t from 'tap';
import { ListenerConnection } from '../../../proxy/listener/listener-connection.ts';
import type { ByteStream } from '../../../proxy/reactor/byte-stream.ts';
import type { TlsFacts } from '../../../proxy/transport/tls-facts.ts';
import { anyConnection } from '../../support/http-fixtures.ts';

const owner = { onConnectionEnd: () => undefined, onHandshakeTimeout: () => undefined };

function connectionOver(stream: ByteStream | null, facts = anyConnection): ListenerConnection {
  const connection = new ListenerConnection(owner, { ...facts }, 5);
  connection.stream = stream;
  return connection;
}

t.test('a connection is described as its stream and its listener know it', (t) => {
  const stream = { bytesReceived: 3, bytesSent: 4 } as ByteStream;
  const info = connectionOver(stream, { ...anyConnection, requestedServerName: 'a.example' }).describe(7, 100);
  t.same(
    [info.startedAtMs, info.startWallMs, info.endedAtMs, info.requestBodyBytes, info.responseBodyBytes],
    [5, 105, 7, 3, 4],
  );
  t.equal(info.requestedServerName, 'a.example');
  t.equal(info.listenerName, anyConnection.listenerName);
  t.equal(info.downstreamTls, null);
  t.end();
});

t.test('one that ended before it had a stream has sent and received nothing', (t) => {
  const connection = connectionOver(null);
  const info = connection.describe(7, 100);
  t.same([info.requestBodyBytes, info.responseBodyBytes], [0, 0]);
  connection.cut(true);
  connection.cut(false);
  t.end();
});

t.test('what its handshake showed is known from there on, the name that it asked for too', (t) => {
  const connection = connectionOver(null);
  const tls = { serverName: 'b.example' } as TlsFacts;
  connection.onHandshakeDone(tls);
  const info = connection.describe(7, 100);
  t.equal(info.downstreamTls, tls);
  t.equal(connection.facts.tls, tls);
  t.equal(info.requestedServerName, 'b.example');
  const inspected = connectionOver(null, { ...anyConnection, requestedServerName: 'a.example' });
  inspected.onHandshakeDone(tls);
  t.equal(inspected.facts.requestedServerName, 'a.example', 'a listener filter was first');
  t.end();
});

t.test('a handshake that fails or takes too long ends the connection, with the reason', (t) => {
  const told: string[] = [];
  const owner = { onConnectionEnd: () => told.push('end'), onHandshakeTimeout: () => told.push('timeout') };
  const failed = new ListenerConnection(owner, { ...anyConnection }, 5);
  failed.onHandshakeFailed('TLS: no certificate');
  t.same(told.splice(0), ['end']);
  const info = failed.describe(7, 100);
  t.equal(info.downstreamTransportFailureReason, 'TLS: no certificate');
  t.equal(info.connectionTerminationDetails, 'TLS: no certificate');
  new ListenerConnection(owner, { ...anyConnection }, 5).onHandshakeTimeout();
  t.same(told, ['timeout', 'end']);
  t.end();
});

t.test('a cut may be a reset', (t) => {
  const calls: string[] = [];
  const stream = { close: () => calls.push('close'), reset: () => calls.push('reset') } as unknown as ByteStream;
  const connection = connectionOver(stream);
  connection.cut(true);
  connection.cut(false);
  t.same(calls, ['reset', 'close']);
  t.end();
});
