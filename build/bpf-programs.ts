// `npm run build:bpf`: compiles bpf/programs/*.bpf.c into bpf/objects/, with a manifest that names what was made of what.
//
// The kernel's types come from the BTF of the running kernel, so no copy of its headers is kept. Only contexts are read,
// whose layout is the kernel's ABI: an object that is built on one kernel runs on others (bpf/programs/kernel.h). The same
// sources, compiler and BTF make the same bytes, wherever they lie: no path and no time gets into an object.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readSymbols } from './bpf-symbols.ts';

const ROOT = join(import.meta.dirname, '..');

export interface BuildOptions {
  /** Folder of `*.bpf.c` and their headers. */
  readonly programs: string;
  /** Folder for the objects; those of programs that are no more go, other files stay. */
  readonly out: string;
  /** Kernel BTF to take types from. */
  readonly btf: string;
}

export const SHIPPED_BUILD: BuildOptions = {
  programs: join(ROOT, 'bpf/programs'),
  out: join(ROOT, 'bpf/objects'),
  btf: '/sys/kernel/btf/vmlinux',
};

/** In bpf/objects/manifest.json by the object's name; the loader checks what it loads against it. */
export interface BuiltObject {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly programs: readonly string[];
}

/** The objects by name. Throws an error that says what is missing and the way out. */
export function buildPrograms({ programs, out, btf }: BuildOptions): ReadonlyMap<string, BuiltObject> {
  const sources = readdirSync(programs)
    .filter((name) => name.endsWith('.bpf.c'))
    .sort();
  if (sources.length === 0) throw new Error(`no *.bpf.c in ${programs}`);
  const compiler = compilerVersion();
  const work = mkdtempSync(join(tmpdir(), 'outrigger-bpf-'));
  try {
    writeFileSync(join(work, 'vmlinux.h'), kernelTypes(btf));
    const objects = new Map(
      sources.map((source) => [source.replace('.bpf.c', ''), compile(source, { programs, work })] as const),
    );
    const manifest = { compiler, sources: sourcesHash(programs), objects: Object.fromEntries(objects) };
    writeFileSync(join(work, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    mkdirSync(out, { recursive: true });
    const files = [...objects.values()].map(({ file }) => file);
    removeStale(out, files, readFileSync(join(work, MANIFEST)));
    // The manifest last: what it names is there.
    for (const file of [...files, MANIFEST]) replace(join(work, file), out);
    return objects;
  } finally {
    rmSync(work, { recursive: true });
  }
}

const MANIFEST = 'manifest.json';
const SIGNATURE = `${MANIFEST}.sig`;

/** Debian's and Ubuntu's names of what a build needs. */
const PACKAGES = 'apt-get install clang llvm bpftool libbpf-dev';

/** What the kernel keeps of a program's name (BPF_OBJ_NAME_LEN, without its final zero): by it a listing knows ours. */
const KERNEL_NAME_LENGTH = 15;

const FLAGS = [
  ...['-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-Wall', '-Wextra', '-Werror'],
  // Sources are named relative to this in the object, not by where they lie on the machine that compiled them.
  '-fdebug-compilation-dir=bpf/programs',
];

function compilerVersion(): string {
  const version = /version (\S+)/.exec(run('clang', ['--version']))?.[1];
  run('llvm-strip', ['--version']);
  return `clang ${version}`;
}

function kernelTypes(btf: string): string {
  if (!existsSync(btf)) {
    throw new Error(
      `this kernel does not tell its types: there is no ${btf}. ` +
        'Build on a kernel with CONFIG_DEBUG_INFO_BTF (distributions have it since 2021), or name a BTF file with --btf',
    );
  }
  return run('bpftool', ['btf', 'dump', 'file', btf, 'format', 'c']);
}

function compile(source: string, { programs, work }: { programs: string; work: string }): BuiltObject {
  const file = source.replace(/c$/, 'o');
  const path = join(work, file);
  run('clang', [...FLAGS, '-I', work, '-c', source, '-o', path], programs);
  // Without DWARF; BTF, which the kernel and the loader read, stays.
  run('llvm-strip', ['-g', path]);
  const bytes = readFileSync(path);
  const functions = readSymbols(bytes).filter(
    ({ kind, isGlobal, section }) => kind === 'function' && isGlobal && section !== '.text',
  );
  const cut = functions.find(({ name }) => name.length > KERNEL_NAME_LENGTH);
  if (cut !== undefined) {
    throw new Error(
      `${source}: the kernel would cut ${cut.name} to ${KERNEL_NAME_LENGTH} characters: choose a shorter name`,
    );
  }
  return {
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    programs: functions.map(({ name }) => name),
  };
}

/** Of every source in the folder; the manifest has that of those it was built of. */
export function sourcesHash(programs: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(programs)
    .filter((name) => /\.[ch]$/.test(name))
    .sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(programs, name)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** A signature is one of the manifest's bytes: made of the same sources it stays true. */
function removeStale(out: string, files: readonly string[], manifest: Buffer): void {
  for (const file of readdirSync(out)) {
    if (file.endsWith('.bpf.o') && !files.includes(file)) rmSync(join(out, file));
  }
  const before = join(out, MANIFEST);
  if (!existsSync(before) || !readFileSync(before).equals(manifest)) rmSync(join(out, SIGNATURE), { force: true });
}

/** At once, so that a loader beside us never reads half a file. The temporary folder may be on another file system. */
function replace(made: string, folder: string): void {
  const path = join(folder, basename(made));
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, readFileSync(made));
  renameSync(fresh, path);
}

function run(command: string, args: readonly string[], cwd?: string): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (error !== undefined) throw new Error(`${command} cannot be run (${error.message}): ${PACKAGES}`);
  if (status === 0) return stdout;
  if (/'bpf\/bpf_\w+\.h' file not found/.test(stderr)) throw new Error(`libbpf's headers are missing: ${PACKAGES}`);
  throw new Error(`${command} failed: ${stderr.trim()}`);
}

if (import.meta.main) {
  const { programs, out, btf } = SHIPPED_BUILD;
  const { values } = parseArgs({
    options: {
      programs: { type: 'string', default: programs },
      out: { type: 'string', default: out },
      btf: { type: 'string', default: btf },
    },
  });
  try {
    const made = buildPrograms({ ...values, programs: resolve(values.programs), out: resolve(values.out) });
    for (const { file, bytes, programs } of made.values()) {
      console.log(`${relative(process.cwd(), join(values.out, file))} ${bytes} bytes: ${programs.join(' ')}`);
    }
  } catch (error) {
    console.error(`build/bpf-programs.ts: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
