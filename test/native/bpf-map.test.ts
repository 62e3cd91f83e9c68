import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { mapInfo } from '../../native/bpf-info.ts';
import { BpfMap, createMap, MapFlag, type MapShape, MapType, UpdateFlag } from '../../native/bpf-map.ts';
import { Errno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { isClosedOnExec, openDescriptors } from '../support/open-descriptors.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const canMake = { skip: bpfSkipReason('root', 'libbpf') ?? false };
const HASH: MapShape = { type: MapType.hash, keyBytes: 4, valueBytes: 6, maxEntries: 3, flags: 0, name: 'numbers' };

t.test('a map is made as it was asked for, closed on exec', canMake, (t) => {
  const fd = mapFor(t, { ...HASH, flags: MapFlag.noPreallocation });
  const { id, ...shape } = mapInfo(fd) as MapShape & { id: number };
  t.same(shape, { ...HASH, flags: MapFlag.noPreallocation });
  t.ok(id > 0);
  t.ok(isClosedOnExec(fd));
  t.end();
});

t.test('what cannot be made is a negated errno, and leaves no descriptor', canMake, (t) => {
  const before = openDescriptors();
  t.equal(createMap({ ...HASH, type: 9999 }), -Errno.EINVAL);
  t.equal(createMap({ ...HASH, keyBytes: 0 }), -Errno.EINVAL);
  t.equal(createMap({ ...HASH, maxEntries: 0 }), -Errno.EINVAL);
  t.equal(createMap({ ...HASH, name: 'longer than fits' }), -Errno.EINVAL);
  t.equal(createMap({ ...HASH, name: 'a\0b' }), -Errno.EINVAL);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('values are written, read, replaced and deleted by key', canMake, (t) => {
  const map = hashFor(t);
  const value = Buffer.alloc(6);
  t.equal(map.lookup(key(7), value), -Errno.ENOENT);
  t.equal(map.update(key(7), Buffer.from('before')), 0);
  t.equal(map.update(key(7), Buffer.from('afters')), 0);
  t.equal(map.lookup(key(7), value), 0);
  t.equal(value.toString(), 'afters');
  t.equal(map.delete(key(7)), 0);
  t.equal(map.delete(key(7)), -Errno.ENOENT);
  t.equal(map.lookup(key(7), value), -Errno.ENOENT);
  t.equal(value.toString(), 'afters', 'a look-up that fails writes nothing');
  t.end();
});

t.test('an update can ask for a new key or for one that is there', canMake, (t) => {
  const map = hashFor(t);
  const value = Buffer.from('abcdef');
  t.equal(map.update(key(1), value, UpdateFlag.onlyExisting), -Errno.ENOENT);
  t.equal(map.update(key(1), value, UpdateFlag.onlyNew), 0);
  t.equal(map.update(key(1), value, UpdateFlag.onlyNew), -Errno.EEXIST);
  t.equal(map.update(key(1), value, UpdateFlag.onlyExisting), 0);
  t.end();
});

t.test('a map that is full says so', canMake, (t) => {
  const map = hashFor(t);
  for (let each = 0; each < 3; each++) t.equal(map.update(key(each), Buffer.alloc(6)), 0);
  t.equal(map.update(key(3), Buffer.alloc(6)), -Errno.E2BIG);
  t.end();
});

t.test('every key is found once', canMake, (t) => {
  const map = hashFor(t);
  for (const each of [5, 6, 7]) map.update(key(each), Buffer.alloc(6));
  const found: number[] = [];
  const next = Buffer.alloc(4);
  for (let result = map.nextKey(null, next); result === 0; result = map.nextKey(next, next))
    found.push(next.readUInt32LE());
  t.same(
    found.sort((one, other) => one - other),
    [5, 6, 7],
  );
  t.equal(map.nextKey(next, next), -Errno.ENOENT);
  t.equal(hashFor(t).nextKey(null, next), -Errno.ENOENT, 'an empty map');
  t.end();
});

t.test('keys and values of other sizes are refused before the kernel sees them', canMake, (t) => {
  const map = hashFor(t);
  map.update(key(1), Buffer.from('intact'));
  for (const wrong of [new Uint8Array(0), new Uint8Array(3), new Uint8Array(5), new Uint8Array(4096)]) {
    t.equal(map.lookup(wrong, new Uint8Array(6)), -Errno.EINVAL);
    t.equal(map.lookup(key(1), wrong), -Errno.EINVAL);
    t.equal(map.update(wrong, new Uint8Array(6)), -Errno.EINVAL);
    t.equal(map.update(key(1), wrong), -Errno.EINVAL);
    t.equal(map.delete(wrong), -Errno.EINVAL);
    t.equal(map.nextKey(wrong, new Uint8Array(4)), -Errno.EINVAL);
    t.equal(map.nextKey(null, wrong), -Errno.EINVAL);
  }
  const value = Buffer.alloc(6);
  t.equal(map.lookup(key(1), value), 0);
  t.equal(value.toString(), 'intact');
  t.end();
});

t.test('a map of other sizes is refused as a whole: the kernel goes by its own', canMake, (t) => {
  const fd = mapFor(t, HASH);
  t.throws(() => new BpfMap(fd, 4, 8), /BPF map numbers has keys of 4 and values of 6 bytes, not 4 and 8/);
  t.throws(() => new BpfMap(fd, 8, 6), /not 8 and 6/);
  t.throws(() => new BpfMap(-1, 4, 6), /descriptor -1 is no BPF map \(errno 9\)/);
  t.throws(() => new BpfMap(0, 4, 6), /descriptor 0 is no BPF map \(errno 22\)/);
  t.end();
});

t.test('a value of a per-CPU map is those of all CPUs, each rounded up to 8 bytes', canMake, (t) => {
  const fd = mapFor(t, { ...HASH, type: MapType.perCpuArray, valueBytes: 6 });
  t.throws(() => new BpfMap(fd, 4, 6), /not 4 and 6/);
  const bytes = Number(/values of (\d+) bytes/.exec(messageOf(() => new BpfMap(fd, 4, 6)))![1]);
  t.ok(bytes >= 8 * availableParallelism() && bytes % 8 === 0, `${bytes} bytes`);
  const map = new BpfMap(fd, 4, bytes);
  const value = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 8) value.write('abcdef', at);
  t.equal(map.update(key(0), value), 0);
  const read = Buffer.alloc(bytes);
  t.equal(map.lookup(key(0), read), 0);
  t.same(read, value);
  t.end();
});

t.test('a prefix finds the longest one that covers it', canMake, (t) => {
  const shape = { type: MapType.lpmTrie, keyBytes: 8, valueBytes: 1, maxEntries: 8, name: 'ranges' };
  const map = new BpfMap(mapFor(t, { ...shape, flags: MapFlag.noPreallocation }), 8, 1);
  const prefix = (length: number, ...bytes: number[]) => Buffer.from([length, 0, 0, 0, ...bytes]);
  map.update(prefix(8, 10, 0, 0, 0), Buffer.from([1]));
  map.update(prefix(16, 10, 2, 0, 0), Buffer.from([2]));
  const value = Buffer.alloc(1);
  t.equal(map.lookup(prefix(32, 10, 2, 3, 4), value), 0);
  t.equal(value[0], 2);
  t.equal(map.lookup(prefix(32, 10, 3, 3, 4), value), 0);
  t.equal(value[0], 1);
  t.equal(map.lookup(prefix(32, 11, 0, 0, 0), value), -Errno.ENOENT);
  t.end();
});

t.test('the memory that the kernel writes to lives as long as the map’s object', canMake, (t) => {
  const fd = mapFor(t, { ...HASH, maxEntries: 1000 });
  const maps = Array.from({ length: 200 }, () => new BpfMap(fd, 4, 6));
  for (const [index, map] of maps.entries()) map.update(key(index), Buffer.from(`v${index}`.padEnd(6)));
  collectGarbage();
  const litter = Array.from({ length: 20_000 }, () => Buffer.alloc(64, 0xee));
  collectGarbage();
  const value = Buffer.alloc(6);
  for (const [index, map] of maps.entries()) {
    map.lookup(key(index), value);
    if (value.toString() !== `v${index}`.padEnd(6)) t.fail(`map ${index} read ${value}`);
  }
  t.ok(
    litter.every((each) => each.every((byte) => byte === 0xee)),
    'and nothing else was written to',
  );
  t.end();
});

t.test('a descriptor that was closed is refused by the kernel, not read', canMake, (t) => {
  const fd = createMap(HASH);
  const map = new BpfMap(fd, 4, 6);
  close(fd);
  t.equal(map.lookup(key(1), Buffer.alloc(6)), -Errno.EBADF);
  t.end();
});

function key(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

function mapFor(t: Test, shape: MapShape): number {
  const fd = createMap(shape);
  if (fd < 0) throw new Error(`no map: ${fd}`);
  t.teardown(() => close(fd));
  return fd;
}

function hashFor(t: Test): BpfMap {
  return new BpfMap(mapFor(t, HASH), HASH.keyBytes, HASH.valueBytes);
}

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('did not throw');
}
