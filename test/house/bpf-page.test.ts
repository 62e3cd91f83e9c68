// The table of programs in bpf/README.md is what somebody reads who finds one of them in a kernel: it has all, and no other.

import t from 'tap';
import { pathsOf, textOf } from './source-tree.ts';

t.test('bpf/README.md has every program that there is', (t) => {
  const programs = pathsOf('bpf/programs/*.bpf.c').flatMap((path) =>
    namesIn(textOf(path), /^SEC\(".*"\) int (\w+)\(/gm),
  );
  t.ok(programs.length >= 15, `${programs.length} programs`);
  const table = textOf('bpf/README.md').split('## The programs')[1]!.split('\n## ')[0]!;
  t.same(
    [...new Set(namesIn(table, /^\|([^|]+)\|/gm).flatMap((cell) => namesIn(cell, /`(or_\w+)`/g)))].sort(),
    programs.sort(),
  );
  t.end();
});

function namesIn(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1]!);
}
