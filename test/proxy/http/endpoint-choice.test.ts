// Where an attempt goes: the endpoint, and the pool whose engine can carry the request.

import t from 'tap';
import type { UpstreamConnector } from '../../../proxy/cluster/pooled-connection.ts';
import { chooseEndpoint, choosePool } from '../../../proxy/http/endpoint-choice.ts';
import type { RetryState } from '../../../proxy/http/retry-state.ts';
import { Scene } from '../../support/http-fixtures.ts';

t.test('the pool is that of the connector which carries such a request', async (t) => {
  const scene = new Scene();
  const { stream } = scene.request();
  const { cluster } = scene;
  const endpoint = chooseEndpoint(stream, cluster, null)!;
  endpoint.pools = null;
  const other: UpstreamConnector = { carrierOf: () => other, connect: () => t.fail('nobody asked') as never };
  const own: UpstreamConnector = {
    carrierOf: (head) => (head.method === 'CONNECT' ? other : own),
    connect: () => t.fail('nobody asked') as never,
  };
  Object.assign(scene.manager.context, { connector: own });
  const choice = { cluster, endpoint };
  t.equal(choosePool(stream, choice, 'default')?.connector, own);
  t.equal(choosePool(stream, choice, 'default'), choosePool(stream, choice, 'default'), 'made once');
  t.not(choosePool(stream, choice, 'high'), choosePool(stream, choice, 'default'));
  stream.head.method = 'CONNECT';
  t.equal(choosePool(stream, choice, 'default')?.connector, other);
});

t.test('a retry leaves out the endpoints that it has tried', async (t) => {
  const scene = new Scene({ endpoints: 2 });
  const { stream } = scene.request();
  const first = chooseEndpoint(stream, scene.cluster, null)!;
  const retry = { excluded: [first], policy: { hostSelectionMaxAttempts: 5 } } as unknown as RetryState;
  for (let index = 0; index < 8; index++) t.not(chooseEndpoint(stream, scene.cluster, retry), first);
});
