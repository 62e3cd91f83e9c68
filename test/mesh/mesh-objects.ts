// What Kubernetes and Istio would hold of the mesh: a client, a service with a port of each kind that is told apart, and how
// much mutual TLS is asked for.

export const CLIENT_IP = '10.77.0.10';
export const STRANGER_IP = '10.77.0.11';
export const EARLY_IP = '10.77.0.12';
/** A pod that Kubernetes has for one of the mesh, and which has no sidecar. */
export const IMPOSTOR_IP = '10.77.0.13';
export const IMPOSTOR_SERVICE_IP = '10.96.0.13';
export const IMPOSTOR_PORT = 8440;
export const SERVER_IP = '10.77.0.20';
/** Of the service. Nobody has it: a sidecar knows where it leads. */
export const SERVICE_IP = '10.96.0.20';

/** `auto` is not named by its protocol: what the first bytes are decides. */
export const ports = { http: 8080, tcp: 9000, greeting: 9001, auto: 9002, tls: 9003 } as const;

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
    pod('impostor', IMPOSTOR_IP),
    ...serviceOf('server', { service: SERVICE_IP, pod: SERVER_IP }, serverPorts),
    ...serviceOf('impostor', { service: IMPOSTOR_SERVICE_IP, pod: IMPOSTOR_IP }, impostorPorts),
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

/** Nothing goes out but to services of the mesh. */
export function registryOnly(): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'default', namespace: 'istio-system' },
    spec: { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } },
  };
}

const serverPorts = [
  { name: 'http', port: ports.http },
  { name: 'tcp-echo', port: ports.tcp },
  { name: 'tcp-greeting', port: ports.greeting },
  { name: 'auto', port: ports.auto },
  { name: 'tls-app', port: ports.tls },
];

/** For an endpoint with as many certificates. */
const impostorPorts = [0, 1, 2, 3, 4, 5].map((index) => ({ name: `http-${index}`, port: IMPOSTOR_PORT + index }));

function serviceOf(
  name: string,
  ips: { readonly service: string; readonly pod: string },
  open: readonly { readonly name: string; readonly port: number }[],
): readonly object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'shop' },
      spec: {
        clusterIP: ips.service,
        selector: { app: name },
        ports: open.map((each) => ({ ...each, targetPort: each.port })),
      },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-a`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: open,
      endpoints: [
        { addresses: [ips.pod], conditions: { ready: true }, targetRef: { kind: 'Pod', name, namespace: 'shop' } },
      ],
    },
  ];
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
