// How a socket comes to an endpoint, and who hears of its TLS.

import t, { type Test } from 'tap';
import type { IpAddress } from '../../../config/address.ts';
import { close, localAddress } from '../../../native/socket.ts';
import type { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../../../proxy/cluster/endpoint-runtime.ts';
import { keptHeadBytes, openEndpointSocket } from '../../../proxy/cluster/endpoint-socket.ts';
import type { TlsTransport } from '../../../proxy/transport/tls-transport.ts';
import { makeCluster } from '../../support/cluster-fixtures.ts';
import { RecordingHandler, startReactor } from '../../support/reactor-fixtures.ts';
import { listeningEndpoint } from '../../support/socket-pair.ts';

function open(t: Test, transport: unknown) {
  const place = listeningEndpoint();
  t.teardown(place.stop);
  const [client, accepted] = place.connect();
  const address = localAddress(accepted) as IpAddress;
  for (const fd of [client, accepted]) close(fd);
  const secured: TlsTransport[] = [];
  const handler = Object.assign(new RecordingHandler(), {
    onSecuring: (one: TlsTransport) => {
      secured.push(one);
    },
  });
  const cluster = { config: makeCluster() } as ClusterRuntime;
  const endpoint = { address, transport, hostname: 'shop' } as unknown as EndpointRuntime;
  handler.stream = openEndpointSocket(startReactor(t), { cluster, endpoint, variant: null }, handler);
  return { handler, secured };
}

t.test('an endpoint without TLS is connected to, and nobody hears of any', async (t) => {
  const { handler, secured } = open(t, null);
  await handler.saw('connected');
  t.same(secured, []);
  handler.stream.close();
  await handler.saw('closed');
});

t.test('TLS that cannot be begun ends the connection by its sentence', async (t) => {
  const { handler, secured } = open(t, { begin: (_: number, hostname: string) => `no secret for ${hostname}` });
  await handler.saw('closed');
  t.match(handler.events.join(), /tls/);
  t.same(secured, []);
});

t.test('what TLS goes through is told before its handshake', async (t) => {
  // Over the socket as it is: establishing it again says what connecting has said.
  const begun: TlsTransport[] = [];
  const begin = (fd: number) => {
    const transport = {
      fd,
      isPlain: false,
      hasPending: false,
      want: 0,
      problem: '',
      establish: () => 0,
      look: () => -11,
    };
    begun.push(Object.assign(transport, { close: () => close(fd), shutdownWrite: () => 0 }) as unknown as TlsTransport);
    return begun[0]!;
  };
  const { handler, secured } = open(t, { begin });
  await handler.saw('connected');
  t.same(secured.length, 1);
  t.equal(secured[0], begun[0]);
  handler.stream.close();
  await handler.saw('closed');
});

t.test('what is kept of a head is enough to find that it is too long', (t) => {
  t.ok(keptHeadBytes(60 * 1024) > 60 * 1024);
  t.end();
});
