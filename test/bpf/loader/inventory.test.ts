import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type AttachTarget, attach } from '../../../bpf/loader/attachment.ts';
import { type Inventory, takeInventory } from '../../../bpf/loader/inventory.ts';
import type { ObjectName } from '../../../bpf/loader/object-files.ts';
import { LAYOUTS } from '../../../bpf/loader/object-layouts.ts';
import { PinFolder } from '../../../bpf/loader/pin-folder.ts';
import { releasedPrograms } from '../../../bpf/loader/program-release.ts';
import { type LinkInfo, linkInfo, type ProgramInfo, programInfo } from '../../../native/bpf-info.ts';
import { AttachType } from '../../../native/bpf-link.ts';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { shippedFiles, shippedObject, succeeded } from '../../support/shipped-object.ts';

const skip = bpfSkipReason('root', 'libbpf', 'objects', 'cgroup2', 'bpffs') ?? false;
const clock = { nowMs: 1_000_000_000_000, uptimeMs: 0 };

function cgroupTarget(path: string): AttachTarget {
  return { kind: 'cgroup', fd: openSync(path, 'r'), name: path };
}

const programOf = (inventory: Inventory, id: number) => inventory.programs.find((program) => program.id === id);
const idOf = (fd: number) => (programInfo(fd) as ProgramInfo).id;

t.test('what runs is listed with its place, its maps and the object that it is of', { skip }, (t) => {
  const [bpffs, path] = [temporaryBpffs(t), temporaryCgroup(t, 'inventory')];
  const files = shippedFiles();
  const released = succeeded(releasedPrograms(files));
  const object = shippedObject(t, 'outbound', { constants: { outbound_port: 12345 } });
  const cgroup = cgroupTarget(path);
  const attachment = succeeded(attach(object.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  closeSync(cgroup.fd);
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const maps = { outbound_orig: object.mapFd('orig') };
  t.equal(folder.create({ links: { or_connect4: attachment.linkFd! }, maps, settings: {} }), undefined);

  takeInventory({ released, bpffs, clock });
  const before = openDescriptors();
  const inventory = takeInventory({ released, bpffs, clock });
  t.equal(openDescriptors(), before, 'a listing keeps nothing open');
  t.same(inventory.gaps, []);

  const id = idOf(object.programFd('or_connect4'));
  const { sha256 } = files.manifest.objects.get('outbound')!;
  t.match(programOf(inventory, id), {
    name: 'or_connect4',
    object: 'outbound',
    release: 'same',
    sha256,
    createdByUid: 0,
  });
  t.ok(programOf(inventory, id)!.memoryBytes > 0);
  const link = inventory.links.find(({ programId }) => programId === id);
  t.same(link, {
    id: (linkInfo(attachment.linkFd!) as LinkInfo).id,
    programId: id,
    attachType: 'inet4Connect',
    place: path,
    pinnedAs: join(folder.path, 'links/or_connect4'),
  });
  const ofProgram = inventory.maps.filter(({ id }) => programOf(inventory, link!.programId)!.mapIds.includes(id));
  t.match(
    inventory.maps.find(({ pinnedAs }) => pinnedAs === join(folder.path, 'maps/outbound_orig')),
    { name: 'orig', type: 'lruHash', maxEntries: 16384, entries: 0 },
  );
  t.match(ofProgram.find(({ name }) => name === 'counters')?.counters, { captured_tcp4: 0, passed_loopback: 0 });
  t.equal(attachment.detach(), undefined);
  t.end();
});

t.test('a program of our name that is not the object’s is told from it', { skip }, (t) => {
  const object = shippedObject(t, 'events');
  const id = idOf(object.programFd('or_ev_sockops'));
  const bpffs = temporaryBpffs(t);
  t.equal(programOf(takeInventory({ bpffs, clock }), id)?.release, 'unknown', 'without objects to compare with');
  const released = succeeded(releasedPrograms(shippedFiles()));
  t.equal(programOf(takeInventory({ released, bpffs, clock }), id)?.release, 'same');
  const changed = new Map([['or_ev_sockops', { ...released.get('or_ev_sockops')!, tag: '0000000000000000' }]]);
  t.equal(programOf(takeInventory({ released: changed, bpffs, clock }), id)?.release, 'other');
  t.end();
});

t.test('every program of ours is known', { skip }, (t) => {
  const released = succeeded(releasedPrograms(shippedFiles()));
  const names = (Object.keys(LAYOUTS) as ObjectName[]).flatMap((object) => {
    const loaded = shippedObject(t, object);
    return LAYOUTS[object].programs.map(({ name }) => ({ id: idOf(loaded.programFd(name)), name, object }));
  });
  const inventory = takeInventory({ released, bpffs: temporaryBpffs(t), clock });
  for (const { id, name, object } of names) t.match(programOf(inventory, id), { name, object, release: 'same' });
  t.end();
});

t.test('programs loaded since the machine started have their moment', { skip }, (t) => {
  const object = shippedObject(t, 'inbound');
  const { id, loadTimeNs } = programInfo(object.programFd('or_lookup')) as ProgramInfo;
  const inventory = takeInventory({ bpffs: temporaryBpffs(t), clock: { nowMs: 5_000, uptimeMs: 3_000 } });
  t.equal(programOf(inventory, id)!.loadedAtMs, 2_000 + loadTimeNs / 1e6);
  t.end();
});

t.test('what cannot be seen is said', { skip }, (t) => {
  const inventory = takeInventory({ bpffs: '/nowhere', clock });
  t.same(inventory.gaps, ['cannot look at /nowhere: no such file or directory (ENOENT)']);
  t.end();
});
