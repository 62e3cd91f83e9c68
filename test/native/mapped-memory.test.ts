import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { BpfMap } from '../../native/bpf-map.ts';
import { Errno } from '../../native/errno.ts';
import { MappedMemory } from '../../native/mapped-memory.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { loadedObject } from '../support/tiny-object.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const PAGE = 4096;
const SOAK_ROUNDS = 2000;

t.test('what is written is in the file, and what is in the file is read', (t) => {
  const { fd, path } = fileFor(t, 'a'.repeat(PAGE) + 'b'.repeat(PAGE));
  const memory = mapped(fd, { offset: PAGE, length: PAGE, writable: true });
  t.equal(memory.bytes.length, PAGE);
  t.equal(memory.bytes[0], 'b'.charCodeAt(0));
  memory.bytes[1] = 'c'.charCodeAt(0);
  t.match(readFileSync(path, 'latin1').slice(PAGE), /^bcb/);
  memory.unmap();
  t.end();
});

t.test('the descriptor is not needed any more', (t) => {
  const fd = openSync(fileFor(t, 'x'.repeat(PAGE)).path, 'r');
  const memory = mapped(fd, { offset: 0, length: PAGE, writable: false });
  closeSync(fd);
  t.equal(memory.bytes[PAGE - 1], 'x'.charCodeAt(0));
  memory.unmap();
  t.end();
});

t.test('after it was given back nothing can be read of it', (t) => {
  const { fd } = fileFor(t, 'x'.repeat(PAGE));
  const memory = mapped(fd, { offset: 0, length: PAGE, writable: true });
  const { bytes } = memory;
  const words = new Int32Array(bytes.buffer);
  const view = new DataView(bytes.buffer, 8);
  const part = bytes.subarray(16, 32);
  memory.unmap();
  t.throws(() => memory.bytes, { message: 'this memory is not mapped any more' });
  t.equal(bytes.length, 0, 'a view that somebody still has is empty');
  t.equal(bytes[0], undefined);
  t.equal(part.length, 0);
  bytes[0] = 1;
  t.equal(bytes[0], undefined, 'and takes nothing');
  t.throws(() => Atomics.load(words, 0), TypeError);
  t.throws(() => view.getUint8(0), TypeError);
  t.end();
});

t.test('giving it back twice gives nothing of others back', (t) => {
  const { fd } = fileFor(t, 'x'.repeat(PAGE));
  const memory = mapped(fd, { offset: 0, length: PAGE, writable: false });
  memory.unmap();
  // The kernel gives the same place to the next one of the same size.
  const next = mapped(fd, { offset: 0, length: PAGE, writable: false });
  memory.unmap();
  t.equal(next.bytes[0], 'x'.charCodeAt(0));
  next.unmap();
  t.end();
});

t.test('garbage collection frees no memory that is mapped, and touches none that is not', (t) => {
  const { fd } = fileFor(t, 'x'.repeat(PAGE));
  const memories = Array.from({ length: 100 }, () => mapped(fd, { offset: 0, length: PAGE, writable: false }));
  const views = memories.map(({ bytes }) => new Uint8Array(bytes.buffer));
  for (const memory of memories.slice(0, 50)) memory.unmap();
  memories.length = 0;
  collectGarbage();
  collectGarbage();
  t.ok(views.slice(0, 50).every(({ length }) => length === 0));
  t.ok(
    views.slice(50).every((view) => view[PAGE - 1] === 'x'.charCodeAt(0)),
    'a view alone keeps it',
  );
  t.end();
});

t.test('what cannot be mapped is a negated errno', (t) => {
  const { fd } = fileFor(t, 'x'.repeat(PAGE));
  t.equal(MappedMemory.map(-1, { offset: 0, length: PAGE, writable: false }), -Errno.EBADF);
  t.equal(MappedMemory.map(fd, { offset: 1, length: PAGE, writable: false }), -Errno.EINVAL, 'not at a page');
  t.equal(MappedMemory.map(fd, { offset: 0, length: 0, writable: false }), -Errno.EINVAL);
  const readOnly = openSync(import.meta.filename, 'r');
  t.equal(MappedMemory.map(readOnly, { offset: 0, length: PAGE, writable: true }), -Errno.EACCES);
  closeSync(readOnly);
  t.end();
});

t.test(
  'an array of BPF is read and written in place',
  { skip: bpfSkipReason('root', 'libbpf', 'clang') ?? false },
  (t) => {
    const object = loadedObject(t);
    const memory = mapped(object.mapFd('counters'), { offset: 0, length: PAGE, writable: true });
    const counters = new BigUint64Array(memory.bytes.buffer);
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(7n);
    const key = Buffer.alloc(4);
    const map = new BpfMap(object.mapFd('counters'), 4, 8);
    map.update(key, value);
    t.equal(counters[0], 7n);
    Atomics.add(counters, 0, 1n);
    map.lookup(key, value);
    t.equal(value.readBigUInt64LE(), 8n);
    object.close();
    t.equal(counters[0], 8n, 'the mapping keeps the map');
    memory.unmap();
    t.end();
  },
);

t.test(
  'a ring of BPF is mapped twice in a row, and not for writing',
  { skip: bpfSkipReason('root', 'libbpf', 'clang') ?? false },
  (t) => {
    const ring = loadedObject(t).mapFd('events');
    const consumer = mapped(ring, { offset: 0, length: PAGE, writable: true });
    const producer = mapped(ring, { offset: PAGE, length: PAGE + 2 * PAGE, writable: false });
    t.equal(producer.bytes.length, 3 * PAGE);
    t.equal(MappedMemory.map(ring, { offset: PAGE, length: 3 * PAGE, writable: true }), -Errno.EPERM);
    consumer.unmap();
    producer.unmap();
    t.end();
  },
);

t.test(`${SOAK_ROUNDS} mappings leave none behind`, (t) => {
  const { fd, path } = fileFor(t, 'x'.repeat(PAGE));
  for (let round = 0; round < SOAK_ROUNDS; round++) mapped(fd, { offset: 0, length: PAGE, writable: true }).unmap();
  t.notOk(readFileSync('/proc/self/maps', 'latin1').includes(path));
  t.end();
});

function fileFor(t: Test, content: string): { fd: number; path: string } {
  const path = join(t.testdir({ memory: content }), 'memory');
  const fd = openSync(path, 'r+');
  t.teardown(() => closeSync(fd));
  return { fd, path };
}

function mapped(...[fd, range]: Parameters<typeof MappedMemory.map>): MappedMemory {
  const memory = MappedMemory.map(fd, range);
  if (typeof memory === 'number') throw new Error(`not mapped: ${memory}`);
  return memory;
}
