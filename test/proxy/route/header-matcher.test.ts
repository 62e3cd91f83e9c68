import t from 'tap';
import type { HeaderMatch, HeaderMatcher } from '../../../config/matcher.ts';
import { CompiledHeaderMatcher } from '../../../proxy/route/header-matcher.ts';
import { exactly, headerMatcher, type RequestParts, request, response } from '../../support/route-fixtures.ts';

function matches(name: string, match: HeaderMatch, parts: RequestParts, options: Partial<HeaderMatcher> = {}): boolean {
  return new CompiledHeaderMatcher(headerMatcher(name, match, options)).matchesRequest(request(parts));
}

const text = (value: string): HeaderMatch => ({ kind: 'string', matcher: exactly(value) });
const present: HeaderMatch = { kind: 'present', present: true };
const absent: HeaderMatch = { kind: 'present', present: false };
const with1 = { headers: [['X-Test', '1']] } as const;

t.test('presence and absence, inverted and not', async (t) => {
  for (const [match, invert, parts, expected] of [
    [present, false, with1, true],
    [present, false, {}, false],
    [present, true, with1, false],
    [present, true, {}, true],
    [absent, false, with1, false],
    [absent, false, {}, true],
    [absent, true, with1, true],
    [absent, true, {}, false],
  ] as const) {
    t.equal(matches('x-test', match, parts, { invert }), expected, JSON.stringify([match, invert, parts]));
  }
});

t.test('a missing header fails a value match, inverted too, unless it is treated as empty', async (t) => {
  t.equal(matches('x-test', text('1'), {}), false);
  t.equal(matches('x-test', text('1'), {}, { invert: true }), false);
  t.equal(matches('x-test', text(''), {}, { treatMissingAsEmpty: true }), true);
  t.equal(matches('x-test', text('1'), {}, { treatMissingAsEmpty: true }), false);
  t.equal(matches('x-test', text('1'), {}, { treatMissingAsEmpty: true, invert: true }), true);
  t.equal(matches('x-test', text('2'), with1, { invert: true }), true);
  t.equal(matches('x-test', text('1'), with1, { invert: true }), false);
});

t.test('of several fields of a name one that matches is enough, and none may for the inverse', async (t) => {
  const parts: RequestParts = {
    headers: [
      ['X-Test', 'a'],
      ['x-test', 'b'],
    ],
  };
  t.equal(matches('x-test', text('a,b'), parts), false);
  t.equal(matches('x-test', text('a'), parts), true);
  t.equal(matches('x-test', text('b'), parts), true);
  t.equal(matches('x-test', text('b'), parts, { invert: true }), false);
  t.equal(matches('x-test', text('c'), parts, { invert: true }), true);
});

t.test('pseudo-headers and Host are what the request line and authority say', async (t) => {
  const parts: RequestParts = { method: 'POST', path: '/a?b', authority: 'Shop:80', scheme: 'https' };
  t.equal(matches(':method', text('POST'), parts), true);
  t.equal(matches(':path', text('/a?b'), parts), true);
  t.equal(matches(':authority', text('Shop:80'), parts), true);
  t.equal(matches('host', text('Shop:80'), parts), true);
  t.equal(matches(':scheme', text('https'), parts), true);
  t.equal(matches(':path', present, { method: 'CONNECT', path: '' }), false);
  t.equal(matches(':unknown', present, parts), false);
});

t.test('a range takes whole base-10 numbers in [start, end)', async (t) => {
  const range: HeaderMatch = { kind: 'range', start: -5, end: 10 };
  for (const [value, expected] of [
    ['-5', true],
    ['9', true],
    ['+3', true],
    ['10', false],
    ['-6', false],
    ['1.5', false],
    ['0x1', false],
    ['1e0', false],
    ['', false],
    ['-', false],
    ['1a', false],
    ['99999999999999999999', false],
  ] as const) {
    t.equal(matches('x-test', range, { headers: [['X-Test', value]] }), expected, value);
  }
});

t.test('responses are matched by status and fields', async (t) => {
  const status = new CompiledHeaderMatcher(headerMatcher(':status', text('503')));
  t.equal(status.matchesResponse(response(503)), true);
  t.equal(status.matchesResponse(response(500)), false);
  const field = new CompiledHeaderMatcher(headerMatcher('retry-after', present));
  t.equal(field.matchesResponse(response(503, [['Retry-After', '1']])), true);
});
