import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ensureObjects } from '../../../bench/load/bpf-objects.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { onlyItems } from '../../support/only-items.ts';

const skip = bpfSkipReason('clang', 'objects') ?? false;

const PROGRAM = `#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
SEC("tc") int or_test(void) { return 0; }
char LICENSE[] SEC("license") = "GPL";
`;

t.test('objects that are not there are built, and those that are there are left', { skip }, (t) => {
  const build = makeSources(t);
  ensureObjects(build);
  const manifest = join(build.out, 'manifest.json');
  const first = statSync(manifest);
  t.match(JSON.parse(readFileSync(manifest, 'utf8')), { objects: { one: { programs: onlyItems('or_test') } } });
  ensureObjects(build);
  t.equal(statSync(manifest).ino, first.ino);
  t.end();
});

t.test('objects of other sources, in part, or with a damaged manifest are built anew', { skip }, (t) => {
  const build = makeSources(t);
  const object = join(build.out, 'one.bpf.o');
  const manifest = join(build.out, 'manifest.json');
  const spoilt = [
    () => writeFileSync(join(build.programs, 'one.bpf.c'), PROGRAM.replace('or_test', 'or_other')),
    () => rmSync(object),
    () => writeFileSync(manifest, '{'),
  ];
  ensureObjects(build);
  for (const spoil of spoilt) {
    spoil();
    ensureObjects(build);
    t.match(JSON.parse(readFileSync(manifest, 'utf8')), { objects: { one: { programs: onlyItems('or_other') } } });
    t.ok(statSync(object).size > 0);
  }
  t.end();
});

t.test('what cannot be compiled is said in the words of the compiler', { skip }, (t) => {
  const build = makeSources(t);
  writeFileSync(join(build.programs, 'one.bpf.c'), 'not C\n');
  t.throws(() => ensureObjects(build), { message: /^clang failed: one\.bpf\.c:1:1: error/ });
  t.end();
});

function makeSources(t: Test) {
  const folder = t.testdir({ programs: { 'one.bpf.c': PROGRAM } });
  const out = join(folder, 'out');
  mkdirSync(out);
  return { programs: join(folder, 'programs'), out, btf: '/sys/kernel/btf/vmlinux' };
}
