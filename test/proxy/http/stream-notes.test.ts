import t from 'tap';
import type { EndpointRuntime } from '../../../proxy/cluster/endpoint-runtime.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { noteConnection, noteDownstream, noteEndpoint, noteExchange } from '../../../proxy/http/stream-notes.ts';
import { anyConnection, FakeConnection } from '../../support/http-fixtures.ts';

t.test('whoever is at the socket is the client, unless somebody in front told of another', async (t) => {
  const info = new StreamInfo();
  noteDownstream(info, { ...anyConnection, remoteAddress: '10.1.1.1:1000' });
  t.match(info, {
    downstreamRemoteAddress: '10.1.1.1:1000',
    downstreamDirectRemoteAddress: '10.1.1.1:1000',
    downstreamTls: null,
  });
  noteDownstream(info, { ...anyConnection, remoteAddress: '10.1.1.1:1000', directRemoteAddress: '10.2.2.2:2000' });
  t.match(info, { downstreamRemoteAddress: '10.1.1.1:1000', downstreamDirectRemoteAddress: '10.2.2.2:2000' });
});

t.test('another attempt has no connection yet, whatever the one before had', async (t) => {
  const info = new StreamInfo();
  const connection = new FakeConnection('10.0.0.1:80');
  noteConnection(info, connection, 12);
  t.match(info, { upstreamConnectionNumber: connection.notes.connectionNumber, upstreamWaitMs: 12 });
  noteEndpoint(info, { addressText: '10.0.0.2:80', hostname: 'b', metadata: {} } as unknown as EndpointRuntime);
  t.match(info, { upstreamRemoteAddress: '10.0.0.2:80', upstreamHostname: 'b', upstreamConnectionNumber: 0 });
});

t.test('an exchange has moved what the stream did behind those before it', async (t) => {
  const info = new StreamInfo();
  const connection = new FakeConnection('10.0.0.1:80');
  Object.assign(connection.stream, { bytesSent: 150, bytesReceived: 1200 });
  Object.assign(connection.notes, { countedSentBytes: 100, countedReceivedBytes: 1000 });
  noteExchange(info, connection);
  t.match(info, { upstreamBytesSent: 50, upstreamBytesReceived: 200 });
  t.match(info, { upstreamHeadBytesSent: -1, upstreamHeadBytesReceived: -1 }, 'only a library knows');
  noteExchange(info, Object.assign(connection, { exchangeHeadBytesSent: 40, exchangeHeadBytesReceived: 60 }));
  t.match(info, { upstreamHeadBytesSent: 40, upstreamHeadBytesReceived: 60 });
});
