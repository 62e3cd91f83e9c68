// Operators start from docs/examples: each must be accepted by what is shipped.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { pathsOf, ROOT } from './source-tree.ts';

// The sampling file is no bootstrap: test/sampler/settings-reader.test.ts reads it.
const examples = pathsOf('docs/examples/*.yaml').filter((path) => path !== 'docs/examples/sampling.yaml');

t.test('there are examples', (t) => {
  t.ok(examples.length >= 4);
  t.end();
});

for (const example of examples) {
  t.test(`outrigger accepts ${example}`, (t) => {
    const command = [join(ROOT, 'bin/outrigger'), '-c', join(ROOT, example), '--mode', 'validate'];
    const run = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
    t.equal(run.status, 0, run.stderr);
    t.end();
  });
}
