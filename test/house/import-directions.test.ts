// The rules of .dependency-cruiser.mjs, each shown to find what it forbids: a rule whose pattern matches nothing would
// pass for ever. Whether the repository itself is clean is `npm run imports`.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '../..');
const FOLDERS = [
  'config',
  'native',
  'xds',
  'control-plane',
  'sampler',
  'bpf',
  'proxy',
  'bench',
  'test',
  'build',
  'demo',
];

interface Seed {
  readonly rule: string;
  readonly file: string;
  readonly imports: string;
}

const SEEDS: readonly Seed[] = [
  { rule: 'config-direction', file: 'config/a.ts', imports: '../native/clean.ts' },
  { rule: 'native-direction', file: 'native/a.ts', imports: '../proxy/http/clean.ts' },
  { rule: 'xds-direction', file: 'xds/a.ts', imports: '../native/clean.ts' },
  { rule: 'control-plane-direction', file: 'control-plane/a.ts', imports: '../proxy/http/clean.ts' },
  { rule: 'sampler-direction', file: 'sampler/a.ts', imports: '../config/clean.ts' },
  { rule: 'bpf-direction', file: 'bpf/a.ts', imports: '../proxy/http/clean.ts' },
  { rule: 'proxy-direction', file: 'proxy/http/a.ts', imports: '../../xds/clean.ts' },
  { rule: 'composition-root-direction', file: 'proxy/command/a.ts', imports: '../../bench/clean.ts' },
  { rule: 'simulator-direction', file: 'sampler/simulate/main.ts', imports: '../../proxy/http/clean.ts' },
  { rule: 'redirection-command-direction', file: 'bpf/main.ts', imports: '../proxy/http/clean.ts' },
  { rule: 'koffi-in-one-place', file: 'proxy/http/b.ts', imports: 'koffi' },
  { rule: 'protobufjs-in-one-place', file: 'proxy/http/c.ts', imports: 'protobufjs' },
  { rule: '@grpc/grpc-js-in-one-place', file: 'xds/b.ts', imports: '@grpc/grpc-js' },
  { rule: '@opentelemetry-in-one-place', file: 'proxy/http/f.ts', imports: '@opentelemetry/api' },
  { rule: 'js-yaml-in-one-place', file: 'config/b.ts', imports: 'js-yaml' },
  { rule: 'pino-in-one-place', file: 'proxy/http/d.ts', imports: 'pino' },
  { rule: 'undici-in-one-place', file: 'proxy/http/g.ts', imports: 'undici' },
  { rule: 're2js-in-one-place', file: 'proxy/route/a.ts', imports: 're2js' },
  { rule: 'nobody-imports-tests', file: 'bench/a.ts', imports: '../test/clean.ts' },
  { rule: 'no-cycles', file: 'proxy/http/first.ts', imports: './second.ts' },
  { rule: 'reactor-is-the-bottom', file: 'proxy/reactor/a.ts', imports: '../http/clean.ts' },
  { rule: 'request-path-below-process', file: 'proxy/http/e.ts', imports: '../admin/clean.ts' },
  { rule: 'only-declared-dependencies', file: 'sampler/b.ts', imports: 'long' },
  { rule: 'tools-stay-outside', file: 'sampler/d.ts', imports: 'typescript' },
  { rule: 'tools-stay-outside', file: 'proxy/export/a.ts', imports: '@opentelemetry/otlp-transformer' },
  { rule: 'resolvable', file: 'sampler/c.ts', imports: './absent.ts' },
];

const ALLOWED: readonly Seed[] = [
  { rule: 'proxy-direction', file: 'proxy/main.ts', imports: '../xds/clean.ts' },
  { rule: 'proxy-direction', file: 'proxy/command/b.ts', imports: '../../xds/clean.ts' },
  { rule: 'koffi-in-one-place', file: 'native/b.ts', imports: 'koffi' },
  { rule: 're2js-in-one-place', file: 'proxy/route/regex.ts', imports: 're2js' },
  { rule: 'tools-stay-outside', file: 'proxy/export/b.ts', imports: '@opentelemetry/resources' },
  { rule: 'reactor-is-the-bottom', file: 'proxy/reactor/b.ts', imports: '../transport/clean.ts' },
];

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

const tree = t.testdir({});
for (const folder of [...FOLDERS, 'proxy/http', 'proxy/admin', 'proxy/transport']) {
  write(join(folder, 'clean.ts'), 'export const clean = 1;\n');
}
for (const { file, imports } of [...SEEDS, ...ALLOWED]) {
  write(file, `import type * as imported from '${imports}';\nexport type Used = keyof typeof imported;\n`);
}
// A cycle counts when it is one of values: types alone may point back.
write('proxy/http/first.ts', "import { back } from './second.ts';\nexport const used = () => back;\n");
write('proxy/http/second.ts', "import { used } from './first.ts';\nexport const back = () => used;\n");
for (const name of ['package.json', 'tsconfig.json']) copyFileSync(join(ROOT, name), join(tree, name));
symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
const violations = cruise();

for (const { rule, file, imports } of SEEDS) {
  t.test(`${rule} forbids ${file} to import ${imports}`, (t) => {
    const found = violations.filter((violation) => violation.from === file).map((violation) => violation.rule.name);
    t.ok(found.includes(rule), `found: ${found.join(', ') || 'nothing'}`);
    t.end();
  });
}

for (const { file, imports } of ALLOWED) {
  t.test(`${file} may import ${imports}`, (t) => {
    t.same(
      violations.filter((violation) => violation.from === file),
      [],
    );
    t.end();
  });
}

t.test('every rule is shown to find something', async (t) => {
  const config: { default: { forbidden: { name: string; comment: string }[] } } = await import(
    join(ROOT, '.dependency-cruiser.mjs')
  );
  const seeded = new Set(SEEDS.map((seed) => seed.rule));
  for (const rule of config.default.forbidden) {
    t.ok(seeded.has(rule.name), `${rule.name} has a seed`);
    t.ok(rule.comment.length > 20, `${rule.name} says why`);
  }
});

function cruise(): readonly Violation[] {
  const command = join(ROOT, 'node_modules/.bin/depcruise');
  const config = join(ROOT, '.dependency-cruiser.mjs');
  const run = spawnSync(process.execPath, [command, '--config', config, '-T', 'json', ...FOLDERS], {
    cwd: tree,
    encoding: 'utf8',
  });
  const report: { summary: { violations: Violation[] } } = JSON.parse(run.stdout);
  return report.summary.violations;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}
