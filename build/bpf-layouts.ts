// Writes bpf/generated/ from the BTF of the objects in bpf/objects/, so that a field, counter or constant that is added in C
// is known in TypeScript without a line written by hand. The result is committed: types are checked without clang.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { layoutFile } from './bpf-output.ts';
import { readSymbols } from './bpf-symbols.ts';
import { type BtfType, describeObject } from './bpf-types.ts';

const ROOT = join(import.meta.dirname, '..');
const FORMATTER = join(ROOT, 'node_modules/@biomejs/cli-linux-x64/biome');

/** Name → text of each file of bpf/generated/, for the objects in `folder`. */
export function generateLayouts(folder: string): ReadonlyMap<string, string> {
  const objects = readdirSync(folder)
    .filter((file) => file.endsWith('.bpf.o'))
    .sort();
  if (objects.length === 0) throw new Error(`no objects in ${folder}: run build/bpf-programs.ts first`);
  return new Map(
    objects.map((file) => {
      const name = basename(file, '.bpf.o');
      return [`${name}.ts`, generateLayout(join(folder, file), name)];
    }),
  );
}

function generateLayout(path: string, name: string): string {
  const { types } = JSON.parse(run('bpftool', ['-j', 'btf', 'dump', 'file', path])) as { types: BtfType[] };
  const text = layoutFile(name, describeObject(types, readSymbols(readFileSync(path))));
  return run(FORMATTER, ['format', `--config-path=${ROOT}`, `--stdin-file-path=bpf/${name}.ts`], text);
}

function run(command: string, args: readonly string[], input?: string): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    ...(input !== undefined && { input }),
  });
  if (error !== undefined) throw new Error(`${command} cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim()}`);
  return stdout;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      objects: { type: 'string', default: join(ROOT, 'bpf/objects') },
      out: { type: 'string', default: join(ROOT, 'bpf/generated') },
    },
  });
  try {
    const files = generateLayouts(resolve(values.objects));
    rmSync(values.out, { recursive: true, force: true });
    mkdirSync(values.out, { recursive: true });
    for (const [name, text] of files) writeFileSync(join(values.out, name), text);
  } catch (error) {
    console.error(`build/bpf-layouts.ts: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
