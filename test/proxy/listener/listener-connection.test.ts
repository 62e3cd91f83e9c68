import t from 'tap';
import { ListenerConnection } from '../../../proxy/listener/listener-connection.ts';
import type { ByteStream } from '../../../proxy/reactor/byte-stream.ts';
import { anyConnection } from '../../support/http-fixtures.ts';

const owner = { onConnectionEnd: () => undefined };

t.test('a connection is described as its stream and its listener know it', (t) => {
  const stream = { bytesReceived: 3, bytesSent: 4 } as ByteStream;
  const info = new ListenerConnection(
    owner,
    stream,
    { ...anyConnection, requestedServerName: 'a.example' },
    5,
  ).describe(7, 100);
  t.same(
    [info.startedAtMs, info.startWallMs, info.endedAtMs, info.requestBodyBytes, info.responseBodyBytes],
    [5, 105, 7, 3, 4],
  );
  t.equal(info.requestedServerName, 'a.example');
  t.equal(info.listenerName, anyConnection.listenerName);
  t.end();
});

t.test('one that ended before it had a stream has sent and received nothing', (t) => {
  const connection = new ListenerConnection(owner, null, anyConnection, 5);
  const info = connection.describe(7, 100);
  t.same([info.requestBodyBytes, info.responseBodyBytes], [0, 0]);
  connection.cut(true);
  connection.cut(false);
  t.end();
});

t.test('a cut may be a reset', (t) => {
  const calls: string[] = [];
  const stream = { close: () => calls.push('close'), reset: () => calls.push('reset') } as unknown as ByteStream;
  const connection = new ListenerConnection(owner, stream, anyConnection, 5);
  connection.cut(true);
  connection.cut(false);
  t.same(calls, ['reset', 'close']);
  t.end();
});
