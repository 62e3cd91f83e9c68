// Who a sidecar says it is, and where it asks for its configuration, as Istio's own agent writes it into a bootstrap.

export interface SidecarIdentity {
  readonly ip: string;
  readonly pod: string;
  readonly namespace: string;
  readonly app: string;
  /** How traffic reaches it: by redirection, or at listeners that are bound. */
  readonly interceptionMode: 'REDIRECT' | 'NONE';
}

/** A client of the mesh in `mesh/`. */
export const client: SidecarIdentity = {
  ip: '10.1.0.1',
  pod: 'client-1',
  namespace: 'shop',
  app: 'client',
  interceptionMode: 'REDIRECT',
};

/** `node` as Istio's own agent fills it. */
export function istioNode({ ip, pod, namespace, app, interceptionMode }: SidecarIdentity) {
  return {
    id: `sidecar~${ip}~${pod}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${app}.${namespace}`,
    metadata: {
      INSTANCE_IPS: ip,
      NAMESPACE: namespace,
      CLUSTER_ID: 'Kubernetes',
      ISTIO_VERSION: '1.30.3',
      INTERCEPTION_MODE: interceptionMode,
      LABELS: { app },
    },
  };
}

/** A bootstrap that takes everything from istiod's plain-text port. */
export function istioBootstrap(identity: SidecarIdentity, xdsAddress: string, apiType: 'DELTA_GRPC' | 'GRPC') {
  const [address, port] = xdsAddress.split(':');
  const endpoint = { address: { socket_address: { address, port_value: Number(port) } } };
  const fromAds = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  return {
    node: istioNode(identity),
    dynamic_resources: {
      cds_config: fromAds,
      lds_config: fromAds,
      ads_config: {
        api_type: apiType,
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: { cluster_name: 'xds-grpc', endpoints: [{ lb_endpoints: [{ endpoint }] }] },
        },
      ],
    },
  };
}
