// Operators start from docs/examples: each must be accepted by what is shipped.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { readSamplingSettings } from '../../sampler/settings-reader.ts';
import { parseDocument } from '../../xds/document/config-document.ts';
import { pathsOf, ROOT, textOf } from './source-tree.ts';

// The sampling file is no bootstrap: test/sampler/settings-reader.test.ts reads it.
const bootstraps = pathsOf('docs/examples/*.yaml').filter((path) => path !== 'docs/examples/sampling.yaml');
const examples = [...bootstraps, 'docs/examples/redirection/bootstrap.yaml'];

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

for (const page of ['docs/observing.md', 'docs/tracing.md']) {
  t.test(`what ${page} shows of a configuration stands in an example`, (t) => {
    const snippets = snippetsOf(page);
    t.ok(snippets.length > 0);
    for (const snippet of snippets) {
      t.ok(
        examples.some((example) => hasLines(textOf(example), snippet)),
        snippet,
      );
    }
    t.end();
  });
}

t.test('settings that docs/sampling.md shows can be used', (t) => {
  const snippets = snippetsOf('docs/sampling.md');
  t.ok(snippets.length >= 2);
  for (const snippet of snippets) {
    const problems = new Problems();
    const tree = parseDocument(snippet, problems);
    t.same(problems.list, []);
    t.match(readSamplingSettings(tree), { kind: 'settings' }, snippet);
  }
  t.end();
});

t.test('a snippet is found where it is as a whole, however far to the right', (t) => {
  t.ok(hasLines('a:\n  - b:\n      c: 1\n', 'b:\n    c: 1\n') === false, 'behind a dash it begins elsewhere');
  t.ok(hasLines('a:\n  b:\n    c: 1\n', 'b:\n  c: 1\n'));
  t.notOk(hasLines('a:\n  b:\n    c: 1\n', 'b:\n  c: 2\n'));
  t.notOk(hasLines('a:\n  b:\n    c: 1\n', 'b:\n    c: 1\n'));
  t.end();
});

function snippetsOf(page: string): readonly string[] {
  return [...textOf(page).matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]!);
}

/** Whether the lines of `snippet` stand in `text` one below the other, all with the same indentation before them. */
function hasLines(text: string, snippet: string): boolean {
  const wanted = snippet.trimEnd().split('\n');
  const lines = text.split('\n');
  return lines.some((line, start) => {
    const indentation = line.slice(0, line.length - line.trimStart().length);
    return wanted.every((each, index) => lines[start + index] === indentation + each);
  });
}
