import { chownSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type AttachTarget, attach, attachedAt } from '../../../bpf/loader/attachment.ts';
import { FolderLock } from '../../../bpf/loader/folder-lock.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { PinFolder, type PinnedSet, type PinSet } from '../../../bpf/loader/pin-folder.ts';
import { type MapInfo, mapInfo } from '../../../native/bpf-info.ts';
import { AttachType, pin } from '../../../native/bpf-link.ts';
import { createMap, MapType } from '../../../native/bpf-map.ts';
import { close } from '../../../native/socket.ts';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { shippedObject, succeeded } from '../../support/shipped-object.ts';

const skip = bpfSkipReason('root', 'libbpf', 'bpffs') ?? false;
const skipAttached = bpfSkipReason('root', 'libbpf', 'bpffs', 'cgroup2', 'objects') ?? false;

const SETTINGS = { outbound: { port: 15001, includePorts: [{ first: 1, last: 65535 }] }, text: 'ä' };

function aMap(t: Test, name = 'or_test', valueBytes = 8): number {
  const fd = createMap({ type: MapType.hash, keyBytes: 4, valueBytes, maxEntries: 1, flags: 0, name });
  t.teardown(() => close(fd));
  return fd;
}

t.test('what is there stays until what takes its place is pinned', { skip: skipAttached }, (t) => {
  const bpffs = temporaryBpffs(t);
  const path = temporaryCgroup(t, 'replaced-pins');
  const cgroup: AttachTarget = { kind: 'cgroup', fd: openSync(path, 'r'), name: path };
  const object = shippedObject(t, 'outbound');
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const attachment = succeeded(attach(object.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  const links = { or_connect4: attachment.linkFd! };
  t.equal(folder.replace({ links, maps: { orig: object.mapFd('orig') }, settings: 1 }), undefined, 'nothing was there');
  t.match(folder.replace({ links, maps: { orig: -1 }, settings: 2 }), { reason: /pin/ });
  t.equal(opened(t, folder).settings, 1);
  t.equal(folder.replace({ links, maps: {}, settings: 3 }), undefined);
  const last = opened(t, folder);
  t.same([last.settings, last.maps.size], [3, 0]);
  attachment.close();
  object.close();
  t.same(readdirSync(join(bpffs, 'outrigger/v1/locks')), []);
  closeSync(cgroup.fd);
  t.end();
});

function opened(t: Test, folder: PinFolder): PinnedSet {
  const pins = succeeded(folder.read());
  t.teardown(() => {
    for (const fd of [...pins.links.values(), ...pins.maps.values()]) close(fd);
  });
  return pins;
}

const idOf = (fd: number) => (mapInfo(fd) as MapInfo).id;
const setOf = (maps: PinSet['maps']): PinSet => ({ links: {}, maps, settings: SETTINGS });

t.test('what is put into a folder is found there, and gone when it is removed', { skip: skipAttached }, (t) => {
  const bpffs = temporaryBpffs(t);
  const path = temporaryCgroup(t, 'pins');
  const cgroup: AttachTarget = { kind: 'cgroup', fd: openSync(path, 'r'), name: path };
  const object = shippedObject(t, 'outbound');
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod_1' }));
  t.notOk(folder.exists());
  t.match(folder.read(), { reason: `nothing is pinned as ${bpffs}/outrigger/v1/pod_1` });

  const attachment = succeeded(attach(object.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  const maps = { orig: object.mapFd('orig'), counters: object.mapFd('counters') };
  t.equal(folder.create({ links: { or_connect4: attachment.linkFd! }, maps, settings: SETTINGS }), undefined);
  t.ok(folder.exists());
  t.same(PinFolder.names(bpffs), ['pod_1']);
  t.same(readdirSync(join(bpffs, 'outrigger/v1/pod_1')).sort(), ['links', 'maps', 'settings']);
  attachment.close();
  object.close();
  t.equal(attachedAt(cgroup, AttachType.inet4Connect).length, 1, 'it stays without the process');

  const pins = opened(t, folder);
  t.same(pins.settings, SETTINGS);
  t.same([...pins.links.keys()], ['or_connect4']);
  t.match(mapInfo(pins.maps.get('orig')!), { name: 'orig', type: MapType.lruHash });
  for (const fd of pins.links.values()) close(fd);
  t.equal(folder.remove(), undefined);
  t.same(attachedAt(cgroup, AttachType.inet4Connect), []);
  t.same(readdirSync(join(bpffs, 'outrigger/v1')), ['locks'], 'nothing but the place for locks');
  closeSync(cgroup.fd);
  t.end();
});

t.test('a folder is there with everything or not at all', { skip }, (t) => {
  const bpffs = temporaryBpffs(t);
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const map = aMap(t);
  const before = openDescriptors();
  t.match(folder.create(setOf({ one: map, two: 9999 })), { reason: /cannot pin .*\/maps\/two: invalid argument/ });
  t.match(folder.create(setOf({ one: map, 'a.b': map })), {
    reason: /cannot pin .*a\.b: names are made of letters, digits and _/,
  });
  t.notOk(existsSync(folder.path));
  t.same(readdirSync(join(bpffs, 'outrigger/v1/locks')), []);
  t.equal(folder.create(setOf({ one: map })), undefined);
  t.match(folder.create(setOf({ one: map })), { reason: `${folder.path} is there already`, wayOut: /unload/ });
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('what a process left half made when it died is cleared away', { skip }, (t) => {
  const bpffs = temporaryBpffs(t);
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const halfMade = join(bpffs, 'outrigger/v1/locks/pod/new');
  mkdirSync(join(halfMade, 'maps'), { recursive: true, mode: 0o700 });
  pin(aMap(t), join(halfMade, 'maps/old'));
  t.notOk(folder.exists());
  const map = aMap(t);
  t.equal(folder.create(setOf({ fresh: map })), undefined);
  t.same([...opened(t, folder).maps.keys()], ['fresh']);
  t.same(readdirSync(join(folder.path, 'maps')), ['fresh']);
  t.end();
});

t.test('two never write at once', { skip }, (t) => {
  const bpffs = temporaryBpffs(t);
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const other = succeeded(PinFolder.at({ bpffs, name: 'other' }));
  const map = aMap(t);
  t.equal(other.create(setOf({ one: map })), undefined);
  const lock = succeeded(FolderLock.take(join(bpffs, 'outrigger/v1/locks/pod')));
  t.match(folder.create(setOf({ one: map })), { reason: /another process is changing/, wayOut: /try again/ });
  t.match(folder.remove(), { reason: /another process is changing/ });
  t.equal(other.remove(), undefined, 'another folder is free');
  lock.release();
  t.equal(folder.create(setOf({ one: map })), undefined);
  t.end();
});

t.test('settings and maps are replaced, and the others stay', { skip }, (t) => {
  const folder = succeeded(PinFolder.at({ bpffs: temporaryBpffs(t), name: 'pod' }));
  const [kept, old, fresh, added] = [aMap(t), aMap(t), aMap(t, 'or_fresh', 16), aMap(t)];
  t.equal(folder.create(setOf({ kept, changed: old })), undefined);
  const settings = { much: 'x'.repeat(10_000) };
  t.equal(folder.update(settings, { changed: fresh, added }), undefined);
  const pins = opened(t, folder);
  t.same(pins.settings, settings);
  t.same(
    [...pins.maps].map(([name, fd]) => [name, idOf(fd)]),
    [
      ['kept', idOf(kept)],
      ['changed', idOf(fresh)],
      ['added', idOf(added)],
    ],
  );
  t.equal(folder.remove(), undefined);
  t.notOk(existsSync(folder.path));
  t.match(folder.update({}), { reason: /^nothing is pinned as/ });
  t.end();
});

t.test('removal leaves what others put there, and says so', { skip }, (t) => {
  const folder = succeeded(PinFolder.at({ bpffs: temporaryBpffs(t), name: 'pod' }));
  const map = aMap(t);
  folder.create(setOf({ ours: map }));
  const foreign = join(folder.path, 'maps', 'foreign');
  pin(map, foreign);
  t.match(folder.remove(), { reason: `${folder.path}/maps keeps what Outrigger did not pin: foreign` });
  t.same(readdirSync(join(folder.path, 'maps')), ['foreign']);
  unlinkSync(foreign);
  t.equal(folder.remove(), undefined, 'asked again, it goes on where it stopped');
  t.notOk(existsSync(folder.path));
  t.end();
});

t.test('a folder of somebody else is not trusted', { skip }, (t) => {
  const bpffs = temporaryBpffs(t, 'mode=0777');
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const map = aMap(t);
  folder.create(setOf({ one: map }));
  const somebody = 4242;
  for (const path of [folder.path, join(bpffs, 'outrigger/v1'), join(bpffs, 'outrigger')]) {
    chownSync(path, somebody, somebody);
    const foreign = { reason: `${path} belongs to somebody else (uid 4242, mode 700) and is not trusted` };
    t.match(folder.read(), foreign);
    t.match(folder.remove(), foreign);
    t.match(folder.update({}), foreign);
    chownSync(path, 0, 0);
  }
  t.equal(folder.remove(), undefined);
  t.end();
});

t.test('another version’s folder is neither used nor replaced', { skip }, (t) => {
  const bpffs = temporaryBpffs(t);
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  const map = aMap(t);
  folder.create(setOf({ one: map }));
  const other = join(bpffs, 'outrigger/v0/pod');
  mkdirSync(other, { recursive: true, mode: 0o700 });
  pin(map, join(other, 'settings'));
  folder.remove();
  t.match(folder.create(setOf({ one: map })), {
    reason: `${other} is there already`,
    wayOut: 'unload it with the version of Outrigger that made it',
  });
  t.notOk(folder.exists());
  t.end();
});

t.test('settings that are none, or another program’s, are told with the way out', { skip }, (t) => {
  const folder = succeeded(PinFolder.at({ bpffs: temporaryBpffs(t), name: 'pod' }));
  const map = aMap(t);
  folder.create(setOf({ one: map }));
  const settings = join(folder.path, 'settings');
  unlinkSync(settings);
  t.match(folder.read(), {
    reason: /cannot open .*settings: no such file/,
    wayOut: `remove it by hand: rm -r ${folder.path}`,
  });
  for (const shape of [
    { type: MapType.hash, keyBytes: 4, valueBytes: 64 },
    { type: MapType.array, keyBytes: 4, valueBytes: 64 },
  ]) {
    const fd = createMap({ ...shape, maxEntries: 1, flags: 0, name: 'or_other' });
    pin(fd, settings);
    close(fd);
    t.match(folder.read(), { reason: `${settings} was not written by Outrigger` });
    t.match(folder.remove(), { reason: /was not written by Outrigger/ });
    unlinkSync(settings);
  }
  t.end();
});

t.test('a bpffs that cannot be written to is told with the way out', { skip }, (t) => {
  const bpffs = temporaryBpffs(t, 'ro');
  const folder = succeeded(PinFolder.at({ bpffs, name: 'pod' }));
  t.match(folder.create(setOf({ one: aMap(t) })), {
    reason: `cannot make ${bpffs}/outrigger: read-only file system (EROFS)`,
    wayOut: /remount,rw/,
  });
  t.match(folder.read(), { reason: /^nothing is pinned as/ });
  t.end();
});

t.test('names that cannot be are refused, and a place that is no bpffs', { skip }, (t) => {
  const bpffs = temporaryBpffs(t);
  for (const name of ['', 'locks', 'a.b', '../x', 'a/b', 'x'.repeat(129)]) {
    t.match(PinFolder.at({ bpffs, name }), {
      reason: `'${name}' cannot name a folder of pins: letters, digits, _ and - can`,
    });
  }
  const folder = t.testdir();
  t.match(PinFolder.at({ bpffs: folder, name: 'pod' }), { reason: /is not a bpffs/ });
  t.ok(isFailure(PinFolder.names(folder)));
  t.same(PinFolder.names(bpffs), []);
  rmdirSync(folder);
  t.end();
});
