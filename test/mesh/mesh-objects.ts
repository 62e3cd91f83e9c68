// What Kubernetes and Istio would hold of the mesh: a client, a service with a port of each kind that is told apart, and how
// much mutual TLS is asked for.

export const CLIENT_IP = '10.77.0.10';
export const STRANGER_IP = '10.77.0.11';
export const EARLY_IP = '10.77.0.12';
export const SERVER_IP = '10.77.0.20';
/** Of the service. Nobody has it: a sidecar knows where it leads. */
export const SERVICE_IP = '10.96.0.20';

/** `auto` is not named by its protocol: what the first bytes are decides. */
export const ports = { http: 8080, tcp: 9000, greeting: 9001, auto: 9002 } as const;

export type MutualTls = 'PERMISSIVE' | 'STRICT' | 'DISABLE';

/** What `Istiod.apply` takes. */
export function documents(...objects: readonly object[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

export function meshObjects(): readonly object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
    pod('client', CLIENT_IP),
    pod('early', EARLY_IP),
    pod('server', SERVER_IP),
    service(),
    endpoints(),
  ];
}

export function mutualTls(mode: MutualTls): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: 'istio-system' },
    spec: { mtls: { mode } },
  };
}

function service(): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'server', namespace: 'shop' },
    spec: {
      clusterIP: SERVICE_IP,
      selector: { app: 'server' },
      ports: [
        { name: 'http', port: ports.http, targetPort: ports.http },
        { name: 'tcp-echo', port: ports.tcp, targetPort: ports.tcp },
        { name: 'tcp-greeting', port: ports.greeting, targetPort: ports.greeting },
        { name: 'auto', port: ports.auto, targetPort: ports.auto },
      ],
    },
  };
}

function endpoints(): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'server-a', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'server' } },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: ports.http },
      { name: 'tcp-echo', port: ports.tcp },
      { name: 'tcp-greeting', port: ports.greeting },
      { name: 'auto', port: ports.auto },
    ],
    endpoints: [
      {
        addresses: [SERVER_IP],
        conditions: { ready: true },
        targetRef: { kind: 'Pod', name: 'server', namespace: 'shop' },
      },
    ],
  };
}

function pod(name: string, ip: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name, 'security.istio.io/tlsMode': 'istio' } },
    spec: { serviceAccountName: name, containers: [{ name: 'app', image: 'x' }] },
    status: { podIP: ip, phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
}
