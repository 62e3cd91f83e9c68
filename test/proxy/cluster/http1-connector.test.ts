// What a connection to an endpoint gets of its cluster's configuration.

import t from 'tap';
import { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import { Http1Connector } from '../../../proxy/cluster/http1-connector.ts';
import type { PooledConnection } from '../../../proxy/cluster/pooled-connection.ts';
import { OutputBuffer } from '../../../proxy/http/http1/output-buffer.ts';
import { localAddressText } from '../../../proxy/reactor/local-address.ts';
import {
  makeAssignment,
  makeCluster,
  makeContext,
  makeEndpoint,
  makeLocality,
  makeStatsSource,
  noTls,
  seededRandom,
} from '../../support/cluster-fixtures.ts';
import { listenOn, startReactor } from '../../support/reactor-fixtures.ts';

t.test('a connection comes from the bind address, and says which end is ours', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenOn(t, reactor);
  const port = acceptor.address.kind === 'ip' ? acceptor.address.port : 0;
  const assignment = makeAssignment([makeLocality([makeEndpoint('127.0.0.1', { port })])]);
  const config = makeCluster({
    discovery: { kind: 'static', assignment },
    bindAddress: { kind: 'ip', ip: '127.0.0.9', port: 0 },
  });
  const cluster = new ClusterRuntime(config, assignment, {
    statsSource: makeStatsSource(),
    tls: noTls,
    random: seededRandom(1),
    clock: () => 0,
  });
  const { promise, resolve } = Promise.withResolvers<PooledConnection>();
  const owner = {
    turn: 0,
    variant: null,
    onConnectionEstablished: resolve,
    onConnectionIdle: () => undefined,
    onConnectionClosed: () => undefined,
  };
  const connector = new Http1Connector(reactor, new OutputBuffer());
  connector.connect(owner, cluster, cluster.chooseEndpoint(makeContext())!);
  const connection = await promise;
  t.match(localAddressText(connection.stream), /^127\.0\.0\.9:\d+$/);
  t.equal((await acceptor.next()).stream.remoteAddress()?.kind, 'ip');
  connection.close();
});
