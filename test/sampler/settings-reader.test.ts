import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { defaultSettings } from '../../sampler/settings.ts';
import { readSamplingSettings } from '../../sampler/settings-reader.ts';
import { parseDocument } from '../../xds/document/config-document.ts';

function settingsOf(sampling: unknown) {
  const read = readSamplingSettings({ sampling });
  if (read.kind === 'problems')
    throw new Error(read.problems.map(({ path, message }) => `${path} ${message}`).join('\n'));
  return read.settings;
}

function problemsOf(tree: unknown): readonly string[] {
  const read = readSamplingSettings(tree);
  return read.kind === 'settings' ? [] : read.problems.map(({ path, message }) => `${path}: ${message}`);
}

t.test('the example says the shipped settings, all of them', (t) => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/examples/sampling.yaml'), 'utf8');
  const tree = parseDocument(text, new Problems()) as { sampling: Record<string, unknown> };
  const read = readSamplingSettings(tree);
  t.same(read, { kind: 'settings', settings: defaultSettings });
  // Each field is really read: without it nothing changes, with a mapping of something unknown it is refused by name.
  for (const field of Object.keys(tree.sampling)) {
    const problems = problemsOf({ sampling: { ...tree.sampling, [field]: { nonsense: 1 } } });
    t.ok(
      problems.some((problem) => problem.startsWith(`sampling.${field}`)),
      field,
    );
  }
  t.end();
});

t.test('what is not said is as shipped', (t) => {
  t.same(settingsOf({}), defaultSettings);
  t.same(settingsOf({ budget: { traces_per_second: 7.5 } }).budget, { tracesPerSecond: 7.5, scope: 'instance' });
  t.same(settingsOf({ errors: { http: [429, '500-503', '4XX'] } }).errors, {
    ...defaultSettings.errors,
    http: [
      [429, 429],
      [500, 503],
      [400, 499],
    ],
  });
  t.end();
});

t.test('strata can be switched off', (t) => {
  t.equal(settingsOf({ errors: { keep: 'never' } }).errors.keep, false);
  t.notOk('slow' in settingsOf({ slow: { keep: 'never', over_ms: 5 } }));
  t.same(settingsOf({ slow: { over_ms: 5 } }).slow, { overMs: 5, maxPerSecond: 2 });
  t.end();
});

t.test('a rule weighs its rate over the base rate unless it says another weight', (t) => {
  const match = { service: 'a', route: '/b', method: 'GET', headers: { 'X-Tenant': 'gold*' } };
  const { rules } = settingsOf({
    base_rate: 0.02,
    rules: [
      { match, rate: 0.5 },
      { rate: 0, weight: 3 },
    ],
  });
  t.same(rules, [
    { service: 'a', route: '/b', method: 'GET', headers: [['x-tenant', 'gold*']], rate: 0.5, weight: 25 },
    { headers: [], rate: 0, weight: 3 },
  ]);
  t.equal(settingsOf({ base_rate: 0, rules: [{ rate: 0.5 }] }).rules[0]!.weight, 1, 'no base to compare with');
  t.end();
});

t.test('weights are rules after the others, those of routes first', (t) => {
  const weights = { reviews: 3, 'reviews:/health': 0, ':/slow': 200 };
  t.same(settingsOf({ rules: [], share: { law: 'equal', weights } }).rules, [
    { service: 'reviews', route: '/health', headers: [], rate: 0, weight: 0 },
    { route: '/slow', headers: [], rate: 1, weight: 200 },
    { service: 'reviews', headers: [], rate: 0.03, weight: 3 },
  ]);
  t.end();
});

t.test('everything that is wrong is told at once, by path and in plain words', (t) => {
  const problems = problemsOf({
    sampling: {
      base_rate: 5,
      budget: { traces_per_second: '100', scop: 'service' },
      share: { law: 'log', weights: { 'a b': -1 } },
      rules: [{ match: { servce: 'x', headers: { 'a b': 1 } } }, 'all', { match: { service: '' }, rate: 0.1 }],
      floor: 3,
      errors: { keep: true, max_per_second: 2.5, http: ['6xx', '504-500'], grpc: ['BAD', 17], local_replies: 'no' },
      propagation: ['w3c'],
    },
    other: {},
  });
  t.same(problems, [
    'sampling.base_rate: must be a number from 0 to 1, not 5',
    'sampling.budget.traces_per_second: must be a number from 0 to 1000000, not "100"',
    'sampling.budget.scop: is not a field; here may be traces_per_second or scope',
    'sampling.share.law: must be proportional, sqrt or equal, not "log"',
    'sampling.rules[0].rate: is missing; a rule says which share of its requests is kept, 0 to 1',
    'sampling.rules[0].match.headers["a b"]: is no name of a header',
    'sampling.rules[0].match.headers["a b"]: must be a text of 1 to 256 characters, not 1',
    'sampling.rules[0].match.servce: is not a field; here may be service, route, method or headers',
    'sampling.rules[1]: must be a mapping of fields, not "all"',
    'sampling.rules[2].match.service: must be a text of 1 to 256 characters, not ""',
    'sampling.share.weights["a b"]: must be a number from 0 to 1000000, not -1',
    'sampling.floor: must be a mapping of fields, not 3',
    'sampling.errors.keep: must be always or never, not true',
    'sampling.errors.max_per_second: must be a whole number from 0 to 10000, not 2.5',
    'sampling.errors.http[0]: must be a status (503), a range (500-504) or a class (5xx), not "6xx"',
    'sampling.errors.http[1]: must be a status (503), a range (500-504) or a class (5xx), not "504-500"',
    'sampling.errors.grpc[0]: must be a gRPC status (UNAVAILABLE or 14), not "BAD"',
    'sampling.errors.grpc[1]: must be a gRPC status (UNAVAILABLE or 14), not 17',
    'sampling.errors.local_replies: must be true or false, not "no"',
    'sampling.propagation: is not a field; here may be base_rate, share, slow, budget, cap, rules, floor, errors, retries, debug or upgrade',
    'other: is not a field; here may be sampling',
  ]);
  t.end();
});

t.test('a file without `sampling`, or that is no mapping, is refused', (t) => {
  t.same(problemsOf({}), ['sampling: is missing; all settings are below it']);
  t.same(problemsOf(null), [': must be a mapping of fields, not nothing']);
  t.same(problemsOf([]), [': must be a mapping of fields, not a list']);
  t.same(problemsOf({ sampling: null }), ['sampling: must be a mapping of fields, not nothing']);
  t.same(problemsOf({ sampling: { ['__proto__x']: 1 } }).length, 1);
  t.end();
});

t.test('any tree gives settings within their ranges or problems, and never throws', (t) => {
  const fields = fc.constantFrom(
    ...'sampling base_rate budget traces_per_second scope share law weights rules match service headers rate weight'.split(
      ' ',
    ),
    ...'floor errors keep http grpc slow over_ms retries max_per_second debug upgrade via trust cap'.split(' '),
    '__proto__',
    'constructor',
  );
  const leaf = fc.oneof(fc.double(), fc.string(), fc.constantFrom('always', 'sqrt', 'mesh', '5xx', 0.5, 1, null, true));
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium' },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fields, tie('tree'), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (tree) => {
      const read = readSamplingSettings({ sampling: tree });
      if (read.kind === 'problems') return read.problems.every(({ message }) => message !== '');
      const { settings } = read;
      return (
        settings.baseRate >= 0 && settings.baseRate <= 1 && settings.rules.every(({ rate }) => rate >= 0 && rate <= 1)
      );
    }),
    { numRuns: 1_000 },
  );
  t.end();
});
