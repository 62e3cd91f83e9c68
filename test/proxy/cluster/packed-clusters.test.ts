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
  t.same([pack.cluster(0).value(), pack.cluster(1).value()], clusters);
  t.same(pack.assignment(0).value(), members);
  packed.bytes[0] = 7;
  t.equal(received.bytes[0], 7, 'they were not copied');
});

t.test('a pack is opened once, and only when something of it is called for', async (t) => {
  const packed = packedClusters([makeCluster({ name: 'a' })], []);
  const intact = packed.bytes.slice();
  packed.bytes.fill(0);
  const told = new ClusterPack(packed).cluster(0);
  packed.bytes.set(intact);
  const value = told.value();
  t.equal(value.name, 'a');
  packed.bytes.fill(0);
  t.equal(told.value(), value);
});

t.test('a pack says when it is kept for few of its values, and then gives them away', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const packed = packedClusters(
    names.map((name) => makeCluster({ name })),
    [],
  );
  const pack = new ClusterPack(packed);
  const told = names.map((_, index) => pack.cluster(index));
  const said = told.slice(0, 7).map((each) => each.forget());
  t.same(said, [null, null, null, null, null, pack, pack]);
  t.equal(pack.isSparse, true);
  pack.dissolve();
  t.equal(pack.isSparse, false);
  packed.bytes.fill(0);
  t.equal(told[7]!.value().name, 'h', 'without the bytes');
  t.equal(told[7]!.forget(), null);
});

t.test('a pack of which nothing is configured is not worth opening', async (t) => {
  const pack = new ClusterPack(packedClusters([makeCluster({ name: 'a' })], [['a', members]]));
  pack.cluster(0).forget();
  t.equal(pack.assignment(0).forget(), null);
  t.equal(pack.isSparse, false);
});
