import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bpfSkipReason } from '../support/bpf-environment.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAMS = join(ROOT, 'bpf/programs');

const ONE = `
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
SEC("cgroup/connect4") int first(struct bpf_sock_addr *ctx) { return ctx->type > 0; }
__attribute__((noinline)) int no_program(int value) { return value; }
SEC("sockops") int second(struct bpf_sock_ops *ctx) { return no_program(ctx->op); }
char _license[] SEC("license") = "Dual BSD/GPL";
`;

const skip = bpfSkipReason('clang', 'objects') ?? false;

t.test('the same sources make the same bytes, wherever they lie', { skip }, (t) => {
  const [first, second] = ['here', 'and/over/there'].map((place) => {
    const folder = join(folderOf(t), place);
    mkdirSync(join(folder, 'tmp'), { recursive: true });
    const isNeeded = (path: string) => !path.endsWith('.bpf.c') || path.endsWith('inbound.bpf.c');
    cpSync(PROGRAMS, join(folder, 'programs'), { recursive: true, filter: isNeeded });
    const made = build(['--programs', join(folder, 'programs'), '--out', join(folder, 'out')], {
      cwd: folder,
      env: { TMPDIR: join(folder, 'tmp') },
    });
    t.equal(made.stderr, '');
    t.same(readdirSync(join(folder, 'tmp')), [], 'nothing is left in the temporary folder');
    return contentOf(join(folder, 'out'));
  });
  t.same(first, second);
  t.same([...first!.keys()], ['inbound.bpf.o', 'manifest.json']);
  t.end();
});

t.test('the manifest names every object with its hash, size and programs', { skip }, (t) => {
  const folder = programsOf(t, { 'one.bpf.c': ONE });
  t.equal(build(['--programs', folder, '--out', join(folder, 'out')]).stderr, '');
  const manifest = JSON.parse(readFileSync(join(folder, 'out/manifest.json'), 'utf8'));
  const bytes = readFileSync(join(folder, 'out/one.bpf.o'));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  t.same(manifest.objects, { one: { file: 'one.bpf.o', sha256, bytes: bytes.length, programs: ['first', 'second'] } });
  t.match(manifest.compiler, /^clang \d+\.\d+/);
  t.match(manifest.sources, /^[0-9a-f]{64}$/);
  const changed = programsOf(t, { 'one.bpf.c': ONE, 'more.h': '' });
  t.equal(build(['--programs', changed, '--out', join(changed, 'out')]).stderr, '');
  const other = JSON.parse(readFileSync(join(changed, 'out/manifest.json'), 'utf8'));
  t.not(other.sources, manifest.sources, 'headers are sources too');
  t.end();
});

t.test('a program that does not compile leaves the objects there are, and its errors are shown', { skip }, (t) => {
  const folder = programsOf(t, { 'one.bpf.c': ONE });
  const out = join(folder, 'out');
  build(['--programs', folder, '--out', out]);
  const before = contentOf(out);
  writeFileSync(join(folder, 'two.bpf.c'), '#include "vmlinux.h"\nint f(void) { int unused; return 1; }\n');
  const { status, stderr } = build(['--programs', folder, '--out', out]);
  t.equal(status, 1);
  t.match(stderr, /^build\/bpf-programs\.ts: clang failed: two\.bpf\.c:2:.*unused variable/);
  t.same(contentOf(out), before);
  t.end();
});

t.test('a program whose name the kernel would cut is refused', { skip }, (t) => {
  const named = (name: string) => {
    const folder = programsOf(t, { 'one.bpf.c': ONE.replace('int first', `int ${name}`) });
    return build(['--programs', folder, '--out', join(folder, 'out')]);
  };
  t.equal(named('fifteen_letters').status, 0);
  const { status, stderr } = named('sixteen__letters');
  t.equal(status, 1);
  t.match(stderr, 'one.bpf.c: the kernel would cut sixteen__letters to 15 characters: choose a shorter name');
  t.end();
});

t.test('what was made of other sources goes, and so does their signature', { skip }, (t) => {
  const folder = programsOf(t, { 'one.bpf.c': ONE, 'two.bpf.c': ONE });
  const out = join(folder, 'out');
  build(['--programs', folder, '--out', out]);
  writeFileSync(join(out, 'manifest.json.sig'), 'signature');
  writeFileSync(join(out, 'note'), '');
  build(['--programs', folder, '--out', out]);
  t.same(readdirSync(out).sort(), ['manifest.json', 'manifest.json.sig', 'note', 'one.bpf.o', 'two.bpf.o']);
  rmSync(join(folder, 'two.bpf.c'));
  build(['--programs', folder, '--out', out]);
  t.same(readdirSync(out).sort(), ['manifest.json', 'note', 'one.bpf.o']);
  t.end();
});

t.test('what is missing is named, with the way out', (t) => {
  const missing = (tools: Readonly<Record<string, string>>, btf = process.execPath) => {
    const folder = programsOf(t, { 'one.bpf.c': ONE });
    const { status, stderr } = build(['--programs', folder, '--out', join(folder, 'out'), '--btf', btf], {
      env: { PATH: toolsOf(t, tools) },
    });
    t.equal(status, 1);
    t.notOk(existsSync(join(folder, 'out')));
    return stderr.trim();
  };
  const clang = 'echo "clang version 1.0"';
  const all = { clang, 'llvm-strip': 'true', bpftool: 'true' };
  const wayOut = 'apt-get install clang llvm bpftool libbpf-dev';
  t.equal(missing({}), `build/bpf-programs.ts: clang cannot be run (spawnSync clang ENOENT): ${wayOut}`);
  t.match(missing({ clang }), `llvm-strip cannot be run (spawnSync llvm-strip ENOENT): ${wayOut}`);
  t.match(missing({ ...all, bpftool: 'exit 127' }), 'bpftool failed');
  t.match(missing({ clang, 'llvm-strip': 'true' }), `bpftool cannot be run (spawnSync bpftool ENOENT): ${wayOut}`);
  const noHeaders = `case "$1" in --version) ${clang};; *) echo "one.bpf.c:1:10: fatal error: 'bpf/bpf_helpers.h' file not found" >&2; exit 1;; esac`;
  t.match(missing({ ...all, clang: noHeaders }), `libbpf's headers are missing: ${wayOut}`);
  t.match(missing(all, '/nowhere/vmlinux'), /there is no \/nowhere\/vmlinux\. Build on a kernel with .*--btf$/);
  t.end();
});

t.test('a folder without programs is refused', (t) => {
  const folder = programsOf(t, { 'a.h': '' });
  t.match(build(['--programs', folder, '--out', join(folder, 'out')]).stderr, `no *.bpf.c in ${folder}`);
  t.end();
});

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-bpf-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function programsOf(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = folderOf(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** A folder for PATH with shell scripts in the place of tools, and the shell. */
function toolsOf(t: Test, scripts: Readonly<Record<string, string>>): string {
  const folder = folderOf(t);
  symlinkSync('/bin/sh', join(folder, 'sh'));
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

interface Surroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function build(args: readonly string[], { cwd = ROOT, env = {} }: Surroundings = {}) {
  const command = [join(ROOT, 'build/bpf-programs.ts'), ...args];
  return spawnSync(process.execPath, command, { cwd, env: { ...process.env, ...env }, encoding: 'utf8' });
}

function contentOf(folder: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]));
}
