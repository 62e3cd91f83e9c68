import t from 'tap';
import { needsDynamicConfiguration } from '../../xds/dynamic-need.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';

const ads = `{ ads: {}, resource_api_version: V3 }`;
const stream = `
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    grpc_services: [{ google_grpc: { target_uri: '127.0.0.1:1', stat_prefix: x } }]
`;

function needs(yaml: string): boolean {
  const given = yaml.startsWith('node:') ? yaml : `node: { id: n, cluster: c }\n${yaml}`;
  return needsDynamicConfiguration(bootstrapOf(given).bootstrap);
}

const manager = (routes: string) => `
static_resources:
  listeners:
    - name: web
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                ${routes}
                http_filters:
                  - name: router
                    typed_config: { '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`;

t.test('what is written in the bootstrap needs nobody', async (t) => {
  t.equal(needs('node: { id: n }'), false);
  t.equal(needs(manager('route_config: { virtual_hosts: [] }')), false);
  t.equal(needs(`dynamic_resources:${stream}`), false, 'a stream for which nothing asks');
});

t.test('each thing that comes from elsewhere needs a source', async (t) => {
  t.equal(needs(`dynamic_resources:${stream}  cds_config: ${ads}`), true);
  t.equal(needs(`dynamic_resources:${stream}  lds_config: ${ads}`), true);
  t.equal(needs(`dynamic_resources:${stream}${manager(`rds: { route_config_name: r, config_source: ${ads} }`)}`), true);
  const cluster = `{ name: c, type: EDS, eds_cluster_config: { eds_config: ${ads} } }`;
  t.equal(needs(`dynamic_resources:${stream}static_resources: { clusters: [${cluster}] }`), true);
  const layer = `{ name: l, rtds_layer: { name: l, rtds_config: ${ads} } }`;
  t.equal(needs(`dynamic_resources:${stream}layered_runtime: { layers: [${layer}] }`), true);
});
