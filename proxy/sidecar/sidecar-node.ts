// The node as istiod knows proxies: whose sidecar it is, and what its workload is labelled with. Values are texts even where
// they are lists or truths, as `pilot/pkg/model/proxy.go` of Istio reads them.

import type { SidecarEnvironment } from './environment.ts';

export interface SidecarNode {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * What istiod tells an Envoy of this release to do is what is understood here; without a version it would take the newest
 * there is.
 */
const istioVersion = '1.30.3';

/** `dnsDomain`: `default.svc.cluster.local`, of the arguments. */
export function sidecarNode(environment: SidecarEnvironment, dnsDomain: string): SidecarNode {
  const { podName, namespace, instanceIps, serviceAccount, nodeName, clusterId, proxyConfig } = environment;
  const { labels, annotations, metadata, termination } = environment;
  const workload = labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels['app'];
  return {
    id: `sidecar~${instanceIps[0]}~${podName}.${namespace}~${dnsDomain}`,
    cluster: proxyConfig.serviceCluster ?? `${workload ?? podName}.${namespace}`,
    metadata: {
      ISTIO_VERSION: istioVersion,
      INTERCEPTION_MODE: 'REDIRECT',
      ENVOY_STATUS_PORT: proxyConfig.healthPort,
      ENVOY_PROMETHEUS_PORT: proxyConfig.prometheusPort,
      ...metadata,
      NAME: podName,
      NAMESPACE: namespace,
      SERVICE_ACCOUNT: serviceAccount,
      CLUSTER_ID: clusterId,
      INSTANCE_IPS: instanceIps.join(','),
      LABELS: { ...objectOf(metadata['LABELS']), ...labels },
      ANNOTATIONS: annotations,
      PROXY_CONFIG: proxyConfig.written,
      ...(nodeName !== '' && { NODE_NAME: nodeName }),
      ...(termination.waitsForConnections && { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true' }),
    },
  };
}

/** What the injector passes as `ISTIO_METAJSON_LABELS`. */
function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** `spiffe://cluster.local/ns/shop/sa/cart`. */
export function spiffeIdOf({ trustDomain, namespace, serviceAccount }: SidecarEnvironment): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
