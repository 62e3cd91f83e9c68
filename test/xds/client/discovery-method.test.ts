import t from 'tap';
import { aggregatedMethod, discoveryMethod } from '../../../xds/client/discovery-method.ts';

t.test('the methods are those of the proto files', async (t) => {
  const discovery = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
  t.equal(aggregatedMethod('delta'), `${discovery}/DeltaAggregatedResources`);
  t.equal(aggregatedMethod('state-of-the-world'), `${discovery}/StreamAggregatedResources`);
  const rows = [
    ['config.cluster.v3.Cluster', 'cluster.v3.ClusterDiscoveryService', 'Clusters'],
    ['config.endpoint.v3.ClusterLoadAssignment', 'endpoint.v3.EndpointDiscoveryService', 'Endpoints'],
    ['config.listener.v3.Listener', 'listener.v3.ListenerDiscoveryService', 'Listeners'],
    ['config.route.v3.RouteConfiguration', 'route.v3.RouteDiscoveryService', 'Routes'],
    ['config.route.v3.ScopedRouteConfiguration', 'route.v3.ScopedRoutesDiscoveryService', 'ScopedRoutes'],
    ['extensions.transport_sockets.tls.v3.Secret', 'secret.v3.SecretDiscoveryService', 'Secrets'],
    ['service.runtime.v3.Runtime', 'runtime.v3.RuntimeDiscoveryService', 'Runtime'],
    ['config.core.v3.TypedExtensionConfig', 'extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs'],
  ] as const;
  for (const [type, service, resources] of rows) {
    const typeUrl = `type.googleapis.com/envoy.${type}`;
    t.equal(discoveryMethod(typeUrl, 'delta'), `/envoy.service.${service}/Delta${resources}`);
    t.equal(discoveryMethod(typeUrl, 'state-of-the-world'), `/envoy.service.${service}/Stream${resources}`);
  }
  const virtualHost = 'type.googleapis.com/envoy.config.route.v3.VirtualHost';
  t.equal(
    discoveryMethod(virtualHost, 'delta'),
    '/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts',
  );
  t.equal(discoveryMethod(virtualHost, 'state-of-the-world'), undefined);
  t.equal(discoveryMethod('type.googleapis.com/other', 'delta'), undefined);
});
