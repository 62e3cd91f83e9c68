// The demo's two files: the Envoy bootstrap, which says only where the control plane is, and what the control plane serves.

export interface BootstrapPorts {
  readonly adminPort: number;
  readonly controlPlanePort: number;
}

/** An Envoy v3 bootstrap in JSON, as `-c` takes it. */
export function demoBootstrap({ adminPort, controlPlanePort }: BootstrapPorts): string {
  const http2 = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const ads = { ads: {}, resource_api_version: 'V3' };
  const bootstrap = {
    node: { id: 'demo', cluster: 'demo' },
    admin: { address: socketAddress(adminPort) },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control-plane' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'control-plane',
          typed_extension_protocol_options: {
            [http2]: { '@type': `type.googleapis.com/${http2}`, explicit_http_config: { http2_protocol_options: {} } },
          },
          load_assignment: {
            cluster_name: 'control-plane',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(controlPlanePort) } }] }],
          },
        },
      ],
    },
  };
  return `${JSON.stringify(bootstrap, null, 2)}\n`;
}

/** The sample application as a service in the short form of docs/control-plane.md. */
export function demoService(listenerPort: number, endpointPorts: readonly number[]): string {
  return `# What the control plane serves. Save a change and ask again.
service: sample-application
listen: 127.0.0.1:${listenerPort}
endpoints: [${endpointPorts.map((port) => `127.0.0.1:${port}`).join(', ')}]
routes:
  - match: {path: /flaky}
    to: sample-application
    retries: 5
  - match: {path: /download}
    to: sample-application
    timeout: 0s
  - to: sample-application
    timeout: 5s
`;
}

function socketAddress(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
