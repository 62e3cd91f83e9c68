// A mesh whose pods are addresses of 127.0.0.0/8, so that requests through a sidecar reach origins of the test.

import { client, type SidecarIdentity } from './sidecar-identity.ts';

/** The sidecar of the mesh. Its listeners are bound: nothing has to be redirected on loopback. */
export const loopbackSidecar: SidecarIdentity = { ...client, ip: '127.0.0.10', interceptionMode: 'NONE' };

/** `MeshConfig` without TLS; with `withoutTls` of the documents. */
export const loopbackMeshConfig = { enableAutoMtls: false };

/** One version of the service `web`: a pod with an endpoint. */
export interface WebVersion {
  readonly version: string;
  readonly ip: string;
  readonly port: number;
}

/** What `istiod.apply` and `istiod.remove` take. */
export function documents(...objects: readonly object[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

/** The namespace, the sidecar's pod, and no TLS for anybody. */
export function meshObjects(): readonly object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    pod(loopbackSidecar.pod, { app: 'client' }, loopbackSidecar.ip),
    istioObject('security', 'PeerAuthentication', 'default', { mtls: { mode: 'DISABLE' } }, 'istio-system'),
  ];
}

/** The service `web` at a port of HTTP, without endpoints. */
export function webService(port: number): object {
  const ports = [{ name: 'http', port, targetPort: port }];
  const spec = { clusterIP: '127.0.1.1', selector: { app: 'web' }, ports };
  return { apiVersion: 'v1', kind: 'Service', metadata: metadata('web'), spec };
}

/** The pod and the endpoint of a version. */
export function webVersion({ version, ip, port }: WebVersion): readonly object[] {
  const name = `web-${version}`;
  const targetRef = { kind: 'Pod', name, namespace: 'shop' };
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata(name), labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port }],
    endpoints: [{ addresses: [ip], conditions: { ready: true }, targetRef }],
  };
  return [pod(name, { app: 'web', version }, ip), slice];
}

/** Subsets of `web` by version, each with a name of its own. */
export function webSubsets(...versions: readonly string[]): object {
  const subsets = versions.map((version) => ({ name: version, labels: { version } }));
  return istioObject('networking', 'DestinationRule', 'web', { host: 'web', subsets });
}

/** How requests to `web` are routed: `spec.http` of a VirtualService. */
export function webRoutes(...http: readonly object[]): object {
  return istioObject('networking', 'VirtualService', 'web', { hosts: ['web'], http });
}

/** A route's destination. */
export function toVersion(version: string, weight?: number): object {
  return { destination: { host: 'web', subset: version }, ...(weight !== undefined && { weight }) };
}

function istioObject(group: string, kind: string, name: string, spec: object, namespace = 'shop'): object {
  return { apiVersion: `${group}.istio.io/v1`, kind, metadata: { name, namespace }, spec };
}

function pod(name: string, labels: object, ip: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata(name), labels: { ...labels, 'security.istio.io/tlsMode': 'istio' } },
    spec: { serviceAccountName: 'default', containers: [{ name: 'app', image: 'x' }] },
    status: { podIP: ip, phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function metadata(name: string) {
  return { name, namespace: 'shop' };
}
