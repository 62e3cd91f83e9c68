import t from 'tap';
import { mapInfo } from '../../native/bpf-info.ts';
import { BpfMap, createMap, MapType } from '../../native/bpf-map.ts';
import { BpfObject } from '../../native/bpf-object.ts';
import { testRun } from '../../native/bpf-program.ts';
import { Errno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { isClosedOnExec, openDescriptors } from '../support/open-descriptors.ts';
import { compiled, loadedObject, openedObject, REFUSED_SOURCE } from '../support/tiny-object.ts';

const SOAK_ROUNDS = 100;

const canOpen = { skip: bpfSkipReason('libbpf', 'clang') ?? false };
const canLoad = { skip: bpfSkipReason('root', 'libbpf', 'clang') ?? false };

t.test('an object tells its programs and maps before anything is in the kernel', canOpen, (t) => {
  const before = openDescriptors();
  const object = openedObject(t);
  t.same(object.programs, [
    { name: 'tn_connect4', section: 'cgroup/connect4' },
    { name: 'tn_lookup', section: 'sk_lookup' },
  ]);
  t.same(object.maps, [
    { name: 'counters', type: MapType.array, keyBytes: 4, valueBytes: 8, maxEntries: 4 },
    { name: 'events', type: MapType.ringBuffer, keyBytes: 0, valueBytes: 0, maxEntries: 4096 },
    { name: 'tiny.rodata', type: MapType.array, keyBytes: 4, valueBytes: 8, maxEntries: 1 },
  ]);
  t.equal(openDescriptors(), before);
  t.equal(object.programFd('tn_lookup'), -Errno.ENOENT);
  t.equal(object.mapFd('counters'), -Errno.ENOENT);
  t.end();
});

t.test('bytes that are no object are refused by number', canOpen, (t) => {
  const notElf = 4001;
  t.equal(BpfObject.open(new Uint8Array(0), 'name'), -Errno.EINVAL);
  t.equal(BpfObject.open(compiled(), 'na\0me'), -Errno.EINVAL);
  t.equal(BpfObject.open(Buffer.from('no object'), 'name'), -notElf);
  for (const length of [1, 64, 1000, compiled().length - 1]) {
    const outcome = BpfObject.open(compiled().subarray(0, length), 'name');
    t.type(outcome, 'number', `the first ${length} bytes`);
  }
  t.end();
});

t.test('the bytes are the caller’s again once the object is open', canLoad, (t) => {
  const bytes = Buffer.from(compiled());
  const object = openedObject(t, bytes);
  bytes.fill(0xee);
  t.equal(object.load().errno, 0);
  t.equal(verdictOf(object), 1);
  t.end();
});

t.test('global data are set before the object is loaded, whole and not after', canLoad, (t) => {
  const object = openedObject(t);
  const data = object.initialValue('.rodata') as Uint8Array;
  t.same([...data], [1, 0, 0, 0, 1, 0, 0, 0]);
  t.equal(object.setInitialValue('.rodata', data.subarray(0, 4)), -Errno.EINVAL);
  t.equal(object.setInitialValue('counters', new Uint8Array(8)), -Errno.EINVAL);
  t.equal(object.setInitialValue('.bss', data), -Errno.ENOENT);
  t.equal(object.initialValue('counters'), -Errno.EINVAL);
  t.equal(object.initialValue('.bss'), -Errno.ENOENT);
  data[4] = 0;
  t.equal(object.setInitialValue('.rodata', data), 0);
  data.fill(0xee);
  t.same(
    [...(object.initialValue('.rodata') as Uint8Array)],
    [1, 0, 0, 0, 0, 0, 0, 0],
    'the caller’s bytes were copied',
  );
  t.equal(object.load().errno, 0);
  t.equal(verdictOf(object), 0);
  t.equal(object.setInitialValue('.rodata', data), -Errno.EINVAL);
  t.end();
});

t.test('a program that is switched off is not loaded', canLoad, (t) => {
  const object = openedObject(t, compiled(REFUSED_SOURCE));
  t.equal(object.setAutoload('tn_connect4', false), 0);
  t.equal(object.setAutoload('nobody', false), -Errno.ENOENT);
  t.equal(object.load().errno, 0);
  t.equal(object.programFd('tn_connect4'), -Errno.ENOENT);
  t.ok(object.programFd('tn_lookup') >= 0);
  t.equal(object.programFd('nobody'), -Errno.ENOENT);
  t.end();
});

t.test('maps take another size, or are those of another object', canLoad, (t) => {
  const object = openedObject(t);
  t.equal(object.setMaxEntries('counters', 16), 0);
  t.equal(object.setMaxEntries('nobody', 16), -Errno.ENOENT);
  t.equal(object.load().errno, 0);
  t.match(mapInfo(object.mapFd('counters')), { maxEntries: 16 });
  t.equal(object.setMaxEntries('counters', 32), -Errno.EBUSY);

  const heir = openedObject(t);
  t.equal(heir.reuseMap('counters', object.mapFd('counters')), 0);
  t.equal(heir.reuseMap('counters', -1), -Errno.EBADF);
  t.equal(heir.reuseMap('counters', object.programFd('tn_lookup')), -Errno.EINVAL, 'no map');
  t.equal(heir.load().errno, 0);
  t.not(heir.mapFd('counters'), object.mapFd('counters'), 'a descriptor of its own');
  t.same(mapInfo(heir.mapFd('counters')), mapInfo(object.mapFd('counters')));
  t.end();
});

t.test('a program that the verifier refuses leaves its log, what else went wrong, and nothing open', canLoad, (t) => {
  const before = openDescriptors();
  const object = openedObject(t, compiled(REFUSED_SOURCE));
  const { errno, verifierLog, warnings } = object.load();
  t.equal(errno, Errno.EACCES);
  t.match(verifierLog, /^tn_connect4:\n(.*\n)*.*R\d+ invalid mem access 'map_value_or_null'\n/);
  t.notMatch(verifierLog, 'tn_lookup');
  t.matchOnly(warnings, [
    "prog 'tn_connect4': BPF program load failed: Permission denied",
    /^prog 'tn_connect4': failed to load: -13/,
    /^failed to load object /,
  ]);
  t.equal(object.load().errno, Errno.EINVAL, 'once, whatever comes of it');
  object.close();
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('a map that cannot be made is told by name', canLoad, (t) => {
  const object = openedObject(t);
  t.equal(object.setMaxEntries('counters', 0), 0);
  const { errno, verifierLog, warnings } = object.load();
  t.equal(errno, Errno.EINVAL);
  t.equal(verifierLog, '');
  t.ok(warnings.includes("map 'counters': failed to create: Invalid argument(-22)"));
  t.end();
});

t.test('one that is loaded without a fault leaves neither log nor warnings', canLoad, (t) => {
  const object = openedObject(t);
  t.same(object.load(), { errno: 0, verifierLog: '', warnings: [] });
  t.equal(object.load().errno, Errno.EINVAL, 'once');
  t.end();
});

t.test('several are loaded at a time, each on a thread of its own', canLoad, (t) => {
  const before = openDescriptors();
  const objects = Array.from({ length: 4 }, () => openedObject(t));
  for (const object of objects) object.beginLoading();
  for (const object of objects) {
    t.equal(object.loadQuietly(), 0);
    t.equal(verdictOf(object), 1);
    t.equal(object.loadQuietly(), Errno.EINVAL, 'once');
    object.close();
  }
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('one that is refused on its thread says no more than a number', canLoad, (t) => {
  const before = openDescriptors();
  const object = openedObject(t, compiled(REFUSED_SOURCE));
  object.beginLoading();
  object.beginLoading();
  t.equal(object.loadQuietly(), Errno.EACCES);
  object.close();
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('one that is closed while it is loaded leaves nothing', canLoad, (t) => {
  const before = openDescriptors();
  const object = openedObject(t);
  object.beginLoading();
  object.close();
  t.equal(openDescriptors(), before);
  t.equal(object.loadQuietly(), Errno.EBADF);
  object.beginLoading();
  t.equal(object.loadQuietly(), Errno.EBADF);
  t.end();
});

t.test('what is said of one is not mixed with what another thread says', canLoad, (t) => {
  const other = openedObject(t, compiled(REFUSED_SOURCE));
  const object = openedObject(t);
  other.beginLoading();
  t.same(object.load(), { errno: 0, verifierLog: '', warnings: [] });
  t.equal(other.loadQuietly(), Errno.EACCES);
  t.end();
});

t.test('descriptors are the object’s own, closed on exec, and gone when it is closed', canLoad, (t) => {
  const before = openDescriptors();
  const object = loadedObject(t);
  for (const fd of descriptorsOf(object)) t.ok(isClosedOnExec(fd));
  object.close();
  t.equal(openDescriptors(), before);
  object.close();
  t.equal(openDescriptors(), before, 'closing again closes nothing of others');
  t.end();
});

t.test('a closed object refuses everything', canLoad, (t) => {
  const object = loadedObject(t);
  object.close();
  t.same(descriptorsOf(object), [-Errno.ENOENT, -Errno.ENOENT, -Errno.ENOENT, -Errno.ENOENT, -Errno.ENOENT]);
  t.same(object.load(), { errno: Errno.EBADF, verifierLog: '', warnings: [] });
  t.equal(object.initialValue('.rodata'), -Errno.ENOENT);
  t.equal(object.setInitialValue('.rodata', new Uint8Array(8)), -Errno.ENOENT);
  t.equal(object.setMaxEntries('counters', 8), -Errno.ENOENT);
  t.equal(object.setAutoload('tn_lookup', true), -Errno.ENOENT);
  t.equal(object.reuseMap('counters', 0), -Errno.ENOENT);
  t.equal(object.programs.length, 2, 'what it was is still told');
  t.end();
});

t.test('a map that was reused stays open to its owner', canLoad, (t) => {
  const own = createMap({
    type: MapType.array,
    keyBytes: 4,
    valueBytes: 8,
    maxEntries: 4,
    flags: 1 << 10,
    name: 'own',
  });
  t.teardown(() => close(own));
  const object = openedObject(t);
  t.equal(object.reuseMap('counters', own), 0);
  t.equal(object.load().errno, 0);
  object.close();
  t.equal(new BpfMap(own, 4, 8).lookup(new Uint8Array(4), new Uint8Array(8)), 0);
  t.end();
});

t.test(`${SOAK_ROUNDS} objects, loaded, refused and closed, leave no descriptor`, canLoad, (t) => {
  const before = openDescriptors();
  for (let round = 0; round < SOAK_ROUNDS; round++) {
    const object = BpfObject.open(compiled(round % 2 === 0 ? undefined : REFUSED_SOURCE), 'tiny') as BpfObject;
    object.load();
    object.close();
  }
  t.equal(openDescriptors(), before);
  t.end();
});

function descriptorsOf(object: BpfObject): number[] {
  const maps = ['counters', 'events', '.rodata'].map((name) => object.mapFd(name));
  return [...maps, object.programFd('tn_connect4'), object.programFd('tn_lookup')];
}

/** What `tn_lookup` says of a connection. */
function verdictOf(object: BpfObject): number {
  const context = Buffer.alloc(72); // struct bpf_sk_lookup
  context.writeUInt32LE(2, 8); // AF_INET
  context.writeUInt32LE(6, 12); // TCP
  const outcome = testRun(object.programFd('tn_lookup'), { contextIn: context, repeat: 1 });
  return typeof outcome === 'number' ? outcome : outcome.result;
}
