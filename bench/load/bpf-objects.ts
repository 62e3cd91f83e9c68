// The programs as they ship, and what compiles them: a clone has no objects, and old ones would be measured in place of what
// stands here.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseManifest } from '../../bpf/loader/object-manifest.ts';
import { type BuildOptions, buildPrograms, SHIPPED_BUILD, sourcesHash } from '../../build/bpf-programs.ts';
import { ensureDebianPackages } from '../peers/debian-packages.ts';

// Throws an Error naming what apt could not install.
export function ensureCompiler(): void {
  ensureDebianPackages([
    { name: 'clang', provides: '/usr/bin/clang' },
    { name: 'llvm', provides: '/usr/bin/llvm-strip' },
    { name: 'bpftool', provides: '/usr/sbin/bpftool' },
    { name: 'libbpf-dev', provides: '/usr/include/bpf/bpf_helpers.h' },
  ]);
}

// Builds those of bpf/objects unless they are there, and of the sources as they are now. Throws an Error that says what is missing.
export function ensureObjects(build: BuildOptions = SHIPPED_BUILD): void {
  if (areBuilt(build)) return;
  ensureCompiler();
  console.log(`building the programs of ${build.programs}`);
  buildPrograms(build);
}

function areBuilt({ programs, out }: BuildOptions): boolean {
  const path = join(out, 'manifest.json');
  if (!existsSync(path)) return false;
  const manifest = parseManifest(readFileSync(path, 'utf8'));
  if (typeof manifest === 'string' || manifest.sources !== sourcesHash(programs)) return false;
  return [...manifest.objects.values()].every(({ file }) => existsSync(join(out, file)));
}
