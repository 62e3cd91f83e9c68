// Real control planes that follow each other over links that a test cuts: two sources, a partition, a rejoin.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Problems } from '../../config/problems.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import type { ClusterLoadAssignment } from '../../xds/generated/messages.ts';
import { decodeMessage } from '../../xds/message/wire-message.ts';
import { renameIntoPlace, typeUrls } from '../support/control-plane-fixtures.ts';
import { CuttableLink } from '../support/cuttable-link.ts';
import { DiscoveryCall } from '../support/discovery-call.ts';

/** Control planes of one test, each over a folder of its own. */
function makeMesh(t: Test, sourceTtlMs = 3_600_000) {
  const root = t.testdir();
  return async (name: string, services: Services, upstreams: readonly string[] = []) => {
    const folder = join(root, name);
    mkdirSync(folder);
    const write = (changed: Services) => {
      for (const [service, ports] of Object.entries(changed)) {
        renameIntoPlace(folder, `${service}.yaml`, serviceText(service, ports));
      }
    };
    write(services);
    const args = ['--dir', folder, '--listen', '127.0.0.1:0'];
    const flags = parseControlPlaneFlags([...args, ...upstreams.flatMap((address) => ['--upstream', address])])!;
    const controlPlane = new ControlPlane({ ...flags, sourceTtlMs }, () => {});
    const { port } = await controlPlane.start();
    t.teardown(() => controlPlane.close());
    return { port, address: `127.0.0.1:${port}`, write, close: () => controlPlane.close() };
  };
}

/** Ports of the endpoints by service; a service without any is removed. */
type Services = { readonly [service: string]: readonly number[] };

function serviceText(service: string, ports: readonly number[]): string {
  if (ports.length === 0) return '# removed\n';
  return `service: ${service}\nendpoints: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]\n`;
}

/** A data plane that follows the endpoints of services; `until` resolves when it has the wanted ones. */
function follow(t: Test, address: string) {
  const call = new DiscoveryCall(t, { address });
  const held = new Map<string, readonly number[]>();
  call.ask('cds');
  call.ask('eds', { subscribe: ['*'] });
  return async (wanted: Services) => {
    while (JSON.stringify(Object.fromEntries([...held].sort())) !== JSON.stringify(wanted)) {
      const { typeUrl, resources, removed } = await call.next();
      if (typeUrl !== typeUrls['eds']) continue;
      for (const { name, message } of resources) held.set(name, portsOf(message!));
      for (const name of removed) held.delete(name);
    }
    return true;
  };
}

function portsOf(message: Uint8Array): readonly number[] {
  const type = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
  const { endpoints = [] } = decodeMessage(message, type, new Problems()) as ClusterLoadAssignment;
  const ports = endpoints.flatMap(({ lbEndpoints = [] }) =>
    lbEndpoints.map(({ endpoint }) => endpoint!.address!.socketAddress!.portValue!),
  );
  return ports.sort((a, b) => a - b);
}

t.test('two sources are served as one, and each change of either arrives', async (t) => {
  const start = makeMesh(t);
  const east = await start('east', { shop: [1], cart: [2] });
  const west = await start('west', { shop: [3], mail: [4] });
  const { address } = await start('union', { own: [9] }, [east.address, west.address]);
  const until = follow(t, address);
  t.ok(await until({ cart: [2], mail: [4], own: [9], shop: [1, 3] }));
  east.write({ shop: [1, 5] });
  t.ok(await until({ cart: [2], mail: [4], own: [9], shop: [1, 3, 5] }));
  west.write({ shop: [], mail: [6] });
  t.ok(await until({ cart: [2], mail: [6], own: [9], shop: [1, 5] }));
});

t.test('a partition: the last state of a lost source is served, and its newest when it is back', async (t) => {
  const start = makeMesh(t);
  const east = await start('east', { shop: [1] });
  const west = await start('west', { shop: [2] });
  const link = await CuttableLink.to(t, east.port);
  const { address } = await start('union', {}, [link.address, west.address]);
  const until = follow(t, address);
  t.ok(await until({ shop: [1, 2] }));
  link.cut();
  east.write({ shop: [10] });
  west.write({ shop: [20] });
  t.ok(await until({ shop: [1, 20] }), 'what is known of the lost one stays beside the change of the other');
  link.mend();
  t.ok(await until({ shop: [10, 20] }));
});

t.test('of two ways to a source the one that heard last decides', async (t) => {
  const start = makeMesh(t);
  const origin = await start('origin', { shop: [1], cart: [2] });
  const link = await CuttableLink.to(t, origin.port);
  const relay = await start('relay', { own: [9] }, [link.address]);
  const both = await start('both', {}, [relay.address, origin.address]);
  const until = follow(t, both.address);
  t.ok(await until({ cart: [2], own: [9], shop: [1] }));
  link.cut();
  origin.write({ shop: [3], cart: [] });
  t.ok(
    await until({ own: [9], shop: [3] }),
    'neither the old endpoint nor the removed service comes back by the relay',
  );
  link.mend();
  origin.write({ shop: [4] });
  t.ok(await until({ own: [9], shop: [4] }));
});

t.test('what an earlier run said is over, also for those who follow each other', async (t) => {
  const start = makeMesh(t);
  const east = await start('east', { cart: [3], shop: [1] });
  const link = await CuttableLink.to(t, east.port);
  const west = await start('west', { own: [5] }, [link.address]);
  const until = follow(t, west.address);
  t.ok(await until({ cart: [3], own: [5], shop: [1] }));
  const next = await start('east again', { shop: [9] }, [west.address]);
  const untilThere = follow(t, next.address);
  t.ok(await untilThere({ cart: [3], own: [5], shop: [1, 9] }), 'nobody knows yet that the first run is over');
  link.lead(next.port);
  link.cut();
  link.mend();
  t.ok(await until({ own: [5], shop: [9] }), 'neither a service nor an endpoint of the run before');
  t.ok(await untilThere({ own: [5], shop: [9] }), 'nor do they come back to where they came from');
});

t.test('a source that never comes back is forgotten by those who follow each other, too', async (t) => {
  const start = makeMesh(t, 300);
  const lost = await start('lost', { cart: [3], shop: [1] });
  const link = await CuttableLink.to(t, lost.port);
  const first = await start('first', { shop: [4] }, [lost.address, link.address]);
  const untils = [follow(t, first.address)];
  t.ok(await untils[0]!({ cart: [3], shop: [1, 4] }));
  const second = await start('second', { own: [5] }, [lost.address, first.address]);
  untils.push(follow(t, second.address));
  link.lead(second.port);
  link.cut();
  link.mend();
  for (const until of untils) t.ok(await until({ cart: [3], own: [5], shop: [1, 4] }));
  await lost.close();
  for (const until of untils) t.ok(await until({ own: [5], shop: [4] }));
});

t.test('what is followed may follow others', async (t) => {
  const start = makeMesh(t);
  const first = await start('first', { shop: [1] });
  const second = await start('second', { mail: [2] }, [first.address]);
  const third = await start('third', { shop: [3], cart: [4] }, [second.address]);
  const untilThird = follow(t, third.address);
  t.ok(await untilThird({ cart: [4], mail: [2], shop: [1, 3] }));
  third.write({ shop: [] });
  t.ok(await untilThird({ cart: [4], mail: [2], shop: [1] }));
  first.write({ shop: [] });
  t.ok(await untilThird({ cart: [4], mail: [2] }));
});

t.test('of what somebody merged, that which is over goes, and what others have of it stays', async (t) => {
  const start = makeMesh(t);
  const east = await start('east', { shop: [1] });
  const west = await start('west', { shop: [2] });
  const link = await CuttableLink.to(t, east.port);
  const relay = await start('relay', {}, [link.address, west.address]);
  const both = await start('both', {}, [relay.address, east.address]);
  const until = follow(t, both.address);
  t.ok(await until({ shop: [1, 2] }));
  link.cut();
  east.write({ shop: [5] });
  t.ok(await until({ shop: [2, 5] }));
});
