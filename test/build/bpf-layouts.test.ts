import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { generateLayouts } from '../../build/bpf-layouts.ts';
import { buildPrograms, SHIPPED_BUILD } from '../../build/bpf-programs.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';

const ROOT = join(import.meta.dirname, '../..');
const GENERATED = join(ROOT, 'bpf/generated');

const EVERY_KIND = `
#include "kernel.h"

enum colour { RED, GREEN = 7, COLOUR_COUNT };
DESCRIBED(enum, colour);

struct inner { __be16 port; __s16 delta; };
struct every_kind {
  __u8 small;
  _Bool is_set;
  __u16 medium;
  __be32 network_order;
  __s64 signed_wide;
  __u64 wide;
  __be64 wide_network_order;
  __be32 ip[4];
  char name[5];
  enum colour colour;
  __u32 numbers[3];
  struct inner inner;
  struct inner pair[2];
};
DESCRIBED(struct, every_kind);

const volatile __s32 lowest = -5;
const volatile __u64 highest = 1;

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(key_size, 3);
  __uint(value_size, 12);
  __uint(max_entries, 9);
} sized SEC(".maps");

SEC("cgroup/connect4") int program(struct bpf_sock_addr *ctx) {
  return ctx->user_port != lowest + highest;
}
`;

const skip = bpfSkipReason('clang', 'objects') ?? false;

t.test('bpf/generated/ is what the programs make of it today', { skip }, (t) => {
  const files = generateLayouts(join(ROOT, 'bpf/objects'));
  t.same([...files.keys()], readdirSync(GENERATED).sort());
  for (const [name, text] of files) {
    t.equal(readFileSync(join(GENERATED, name), 'utf8'), text, `${name}: npm run build:bpf makes it anew`);
  }
  t.end();
});

t.test(
  'a field, a counter and a constant that are added in C are known without a line written by hand',
  { skip },
  async (t) => {
    const folder = folderOf(t);
    cpSync(SHIPPED_BUILD.programs, join(folder, 'programs'), { recursive: true });
    for (const name of readdirSync(join(folder, 'programs'))) {
      if (name.endsWith('.bpf.c') && name !== 'outbound.bpf.c') rmSync(join(folder, 'programs', name));
    }
    replaceIn(join(folder, 'programs/original.h'), '  __u64 cookie;', '  __u16 newcomer[2];\n  __u64 cookie;');
    replaceIn(
      join(folder, 'programs/outbound.bpf.c'),
      '  OUTBOUND_COUNTER_COUNT,',
      '  SEEN_TWICE,\n  OUTBOUND_COUNTER_COUNT,',
    );
    replaceIn(
      join(folder, 'programs/outbound.bpf.c'),
      'const volatile __u8 fail_open',
      'const volatile __s16 added = -1;\nconst volatile __u8 fail_open',
    );
    const before = await import(join(GENERATED, 'outbound.ts'));
    const after = await modulesOf(folder, join(folder, 'programs'), 'outbound');
    t.equal(after.originalLayout.bytes, before.originalLayout.bytes + 8, 'four bytes, and four of padding');
    const value = {
      destination: { address: { ip: new Uint8Array(16).fill(9) }, port: 443, family: 2 },
      uid: 1,
      newcomer: [2, 65535],
      cookie: 3n,
      cgroup: 4n,
    };
    const view = new DataView(new ArrayBuffer(after.originalLayout.bytes));
    after.writeOriginal(view, 0, value);
    t.same(after.readOriginal(view, 0), value);
    t.equal(after.OutboundCounter.SEEN_TWICE, Object.keys(before.OutboundCounter).length);
    t.match(
      after.outbound.constants.find(({ name }: { name: string }) => name === 'added'),
      { bytes: 2, signed: true },
    );
    t.end();
  },
);

t.test('every kind of field is read as it was written, and by a view in place', { skip }, async (t) => {
  const made = await everyKind(t);
  const { bytes } = made.everyKindLayout;
  t.equal(bytes, 88);
  const integer = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n }).map(Number);
  const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const inner = fc.record({ port: integer(16), delta: fc.integer({ min: -32768, max: 32767 }) });
  const record = fc.record({
    small: integer(8),
    isSet: fc.boolean(),
    medium: integer(16),
    networkOrder: integer(32),
    signedWide: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    wide: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    wideNetworkOrder: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    ip: bytesOf(16),
    name: bytesOf(5),
    colour: integer(32),
    numbers: fc.array(integer(32), { minLength: 3, maxLength: 3 }),
    inner,
    pair: fc.array(inner, { minLength: 2, maxLength: 2 }),
  });
  const inPlace = new made.EveryKindView();
  fc.assert(
    fc.property(record, fc.nat(40), (value, offset) => {
      const view = new DataView(new ArrayBuffer(200), 7, bytes + offset);
      made.writeEveryKind(view, offset, value);
      inPlace.moveTo(view, offset);
      const seen: Record<string, unknown> = {};
      for (const { name } of made.everyKindLayout.fields) seen[name] = inPlace[name];
      const { port, delta } = inPlace.inner;
      const wide = (value: bigint) => Number(value >> 32n) * 2 ** 32 + Number(value & 0xffffffffn);
      const [signedWide, unsigned, networkOrder] = [value.signedWide, value.wide, value.wideNetworkOrder].map(wide);
      const same = { ...value, signedWide, wide: unsigned, wideNetworkOrder: networkOrder };
      t.same(made.readEveryKind(view, offset), value);
      t.same({ ...seen, inner: { port, delta } }, same);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test(
  'integers lie where C puts them: network order where the type says so, little-endian elsewhere',
  { skip },
  async (t) => {
    const made = await everyKind(t);
    const view = new DataView(new ArrayBuffer(88));
    view.setUint16(2, 0x0102, true);
    view.setUint32(4, 0x01020304);
    view.setBigUint64(16, 0x0102030405060708n, true);
    const { medium, networkOrder, wide } = made.readEveryKind(view, 0);
    t.same({ medium, networkOrder, wide }, { medium: 0x0102, networkOrder: 0x01020304, wide: 0x0102030405060708n });
    t.throws(() => made.readEveryKind(view, 8), RangeError, 'beyond the end');
    t.throws(() => made.readEveryKind(new DataView(view.buffer, 0, 40), 0), RangeError, 'bytes beyond the end');
    t.end();
  },
);

t.test('tables name programs, maps and constants, and enums without their count', { skip }, async (t) => {
  const { every, Colour } = await everyKind(t);
  t.same(every.programs, [{ name: 'program', section: 'cgroup/connect4' }]);
  t.same(every.maps, [
    { name: 'ring', type: 27, keyBytes: 0, valueBytes: 0, maxEntries: 4096 },
    { name: 'sized', type: 1, keyBytes: 3, valueBytes: 12, maxEntries: 9 },
  ]);
  t.same(every.constants, [
    { name: 'lowest', offset: 0, bytes: 4, signed: true },
    { name: 'highest', offset: 8, bytes: 8, signed: false },
  ]);
  t.same(Colour, { RED: 0, GREEN: 7 });
  t.end();
});

t.test('what has no reader is refused by name', { skip }, (t) => {
  const refusal = (fields: string, before = '') => {
    const folder = folderOf(t);
    writeFileSync(
      join(folder, 'bad.bpf.c'),
      `#include "kernel.h"\n${before}\nstruct bad { ${fields} };\nDESCRIBED(struct, bad);\n`,
    );
    cpSync(join(SHIPPED_BUILD.programs, 'kernel.h'), join(folder, 'kernel.h'));
    buildPrograms({ ...SHIPPED_BUILD, programs: folder, out: join(folder, 'out') });
    try {
      generateLayouts(join(folder, 'out'));
    } catch (error) {
      return (error as Error).message;
    }
    return 'nothing was refused';
  };
  t.equal(refusal('__u32 a : 3;'), 'bad.a is a bit field, for which there is no reader');
  t.equal(refusal('void *a;'), 'bad.a is of kind PTR, for which there is no reader');
  t.equal(refusal('union { int b; long c; } a;'), 'bad.a is of kind UNION, for which there is no reader');
  t.equal(refusal('struct { int b; } a;'), 'bad.a is a struct without a name, for which there is no reader');
  t.end();
});

t.test('without objects it says what to run', (t) => {
  const folder = folderOf(t);
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'build/bpf-layouts.ts'), '--objects', folder], {
    encoding: 'utf8',
  });
  t.equal(status, 1);
  t.equal(stderr, `build/bpf-layouts.ts: no objects in ${folder}: run build/bpf-programs.ts first\n`);
  t.end();
});

async function everyKind(t: Test) {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'every.bpf.c'), EVERY_KIND);
  cpSync(join(SHIPPED_BUILD.programs, 'kernel.h'), join(folder, 'kernel.h'));
  return modulesOf(folder, folder, 'every');
}

/** The module that is generated for object `name` of `programs`. */
async function modulesOf(folder: string, programs: string, name: string) {
  buildPrograms({ ...SHIPPED_BUILD, programs, out: join(folder, 'objects') });
  const text = generateLayouts(join(folder, 'objects')).get(`${name}.ts`)!;
  writeFileSync(join(folder, `${name}.ts`), text);
  return import(join(folder, `${name}.ts`));
}

function replaceIn(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  writeFileSync(path, text.replace(from, to));
}

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-bpf-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}
