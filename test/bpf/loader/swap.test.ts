import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { type Attachment, type AttachTarget, attach, attachedAt } from '../../../bpf/loader/attachment.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { type LoadedObject, type LoadOptions, loadObject } from '../../../bpf/loader/loaded-object.ts';
import { LAYOUTS } from '../../../bpf/loader/object-layouts.ts';
import { type Swap, swapPrograms } from '../../../bpf/loader/swap.ts';
import { type MapInfo, mapInfo } from '../../../native/bpf-info.ts';
import { AttachType } from '../../../native/bpf-link.ts';
import { createMap, MapType } from '../../../native/bpf-map.ts';
import { close, originalDestination } from '../../../native/socket.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';
import { enterCgroup } from '../../support/cgroup-member.ts';
import type { LoopReport } from '../../support/looping-client.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { shippedFiles, shippedObject, succeeded } from '../../support/shipped-object.ts';

const skip = bpfSkipReason('root', 'libbpf', 'objects', 'cgroup2') ?? false;

const SWAPS = 50;
const CONNECTIONS_BETWEEN = 20;

const idOf = (fd: number) => (mapInfo(fd) as MapInfo).id;

function cgroupTarget(t: Test, name: string): AttachTarget {
  const path = temporaryCgroup(t, name);
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  return { kind: 'cgroup', fd, name: path };
}

function mapsOf(object: LoadedObject): Swap['maps'] {
  return Object.fromEntries(LAYOUTS[object.name].maps.map(({ name }) => [name, object.mapFd(name)]));
}

/** Listens as the proxy would, and answers each connection with the port that it was meant for. */
async function startProxy(t: Test): Promise<{ server: Server; accepted: () => number }> {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    const destination = originalDestination(descriptorOf(socket));
    socket.on('error', () => socket.destroy());
    socket.end(destination?.kind === 'ip' ? String(destination.port) : 'no original destination');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { server, accepted: () => accepted };
}

function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

function startClient(cgroup: string): { stop: () => Promise<LoopReport> } {
  const program = join(import.meta.dirname, '../../support/looping-client.ts');
  const child = spawn('sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs; exec ${process.execPath} ${program}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const report = text(child.stdout);
  return {
    stop: async () => {
      child.stdin.end();
      return JSON.parse(await report) as LoopReport;
    },
  };
}

t.test(
  `${SWAPS} swaps under load: every connection is captured, every original destination found`,
  { skip },
  async (t) => {
    const proxyCgroup = enterCgroup(t, 'swap-proxy');
    const clientCgroup = cgroupTarget(t, 'swap-client');
    const { server, accepted } = await startProxy(t);
    const constants = { outbound_port: (server.address() as AddressInfo).port };
    const files = shippedFiles();
    let object = succeeded(loadObject(files, 'outbound', { constants }));
    const places = [
      ['or_getsockopt', proxyCgroup, AttachType.getsockopt],
      ['or_sockops', clientCgroup, AttachType.sockOps],
      ['or_connect4', clientCgroup, AttachType.inet4Connect],
    ] as const;
    const attachments = new Map<string, Attachment>();
    for (const [program, target, attachType] of places) {
      attachments.set(program, succeeded(attach(object.programFd(program), target, attachType)));
    }
    const client = startClient(clientCgroup.name);
    for (let swap = 0; swap < SWAPS; swap++) {
      const goal = accepted() + CONNECTIONS_BETWEEN;
      while (accepted() < goal) await once(server, 'connection');
      const options: Swap = { files, name: 'outbound', load: { constants }, maps: mapsOf(object), attachments };
      const next = succeeded(swapPrograms({ ...options, previous: object }));
      object.close();
      object = next;
    }
    const { connections, wrong } = await client.stop();
    t.same(wrong.slice(0, 3), []);
    t.ok(connections >= SWAPS * CONNECTIONS_BETWEEN, `${connections} connections`);
    for (const attachment of attachments.values()) t.equal(attachment.detach(), undefined);
    object.close();
  },
);

/** Two programs at a cgroup, and what swaps them. */
function attached(t: Test, name: string): { swap: Swap; ids: () => unknown; cgroup: AttachTarget } {
  const cgroup = cgroupTarget(t, name);
  const object = shippedObject(t, 'outbound');
  const attachments = new Map<string, Attachment>();
  for (const [program, attachType] of [
    ['or_connect4', AttachType.inet4Connect],
    ['or_connect6', AttachType.inet6Connect],
  ] as const) {
    const attachment = succeeded(attach(object.programFd(program), cgroup, attachType));
    t.teardown(() => attachment.close());
    attachments.set(program, attachment);
  }
  const ids = () => [AttachType.inet4Connect, AttachType.inet6Connect].map((type) => attachedAt(cgroup, type));
  const load: LoadOptions = { constants: {} };
  return { swap: { files: shippedFiles(), name: 'outbound', load, maps: mapsOf(object), attachments }, ids, cgroup };
}

function refusal(swap: Swap): string {
  const before = openDescriptors();
  const outcome = swapPrograms(swap);
  if (!isFailure(outcome)) throw new Error('it was swapped');
  if (openDescriptors() !== before) throw new Error('a refused swap keeps descriptors open');
  return outcome.reason;
}

t.test('when one link refuses, all others have their programs back', { skip }, (t) => {
  const { swap, ids, cgroup } = attached(t, 'rollback');
  const object = shippedObject(t, 'outbound');
  const elsewhere = succeeded(attach(object.programFd('or_sockops'), cgroup, AttachType.sockOps));
  t.teardown(() => elsewhere.close());
  const attachments = new Map([...swap.attachments, ['or_getsockopt', elsewhere]]);
  const before = ids();
  t.match(refusal({ ...swap, attachments }), /^cannot replace the program at .*; the programs from before run on$/);
  t.same(ids(), before);
  t.match(refusal({ ...swap, attachments, previous: object }), /the programs from before run on$/);
  const next = succeeded(swapPrograms(swap));
  t.notSame(ids(), before);
  next.close();
  t.end();
});

t.test('a map of another shape is refused with both shapes, before anything changes', { skip }, (t) => {
  const { swap, ids } = attached(t, 'shapes');
  const before = ids();
  const fd = createMap({ type: MapType.lruHash, keyBytes: 20, valueBytes: 8, maxEntries: 9, flags: 0, name: 'orig' });
  t.teardown(() => close(fd));
  t.match(
    refusal({ ...swap, maps: { ...swap.maps, orig: fd } }),
    /^map orig has another shape: there is lruHash, 20-byte keys, 8-byte values, 9 entries; the new programs want lruHash, 20-byte keys, \d+-byte values, 16384 entries$/,
  );
  t.match(refusal({ ...swap, load: { constants: {}, maxEntries: { orig: 10 } } }), /map orig has another shape/);
  t.same(ids(), before);
  t.end();
});

t.test('a map that may be made anew is, when its shape has changed and only then', { skip }, (t) => {
  const { swap } = attached(t, 'renewable');
  const shape = { type: MapType.array, keyBytes: 4, valueBytes: 8, maxEntries: 2, flags: 0, name: 'counters' };
  const fd = createMap(shape);
  t.teardown(() => close(fd));
  t.match(refusal({ ...swap, maps: { ...swap.maps, counters: fd } }), /map counters has another shape/);
  const fewer = succeeded(swapPrograms({ ...swap, maps: { ...swap.maps, counters: fd }, renewable: ['counters'] }));
  t.teardown(() => fewer.close());
  const next = succeeded(swapPrograms({ ...swap, maps: mapsOf(fewer), renewable: ['counters'] }));
  t.teardown(() => next.close());
  t.equal(idOf(next.mapFd('counters')), idOf(fewer.mapFd('counters')));
  t.not(idOf(fewer.mapFd('counters')), idOf(fd));
  t.end();
});

t.test('a program that is attached and not in the new object is refused', { skip }, (t) => {
  const { swap, ids } = attached(t, 'missing');
  const before = ids();
  t.match(
    refusal({ ...swap, load: { constants: {}, without: ['or_connect6'] } }),
    /^cannot swap outbound: or_connect6 is attached, and the new object has no such program or leaves it out$/,
  );
  t.same(ids(), before);
  t.end();
});
