import fc from 'fast-check';
import t from 'tap';
import { refusalText } from '../../../xds/client/refusal-text.ts';

t.test('each problem of each resource has its line', async (t) => {
  const problems = [
    { path: 'lb_policy', message: 'is odd' },
    { path: '', message: 'is wrong' },
  ];
  t.equal(
    refusalText([
      { name: 'a', problems },
      { name: 'b', problems: [problems[1]!] },
    ]),
    ['a: lb_policy: is odd', 'a: is wrong', 'b: is wrong'].join('\n'),
  );
});

t.test('a resource that is refused for no reason is named', async (t) => {
  t.equal(refusalText([{ name: 'a', problems: [] }]), 'a: is refused');
});

t.test('what does not fit is counted', async (t) => {
  const refused = Array.from({ length: 1000 }, (_, i) => ({ name: `n${i}`, problems: [{ path: 'p', message: 'm' }] }));
  const lines = refusalText(refused).split('\n');
  t.equal(lines[0], 'n0: p: m');
  t.equal(lines.at(-1), `and ${1000 - (lines.length - 1)} more`);
});

t.test('a first line that does not fit is cut, so that it says at least what was refused', async (t) => {
  const said = refusalText([{ name: 'a', problems: [{ path: 'p', message: 'm'.repeat(5000) }] }]);
  t.match(said, /^a: p: m{1000}m*…$/);
});

t.test('no text is longer than 4 KiB, nor has half a character', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.nat(5000).map((n) => '😀'.repeat(n)),
  );
  const problem = fc.record({ path: text, message: text });
  fc.assert(
    fc.property(fc.array(fc.record({ name: text, problems: fc.array(problem) }), { minLength: 1 }), (refused) => {
      const said = refusalText(refused);
      return said !== '' && Buffer.byteLength(said) <= 4096 && said.isWellFormed();
    }),
  );
});
