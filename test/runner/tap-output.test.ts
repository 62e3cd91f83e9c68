import fc from 'fast-check';
import t from 'tap';
import { failingParts, parseTapOutput } from './tap-output.ts';

t.test('the last summary line is the count', (t) => {
  t.same(parseTapOutput('1..2\n# { total: 5, pass: 2, fail: 1, todo: 1, skip: 1 }\n').summary, {
    passed: 2,
    failed: 1,
    unfinished: 1,
  });
  t.same(parseTapOutput('# { total: 3, pass: 3 }').summary, { passed: 3, failed: 0, unfinished: 0 });
  t.end();
});

t.test('a summary inside of a test or of a diagnostic is not the summary', (t) => {
  t.equal(parseTapOutput('    # { total: 3, pass: 3 }\n# { not: a summary }\n').summary, undefined);
  t.end();
});

t.test('skips are told with their reason at any depth', (t) => {
  const output = parseTapOutput('ok 1 - a # SKIP needs root\n    ok 2 - b # SKIP no BPF\nok 3 - c # SKIP\n1..3\n');
  t.same(output.skips, ['a: needs root', 'b: no BPF']);
  t.same(output.unexplainedSkips, ['c']);
  t.end();
});

t.test('a plan of nothing with a reason skips the whole file', (t) => {
  t.same(parseTapOutput('TAP version 14\n1..0 # no network namespaces\n').skips, ['no network namespaces']);
  t.same(parseTapOutput('TAP version 14\n1..0\n').skips, [], 'a plan without a reason is an empty file');
  t.end();
});

t.test('of a failing file only what failed and what came after is shown', (t) => {
  const text = [
    '# Subtest: good',
    '    ok 1 - x',
    'ok 1 - good',
    '# Subtest: bad',
    '    not ok 1 - y',
    'not ok 2 - bad',
  ]
    .concat(['  ---', '  at: z', '  ...', '# Subtest: fine', 'ok 3 - fine', 'Error: crashed here'])
    .join('\n');
  t.equal(
    failingParts(text),
    '# Subtest: bad\n    not ok 1 - y\nnot ok 2 - bad\n  ---\n  at: z\n  ...\nError: crashed here',
  );
  t.end();
});

t.test('nothing but a summary line counts as one', (t) => {
  const fragments = fc.string({ unit: fc.constantFrom('ok 1 - ', '# SKIP ', '1..0 #', '\n', ' ', '{ total: 1', 'x') });
  fc.assert(
    fc.property(fragments, (text) => {
      const isSummaryLine = /^# \{ total: \d/m.test(text);
      return (parseTapOutput(text).summary !== undefined) === isSummaryLine;
    }),
  );
  t.end();
});
