// The demo's Envoy bootstrap: the replicas of the sample application as one cluster, and a retry for what is flaky.

export interface DemoPorts {
  readonly listenerPort: number;
  readonly adminPort: number;
  readonly endpointPorts: readonly number[];
}

/** An Envoy v3 bootstrap in JSON, as `-c` takes it. */
export function demoBootstrap(ports: DemoPorts): string {
  const bootstrap = {
    node: { id: 'demo', cluster: 'demo' },
    admin: { address: socketAddress(ports.adminPort) },
    static_resources: { listeners: [listener(ports.listenerPort)], clusters: [cluster(ports.endpointPorts)] },
  };
  return `${JSON.stringify(bootstrap, null, 2)}\n`;
}

function listener(port: number): object {
  const routes = [
    {
      match: { path: '/flaky' },
      route: { cluster: 'sample-application', retry_policy: { retry_on: '5xx', num_retries: 5 } },
    },
    { match: { path: '/download' }, route: { cluster: 'sample-application', timeout: '0s' } },
    { match: { prefix: '/' }, route: { cluster: 'sample-application', timeout: '5s' } },
  ];
  const connectionManager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'demo',
    route_config: { name: 'demo', virtual_hosts: [{ name: 'sample-application', domains: ['*'], routes }] },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  return {
    name: 'demo',
    address: socketAddress(port),
    filter_chains: [
      { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager }] },
    ],
  };
}

function cluster(ports: readonly number[]): object {
  const endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  return {
    name: 'sample-application',
    type: 'STATIC',
    connect_timeout: '1s',
    lb_policy: 'ROUND_ROBIN',
    load_assignment: { cluster_name: 'sample-application', endpoints: [{ lb_endpoints: endpoints }] },
  };
}

function socketAddress(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
