import fc from 'fast-check';
import t from 'tap';
import { type Flag, readFlagValues } from '../../../bpf/capture/flag-values.ts';
import { Problems } from '../../../config/problems.ts';
import { onlyItems } from '../../support/only-items.ts';

const known: readonly Flag[] = [
  { name: 'proxy-port', short: 'p', alsoVariables: ['PORT'], annotations: ['a/old', 'a/port'] },
  { name: 'dry-run', short: 'n', isSwitch: true },
  { name: 'mark', neutral: ['', '0'], refusal: 'means nothing' },
  { variable: 'GROUPS' },
];

function valuesOf(flags: readonly string[], environment = {}, annotations = {}) {
  const problems = new Problems();
  const values = readFlagValues({ flags, environment, annotations, known, problems });
  return { values, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('a value is known by its flag and told with what said it', (t) => {
  t.same(
    valuesOf(['-p1', '--dry-run']).values,
    new Map(
      Object.entries({
        'proxy-port': { text: '1', source: '-p' },
        'dry-run': { text: 'true', source: '--dry-run' },
      }),
    ),
  );
  t.same(
    valuesOf([], { PORT: '3', GROUPS: 'a' }).values,
    new Map(
      Object.entries({
        'proxy-port': { text: '3', source: 'PORT' },
        GROUPS: { text: 'a', source: 'GROUPS' },
      }),
    ),
  );
  t.equal(valuesOf([], { PORT: '3', PROXY_PORT: '2' }).values.get('proxy-port')?.text, '2', 'its own variable first');
  t.equal(valuesOf(['-p', '1'], { PROXY_PORT: '2' }).values.get('proxy-port')?.text, '1', 'the flag before any');
  t.end();
});

t.test('a switch takes no word after it', (t) => {
  t.match(valuesOf(['-n', 'false']), { problems: onlyItems(/^false: is not a flag/) });
  t.equal(valuesOf(['--dry-run=false']).values.get('dry-run')?.text, 'false');
  t.matchOnly(valuesOf(['-nx']).problems, [/^-n: must be true or false, not "x"/]);
  t.end();
});

t.test('a value may look like a flag, and may hold what parts words', (t) => {
  t.equal(valuesOf(['-p', '-n']).values.get('proxy-port')?.text, '-n');
  t.equal(valuesOf(['--proxy-port=a=b']).values.get('proxy-port')?.text, 'a=b');
  t.end();
});

t.test('what asks for nothing may be said, the rest of a refused flag not', (t) => {
  t.same(valuesOf(['--mark', '0']).problems, []);
  t.same(valuesOf(['--mark', '1']).problems, ['--mark: means nothing']);
  t.end();
});

t.test('any value of a known flag is passed on as it is', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const spellings = [['-p', text], [`--proxy-port=${text}`], ['--proxy-port', text]];
      return spellings.every((flags) => valuesOf(flags).values.get('proxy-port')?.text === text);
    }),
  );
  t.end();
});

t.test('an annotation comes after flag and variable, and says something where it is empty', (t) => {
  const annotations = { 'a/port': '', other: '1' };
  t.same(
    valuesOf([], {}, annotations).values,
    new Map([['proxy-port', { text: '', source: 'a/port', isAnnotation: true }]]),
  );
  t.same(valuesOf([], { PORT: '3' }, annotations).values.get('proxy-port'), { text: '3', source: 'PORT' });
  t.same(valuesOf(['-p', '1'], {}, annotations).values.get('proxy-port'), { text: '1', source: '-p' });
  t.end();
});
