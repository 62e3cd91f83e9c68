import fc from 'fast-check';
import t from 'tap';
import { CompiledQueryParameterMatcher, queryParameter } from '../../../proxy/route/query-parameter-matcher.ts';
import { exactly } from '../../support/route-fixtures.ts';

t.test('the first parameter of a name counts, as it was sent', async (t) => {
  for (const [path, name, expected] of [
    ['/?a=1&a=2', 'a', '1'],
    ['/?aa=1&a=2', 'a', '2'],
    ['/?a', 'a', ''],
    ['/?a&b=1', 'a', ''],
    ['/?b=1&a=', 'a', ''],
    ['/?a=x%20y', 'a', 'x%20y'],
    ['/?a=1=2', 'a', '1=2'],
    ['/?A=1', 'a', null],
    ['/a=1', 'a', null],
    ['/?', 'a', null],
    ['/?b=a', 'a', null],
  ] as const) {
    t.equal(queryParameter(path, name), expected, path);
  }
});

t.test('presence and value', async (t) => {
  const present = new CompiledQueryParameterMatcher({ name: 'a', match: { kind: 'present' } });
  t.equal(present.matches('/?a'), true);
  t.equal(present.matches('/?b'), false);
  const equal = new CompiledQueryParameterMatcher({ name: 'a', match: { kind: 'string', matcher: exactly('1') } });
  t.equal(equal.matches('/?a=1'), true);
  t.equal(equal.matches('/?a=12'), false);
  t.equal(equal.matches('/'), false);
  for (const name of ['a&b', 'a=1']) {
    const never = new CompiledQueryParameterMatcher({ name, match: { kind: 'present' } });
    t.equal(never.matches('/?a&b=1'), false, name);
    t.equal(never.matches('/?a=1'), false, name);
  }
});

t.test('scanning finds what splitting finds', async () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '=', '&'), maxLength: 12 });
  fc.assert(
    fc.property(part, fc.constantFrom('a', 'b', 'ab'), (query, name) => {
      const found = query
        .split('&')
        .map((pair) =>
          pair.includes('=') ? [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] : [pair, ''],
        )
        .find(([key]) => key === name);
      return queryParameter(`/x?${query}`, name) === (found?.[1] ?? null);
    }),
    { numRuns: 1000 },
  );
});
