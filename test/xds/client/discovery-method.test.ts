import t from 'tap';
import { aggregatedMethod, discoveryMethod } from '../../../xds/client/discovery-method.ts';

t.test('the methods are those of the proto files', async (t) => {
  const discovery = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
  t.equal(aggregatedMethod('delta'), `${discovery}/DeltaAggregatedResources`);
  t.equal(aggregatedMethod('state-of-the-world'), `${discovery}/StreamAggregatedResources`);
  const cluster = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
  t.equal(discoveryMethod(cluster, 'delta'), '/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters');
  t.equal(
    discoveryMethod(cluster, 'state-of-the-world'),
    '/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters',
  );
  const virtualHost = 'type.googleapis.com/envoy.config.route.v3.VirtualHost';
  t.equal(
    discoveryMethod(virtualHost, 'delta'),
    '/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts',
  );
  t.equal(discoveryMethod(virtualHost, 'state-of-the-world'), undefined);
  t.equal(discoveryMethod('type.googleapis.com/other', 'delta'), undefined);
});
