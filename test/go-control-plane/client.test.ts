// Our client and decoders with go-control-plane's server: both protocols, both of its caches.

import t, { type Test } from 'tap';
import {
  buildControlPlane,
  type ControlPlane,
  type SentResponse,
  startControlPlane,
} from '../../bench/peers/go-control-plane.ts';
import { whyNotBuilt } from '../support/why-not-built.ts';
import { FollowedMesh, type Protocol } from './followed-mesh.ts';

/** The first run builds the program, for half a minute on a quiet machine. */
t.setTimeout(900_000);

const missing = whyNotBuilt(buildControlPlane);

async function followed(t: Test, { cache, protocol }: { cache: 'linear' | 'snapshot'; protocol: Protocol }) {
  const options = { clusters: 20, hosts: 20, listenerPorts: [10_000], endpointPort: 81, cache };
  const controlPlane = await startControlPlane(options);
  t.teardown(() => controlPlane.stop());
  const mesh = new FollowedMesh(t, controlPlane, protocol);
  await mesh.until(
    () => mesh.assignments.held.size === 20 && mesh.listeners.held.size === 1 && mesh.routes.held.size === 1,
  );
  return { controlPlane, mesh };
}

/** The responses, once each of them was answered. */
async function answered(controlPlane: ControlPlane): Promise<readonly SentResponse[]> {
  for (;;) {
    const { responses } = await controlPlane.status();
    if (responses.every((response) => response.answered_at_us > 0)) return responses;
  }
}

function portOf({ assignments }: FollowedMesh, name: string): number | undefined {
  const address = assignments.held.get(name)?.value.localities[0]?.endpoints[0]?.address;
  return address?.kind === 'ip' ? address.port : undefined;
}

for (const cache of ['linear', 'snapshot'] as const) {
  for (const protocol of ['delta', 'state-of-the-world'] as const) {
    t.test(`${protocol}, ${cache} cache`, { skip: missing }, async (t) => {
      t.test('everything is decoded, held and acknowledged', async (t) => {
        const { controlPlane, mesh } = await followed(t, { cache, protocol });
        t.equal(mesh.clusters.held.size, 20);
        t.equal(mesh.routes.held.get('routes')?.value.virtualHosts.length, 20);
        t.equal(portOf(mesh, 'service-7'), 81);
        const responses = await answered(controlPlane);
        t.equal(new Set(responses.map(({ type_url }) => type_url)).size, 4);
        t.same(
          responses.filter(({ nack }) => nack !== undefined),
          [],
        );
      });

      t.test('a changed endpoint and a changed route come by themselves', async (t) => {
        const { controlPlane, mesh } = await followed(t, { cache, protocol });
        await controlPlane.changeEndpoint('service-7', '127.0.0.1:82');
        await mesh.until(() => portOf(mesh, 'service-7') === 82);
        if (protocol === 'delta') t.same(mesh.assignments.responses.at(-1), ['service-7']);
        const routesBefore = mesh.routes.held.get('routes')!.version;
        const before = mesh.routes.responses.length;
        await controlPlane.changeRoute('service-7.example', 'service-8');
        await mesh.until(() => mesh.routes.responses.length > before);
        if (protocol === 'delta') t.not(mesh.routes.held.get('routes')!.version, routesBefore);
        t.equal(portOf(mesh, 'service-8'), 81, 'others stay');
      });

      t.test('clusters that are gone are gone, with their subscriptions', async (t) => {
        const { controlPlane, mesh } = await followed(t, { cache, protocol });
        await controlPlane.push({ clusters: '5' });
        await mesh.until(() => mesh.clusters.held.size === 5 && mesh.assignments.held.size === 5);
        await controlPlane.push({ clusters: '6' });
        await mesh.until(() => mesh.assignments.held.size === 6);
        t.ok(mesh.assignments.held.has('service-5'), 'and are sent again when they come back');
      });

      t.test('a stream that ends is opened again with what is held', async (t) => {
        const { controlPlane, mesh } = await followed(t, { cache, protocol });
        await answered(controlPlane);
        const before = mesh.assignments.responses.length;
        await controlPlane.restartStreams();
        // Until then a change may be sent on the stream that ends, where nobody reads the answer any more.
        await mesh.until(() => mesh.endedStreams === 1);
        await controlPlane.changeEndpoint('service-3', '127.0.0.1:83');
        await mesh.until(() => portOf(mesh, 'service-3') === 83);
        if (protocol === 'delta') t.same(mesh.assignments.responses.slice(before).flat(), ['service-3']);
        const responses = await answered(controlPlane);
        t.ok(responses.every(({ nack }) => nack === undefined));
        t.equal(mesh.clusters.held.size, 20);
      });
    });
  }
}
