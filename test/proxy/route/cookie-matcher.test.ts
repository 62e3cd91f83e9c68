import fc from 'fast-check';
import t from 'tap';
import type { CookieMatcher } from '../../../config/matcher.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import { CompiledCookieMatcher } from '../../../proxy/route/cookie-matcher.ts';
import { RequestCookies } from '../../../proxy/route/request-cookies.ts';
import { exactly } from '../../support/route-fixtures.ts';

function fieldsOf(...values: readonly string[]): HeaderTable {
  const headers = new HeaderTable();
  for (const value of values) headers.append('Cookie', value);
  return headers;
}

function cookieOf(name: string, ...fields: readonly string[]): string | undefined {
  const cookies = new RequestCookies();
  cookies.want(name);
  return cookies.get(fieldsOf(...fields), name);
}

t.test('the first cookie of a name counts, without its quotes', (t) => {
  for (const [fields, expected] of [
    [['k=a'], 'a'],
    [['x=1; k=a'], 'a'],
    [['x=1;k=a'], 'a'],
    [['k=a; k=b'], 'a'],
    [['k=a', 'k=b'], 'a'],
    [['x=1', 'k=b'], 'b'],
    [['k='], ''],
    [['k="a b"'], 'a b'],
    [['k=""'], ''],
    [['k="'], '"'],
    [['k="a'], '"a'],
    [['k=a=b'], 'a=b'],
    [[';; k=a ;;'], 'a '],
    [['k'], undefined],
    [['K=a'], undefined],
    [['kk=a'], undefined],
    [['k =a'], undefined],
    [['x=k=a'], undefined],
    [[''], undefined],
    [[], undefined],
  ] as const) {
    t.equal(cookieOf('k', ...fields), expected, JSON.stringify(fields));
  }
  t.end();
});

t.test('a cookie that is not there matches what is inverted', (t) => {
  const matches = (config: Partial<CookieMatcher>, ...fields: readonly string[]) => {
    const matcher = { name: 'k', matcher: exactly('a'), invert: false, ...config };
    return new CompiledCookieMatcher(matcher, new RequestCookies()).matches(fieldsOf(...fields));
  };
  t.equal(matches({}, 'k=a'), true);
  t.equal(matches({}, 'k=b'), false);
  t.equal(matches({}, 'x=a'), false);
  t.equal(matches({ matcher: exactly('') }), false, 'a missing cookie is no empty one');
  t.equal(matches({ invert: true }, 'k=a'), false);
  t.equal(matches({ invert: true }, 'k=b'), true);
  t.equal(matches({ invert: true }), true);
  t.equal(matches({ name: 'é', matcher: exactly('ü') }, Buffer.from('é=ü').latin1Slice()), true, 'bytes, as UTF-8');
  t.end();
});

t.test('of each request its own cookies are seen', (t) => {
  const cookies = new RequestCookies();
  cookies.want('k');
  t.equal(cookies.get(fieldsOf('k=a'), 'k'), 'a');
  t.equal(cookies.get(fieldsOf('k=b'), 'k'), 'a', 'read once');
  cookies.forget();
  t.equal(cookies.get(fieldsOf('k=b'), 'k'), 'b');
  cookies.forget();
  t.equal(cookies.get(fieldsOf('x=b'), 'k'), undefined);
  t.end();
});

t.test('scanning finds what splitting finds', (t) => {
  const field = fc.string({ unit: fc.constantFrom('a', 'b', '=', ';', ' ', '"'), maxLength: 20 });
  fc.assert(
    fc.property(fc.array(field, { maxLength: 3 }), fc.constantFrom('a', 'b', 'ab'), (fields, name) => {
      const found = fields
        .flatMap((each) => each.split(';'))
        .map((pair) => pair.replace(/^ +/, ''))
        .find((pair) => pair.startsWith(`${name}=`));
      const value = found?.slice(name.length + 1).replace(/^"(.*)"$/, '$1');
      return cookieOf(name, ...fields) === value;
    }),
    { numRuns: 2000, seed: 20_261_122 },
  );
  t.end();
});

t.test('of 60 KB of cookies only those that are asked for are kept, however many routes ask', (t) => {
  const cookies = new RequestCookies();
  const matchers = Array.from(
    { length: 1000 },
    (_, index) => new CompiledCookieMatcher({ name: `k${index % 10}`, matcher: exactly('no'), invert: false }, cookies),
  );
  const headers = fieldsOf(Array.from({ length: 15_000 }, (_, index) => `a${index % 9}=`).join(';'));
  let reads = 0;
  const value = headers.value.bind(headers);
  headers.value = (row) => {
    reads++;
    return value(row);
  };
  for (const matcher of matchers) t.notOk(matcher.matches(headers));
  t.equal(reads, 1, 'read in one pass');
  t.end();
});
