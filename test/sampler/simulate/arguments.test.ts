import t from 'tap';
import { parseCommand, UsageError } from '../../../sampler/simulate/arguments.ts';

const parse = (line: string) => parseCommand(line.split(' '));

t.test('requests are made up by a rate, with defaults for the rest', (t) => {
  t.same(parse('simulate --rate 500'), {
    source: { kind: 'made', tracesPerSecond: 500, durationMs: 60_000, services: 8, seed: 1 },
  });
  t.same(parse('simulate --rate 0.5 --duration 2.5 --services 3 --seed 9 --settings s.yaml --budget 20 --svg o.svg'), {
    source: { kind: 'made', tracesPerSecond: 0.5, durationMs: 2500, services: 3, seed: 9 },
    settingsPath: 's.yaml',
    tracesPerSecond: 20,
    svgPath: 'o.svg',
  });
  t.end();
});

t.test('or they come from a file', (t) => {
  t.same(parse('simulate --trace f.jsonl'), { source: { kind: 'file', path: 'f.jsonl' } });
  t.throws(
    () => parse('simulate --trace f --seed 2'),
    /^--seed says how requests are made up; --trace brings its own$/,
  );
  t.end();
});

t.test('what cannot be used is told', (t) => {
  for (const [line, message] of [
    ['', /the one command is simulate/],
    ['keep --rate 1', /the one command is simulate/],
    ['simulate', /--trace or --rate is needed/],
    ['simulate --rate fast', /^--rate fast: a number from 0\.1 to 100000 is needed$/],
    ['simulate --rate 1 --duration 0', /--duration 0: a number from 1 to 86400/],
    ['simulate --rate 1 --services 2.5', /--services 2\.5: a whole number is needed/],
    ['simulate --rate 1 --services 1', /--services 1: a number from 2 to 50/],
    ['simulate --rate 1 --budget -1', /--budget/],
    ['simulate --speed 1', /--speed/],
  ] as const) {
    t.throws(() => parse(line), { constructor: UsageError, message }, line);
  }
  t.end();
});
