// Two Istio control planes, as two Kubernetes clusters have them, followed by one of ours: their services as one.

import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import type { ClusterLoadAssignment } from '../../xds/generated/messages.ts';
import { decodeMessage } from '../../xds/message/wire-message.ts';
import { DiscoveryCall } from '../support/discovery-call.ts';
import { startIstiod } from './istiod.ts';
import { findIstiod } from './istiod-program.ts';
import { loopbackMeshConfig } from './loopback-mesh.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);

const program = await findIstiod();
const cluster = 'outbound|80||shop.example';
const nodeId = 'sidecar~127.0.0.1~union.default~default.svc.cluster.local';

const shop = (address: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop, namespace: default}
spec:
  hosts: [shop.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints: [{address: ${address}}]
`;

t.test('a service of two meshes has the endpoints of both', skipOr(program), async (t) => {
  const start = () => startIstiod(t, { program: 'path' in program ? program.path : '', mesh: loopbackMeshConfig });
  const [east, west] = await Promise.all([start(), start()]);
  await Promise.all([east.apply(shop('127.0.0.1')), west.apply(shop('127.0.0.2'))]);
  const upstreams = [`--upstream=east=${east.xdsAddress}`, `--upstream=west=${west.xdsAddress}`];
  const folder = t.testdir({ 'none.yaml': '# all of it comes from others' });
  const flags = parseControlPlaneFlags(['--dir', folder, '--listen', '127.0.0.1:0', '--node', nodeId, ...upstreams])!;
  const controlPlane = new ControlPlane(flags, () => {});
  const { port } = await controlPlane.start();
  t.teardown(() => controlPlane.close());
  const call = new DiscoveryCall(t, { address: `127.0.0.1:${port}` });
  call.ask('eds', { subscribe: [cluster] });
  const until = async (...wanted: string[]) => {
    for (let found: readonly string[] = []; found.join() !== wanted.join(); ) {
      const { resources } = await call.next();
      found = resources.flatMap(({ message }) => addressesOf(message!));
    }
    return true;
  };
  t.ok(await until('127.0.0.1', '127.0.0.2'));
  await west.apply(shop('127.0.0.3'));
  t.ok(await until('127.0.0.1', '127.0.0.3'), 'a change of one of them arrives');
  await Promise.all([east, west].map((istiod) => istiod.acknowledged('union.default', 4)));
  t.pass('both say that everything was accepted');
});

function skipOr(found: typeof program): { readonly skip?: string } {
  return 'missing' in found ? { skip: found.missing } : {};
}

function addressesOf(message: Uint8Array): readonly string[] {
  const type = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
  const { endpoints = [] } = decodeMessage(message, type, new Problems()) as ClusterLoadAssignment;
  const addresses = endpoints.flatMap(({ lbEndpoints = [] }) =>
    lbEndpoints.map(({ endpoint }) => endpoint!.address!.socketAddress!.address!),
  );
  return addresses.sort();
}
