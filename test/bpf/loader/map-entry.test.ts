import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { CounterArray } from '../../../bpf/loader/counter-array.ts';
import { type MapEntry, readMapEntry } from '../../../bpf/loader/map-entry.ts';
import { BpfMap, createMap, MapFlag, type MapShape, MapType } from '../../../native/bpf-map.ts';
import { Errno } from '../../../native/errno.ts';
import { close } from '../../../native/socket.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { succeeded } from '../../support/shipped-object.ts';

const skip = bpfSkipReason('root', 'libbpf') ?? false;

const SHAPE = { keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0, name: 'or_test' };
const NAMES = { FIRST: 0, SECOND: 1, COUNTERS: 4 };

function made(t: Test, shape: Partial<MapShape> & { type: number }): number {
  const fd = createMap({ ...SHAPE, ...shape });
  if (fd < 0) throw new Error(`no map: ${fd}`);
  t.teardown(() => close(fd));
  return fd;
}

const entryOf = (fd: number) => readMapEntry(fd) as MapEntry;
const key = (number: number) => Buffer.from(Uint32Array.of(number).buffer);
const value = (number: bigint) => Buffer.from(BigUint64Array.of(number).buffer);

t.test('entries are counted, as far as a type has any', { skip }, (t) => {
  for (const type of [MapType.hash, MapType.lruHash]) {
    const fd = made(t, { type });
    t.equal(entryOf(fd).entries, 0);
    const map = new BpfMap(fd, 4, 8);
    for (const number of [7, 8, 9]) map.update(key(number), value(1n));
    t.equal(entryOf(fd).entries, 3);
    map.delete(key(8));
    t.equal(entryOf(fd).entries, 2);
  }
  t.equal(entryOf(made(t, { type: MapType.array })).entries, 4);
  const ring = made(t, { type: MapType.ringBuffer, keyBytes: 0, valueBytes: 0, maxEntries: 4096 });
  t.equal('entries' in entryOf(ring), false);
  t.match(entryOf(ring), { name: 'or_test', type: 'ringBuffer', maxEntries: 4096 });
  t.ok(entryOf(ring).memoryBytes >= 4096);
  t.equal(readMapEntry(9999), -Errno.EBADF);
  t.end();
});

t.test('a full map is as full as it can be', { skip }, (t) => {
  const fd = made(t, { type: MapType.hash, maxEntries: 1000 });
  const map = new BpfMap(fd, 4, 8);
  for (let number = 0; number < 1000; number++) map.update(key(number), value(1n));
  t.equal(entryOf(fd).entries, 1000);
  t.end();
});

t.test('sockets of a map are counted where there are any', { skip }, async (t) => {
  const fd = made(t, { type: MapType.sockMap });
  t.equal(entryOf(fd).entries, 0);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.equal(new BpfMap(fd, 4, 8).update(key(2), value(BigInt(descriptorOf(server)))), 0);
  t.equal(entryOf(fd).entries, 1);
});

t.test('counters are read by their names, and what is no counter is not among them', { skip }, (t) => {
  const fd = made(t, { type: MapType.array, flags: MapFlag.memoryMappable });
  new BpfMap(fd, 4, 8).update(key(1), value(5n));
  t.same((readMapEntry(fd, NAMES) as MapEntry).counters, { first: 0, second: 5 });
  const counters = succeeded(CounterArray.map(fd, NAMES));
  t.same(counters.values(), { first: 0, second: 5 }, 'as those that are mapped');
  counters.unmap();
  t.end();
});

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}
