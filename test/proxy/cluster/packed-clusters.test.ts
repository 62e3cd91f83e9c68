import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import t from 'tap';
import { ClusterPack, type PackedClusters } from '../../../proxy/cluster/packed-clusters.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { packedClusters } from '../../support/packed-clusters.ts';

const members = makeAssignment([makeLocality([makeEndpoint('10.0.0.1')])]);

t.test('what is packed comes out on the other side of a port, from the same bytes for all', async (t) => {
  const clusters = ['a', 'b'].map((name) => makeCluster({ name }));
  const packed = packedClusters(clusters, [['b', members]]);
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  port1.postMessage(packed);
  const received: PackedClusters = receiveMessageOnPort(port2)!.message;
  const pack = new ClusterPack(received);
  t.same([pack.clusters, pack.assignments], [['a', 'b'], ['b']]);
  t.same([pack.cluster(0)(), pack.cluster(1)()], clusters);
  t.same(pack.assignment(0)(), members);
  packed.bytes[0] = 7;
  t.equal(received.bytes[0], 7, 'they were not copied');
});

t.test('a pack is opened once, and only when something of it is called for', async (t) => {
  const packed = packedClusters([makeCluster({ name: 'a' })], []);
  const intact = packed.bytes.slice();
  packed.bytes.fill(0);
  const told = new ClusterPack(packed).cluster(0);
  packed.bytes.set(intact);
  const value = told();
  t.equal(value.name, 'a');
  packed.bytes.fill(0);
  t.equal(told(), value);
});
