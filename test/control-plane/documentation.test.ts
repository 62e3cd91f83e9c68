// What docs/control-plane.md shows is what people copy: it must be right.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { usage } from '../../control-plane/flags.ts';
import { readResourceFile } from '../../control-plane/resource-file.ts';
import { checkSnapshot } from '../../control-plane/snapshot-check.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/control-plane.md'), 'utf8');

t.test('the examples of the page are right, and fit together', async (t) => {
  const files = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => readResourceFile('page', match[1]!));
  t.ok(files.length >= 2);
  t.same(
    files.flatMap(({ problems }) => problems),
    [],
  );
  t.same(
    checkSnapshot(
      files.flatMap(({ resources }) => resources),
      false,
    ),
    [],
  );
});

t.test('the file that the README writes is taken as it stands', async (t) => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const written = [...readme.matchAll(/^.*cat > (\S+\.yaml) <<'END'\n(.*?)^END$/gms)];
  t.same(
    written.map(([, path]) => path),
    ['mesh/shop.yaml'],
  );
  const { resources, problems } = readResourceFile(written[0]![1]!, written[0]![2]!);
  t.same(problems, []);
  t.same(checkSnapshot(resources, false), []);
  t.notMatch(readme, /```ya?ml/, 'no other file is shown');
});

t.test('the page has every flag of the help', async (t) => {
  const flags = [...usage.matchAll(/^ {2}(--[\w-]+)/gm)].map((match) => match[1]!).filter((flag) => flag !== '--help');
  t.same(
    flags.filter((flag) => !page.includes(flag)),
    [],
  );
});
