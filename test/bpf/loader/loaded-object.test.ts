import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isFailure, type LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { type LoadOptions, loadObject } from '../../../bpf/loader/loaded-object.ts';
import { hashOf, ObjectFiles, type ObjectName } from '../../../bpf/loader/object-files.ts';
import { LAYOUTS } from '../../../bpf/loader/object-layouts.ts';
import { type MapInfo, mapInfo, programInfo } from '../../../native/bpf-info.ts';
import { BpfMap, createMap, MapType } from '../../../native/bpf-map.ts';
import { Errno } from '../../../native/errno.ts';
import { close } from '../../../native/socket.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { shippedFiles, shippedObject, succeeded } from '../../support/shipped-object.ts';
import { compiled, TINY_SOURCE } from '../../support/tiny-object.ts';

const skip = bpfSkipReason('root', 'libbpf', 'objects') ?? false;
const skipMade = skip || (bpfSkipReason('clang') ?? false);

function refusal(name: ObjectName, options: Partial<LoadOptions>, files = shippedFiles()): LoadFailure {
  const before = openDescriptors();
  const outcome = loadObject(files, name, { constants: {}, ...options });
  if (!isFailure(outcome)) throw new Error(`${name} was loaded`);
  if (openDescriptors() !== before) throw new Error('a refused load keeps descriptors open');
  return outcome;
}

/** Other bytes as the object `name`, with the manifest that goes with them. */
function filesOf(t: Test, name: ObjectName, bytes: Buffer): ObjectFiles {
  const folder = join(t.testdir(), 'objects');
  mkdirSync(folder);
  const object = { file: `${name}.bpf.o`, sha256: hashOf(bytes), bytes: bytes.length, programs: [] };
  writeFileSync(join(folder, object.file), bytes);
  const manifest = { compiler: 'clang', sources: hashOf(bytes), objects: { [name]: object } };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return succeeded(ObjectFiles.open({ folder }));
}

/** An object with the programs and maps that are in the tables of `name`, and `body` in each program. */
function impostor(name: ObjectName, body: string): Buffer {
  const { programs, maps } = LAYOUTS[name];
  const source = `
    #define SEC(name) __attribute__((section(name), used))
    #define __uint(name, value) int (*name)[value]
    ${maps
      .map(
        ({ name, type, keyBytes, valueBytes, maxEntries }) => `struct { __uint(type, ${type});
          __uint(key_size, ${keyBytes}); __uint(value_size, ${valueBytes}); __uint(max_entries, ${maxEntries}); } ${name} SEC(".maps");`,
      )
      .join('\n')}
    ${programs.map(({ name, section }) => `SEC("${section}") int ${name}(void *ctx) { ${body} }`).join('\n')}
    char _license[] SEC("license") = "Dual BSD/GPL";`;
  return compiled(source);
}

t.test('every object that ships is loaded, with the programs and maps of its table', { skip }, (t) => {
  for (const name of Object.keys(LAYOUTS) as ObjectName[]) {
    const object = shippedObject(t, name);
    for (const program of LAYOUTS[name].programs) {
      t.match(programInfo(object.programFd(program.name)), { name: program.name });
    }
    for (const map of LAYOUTS[name].maps) t.match(mapInfo(object.mapFd(map.name)), map);
  }
  t.end();
});

t.test('nothing is left when it is closed', { skip }, (t) => {
  shippedObject(t, 'outbound').close();
  const before = openDescriptors();
  const object = succeeded(loadObject(shippedFiles(), 'outbound', { constants: { outbound_port: 1 } }));
  const map = object.map('orig');
  t.equal(object.map('orig'), map, 'one object a map');
  t.throws(() => object.map('none'), { message: 'object outbound has no map none' });
  object.close();
  object.close();
  t.equal(openDescriptors(), before);
  t.equal(object.programFd('or_connect4'), -Errno.ENOENT);
  t.end();
});

t.test('constants are in the kernel as they were given', { skip }, (t) => {
  const object = shippedObject(t, 'outbound', {
    constants: { outbound_port: 4242, netns_cookie: 0x1122334455667788n },
  });
  const constants = object.mapFd('.rodata');
  const { valueBytes } = mapInfo(constants) as MapInfo;
  const bytes = new Uint8Array(valueBytes);
  t.equal(new BpfMap(constants, 4, valueBytes).lookup(new Uint8Array(4), bytes), 0);
  const view = new DataView(bytes.buffer);
  const offsetOf = (name: string) => LAYOUTS.outbound.constants.find((constant) => constant.name === name)!.offset;
  t.equal(view.getUint16(offsetOf('outbound_port'), true), 4242);
  t.equal(view.getBigUint64(offsetOf('netns_cookie'), true), 0x1122334455667788n);
  t.equal(view.getUint16(offsetOf('inbound_port'), true), 15006, 'what is not given is as in the sources');
  t.match(
    refusal('outbound', { constants: { outbound_prot: 1 } }).reason,
    /^there is no constant outbound_prot; there/,
  );
  t.end();
});

t.test('programs that a kernel lacks are left out', { skip }, (t) => {
  const object = shippedObject(t, 'outbound', { without: ['or_peer4', 'or_peer6'] });
  t.equal(object.programFd('or_peer4'), -Errno.ENOENT);
  t.ok(object.programFd('or_connect4') >= 0);
  t.match(
    refusal('outbound', { without: ['or_none'] }).reason,
    /cannot leave out program or_none: the object has none/,
  );
  t.end();
});

t.test('maps are taken over when their shape is the same, and only then', { skip }, (t) => {
  const first = shippedObject(t, 'outbound', { maxEntries: { orig: 100 } });
  const idOf = (fd: number) => (mapInfo(fd) as MapInfo).id;
  const orig = first.mapFd('orig');
  const second = shippedObject(t, 'outbound', { reuse: { orig }, maxEntries: { orig: 100 } });
  t.equal(idOf(second.mapFd('orig')), idOf(orig));
  t.not(idOf(second.mapFd('counters')), idOf(first.mapFd('counters')));
  t.match(refusal('outbound', { reuse: { orig } }), {
    reason:
      /^map orig has another shape: there is lruHash, .* 100 entries; the new programs want lruHash, .* 16384 entries$/,
    wayOut: /unload what is there/,
  });
  const shape = { type: MapType.hash, keyBytes: 4, valueBytes: 8, maxEntries: 1, flags: 0, name: 'other' };
  const other = createMap(shape);
  t.teardown(() => close(other));
  t.match(
    refusal('outbound', { reuse: { orig: other } }).reason,
    /there is hash, 4-byte keys, 8-byte values, 1 entries/,
  );
  t.match(refusal('outbound', { reuse: { none: other } }).reason, /cannot take over map none: the object has none/);
  t.match(refusal('outbound', { reuse: { orig: 9999 } }).reason, /cannot take over map orig: not an open file/);
  t.match(refusal('outbound', { maxEntries: { none: 1 } }).reason, /cannot size map none: the object has none/);
  t.end();
});

t.test('what the verifier refuses is told with its reason and its whole log', { skip: skipMade }, (t) => {
  const files = filesOf(t, 'inbound', impostor('inbound', 'return *(int *)((char *)ctx + 4000);'));
  const failure = refusal('inbound', {}, files);
  t.match(
    failure.reason,
    /^the kernel's verifier refuses or_\w+ of inbound: invalid bpf_context access off=4000 size=4/,
  );
  t.match(failure.verifierLog, /processed \d+ insns/);
  t.end();
});

t.test('an object of other sources than the tables is refused before it is loaded', { skip: skipMade }, (t) => {
  const tiny = filesOf(t, 'inbound', compiled(TINY_SOURCE));
  t.match(refusal('inbound', {}, tiny), {
    reason: 'the BPF object inbound was built of other sources than this program: it has no program or_lookup',
    wayOut: /npm run build:bpf/,
  });
  const bytes = impostor('inbound', 'return 1;');
  t.ok(!isFailure(loadObject(filesOf(t, 'inbound', bytes), 'inbound', { constants: {} })), 'the same shapes pass');
  const wider = compiled(TINY_SOURCE);
  t.match(refusal('events', {}, filesOf(t, 'events', wider)).reason, /it has no program or_ev_sockops/);
  t.match(
    refusal('outbound', {}, filesOf(t, 'outbound', Buffer.from('no object'))).reason,
    /cannot read the BPF object/,
  );
  t.end();
});
