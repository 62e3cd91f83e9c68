import t from 'tap';
import type { CorsPolicy } from '../../../config/cors.ts';
import type { PerFilterConfig } from '../../../config/route.ts';
import { compileCors } from '../../../proxy/route/cors.ts';
import { exactly, lines, matchContext, response } from '../../support/route-fixtures.ts';

const nothing: CorsPolicy = { allowedOrigins: [], allowMethods: '', allowHeaders: '', exposeHeaders: '', maxAge: '' };
const level = (policy: Partial<CorsPolicy>): PerFilterConfig => ({
  cors: { disabled: false, cors: { ...nothing, ...policy } },
});
const compile = (...levels: readonly PerFilterConfig[]) => compileCors(levels, 'cors');
const preflightLines = (...levels: readonly PerFilterConfig[]) => {
  const answer = response(200);
  compile(...levels)!.addToPreflight(answer.headers);
  return lines(answer);
};

t.test('without a filter, or a policy of its name, there is nothing to do', async (t) => {
  t.equal(compileCors([level({})], undefined), null);
  t.equal(compileCors([level({})], 'other'), null);
  t.equal(compile({}, {}), null);
  t.equal(compile({ cors: { disabled: false } }), null);
});

t.test('the nearest level says whether the filter is disabled', async (t) => {
  t.equal(compile({ cors: { disabled: true } }, level({})), null);
  t.ok(compile({}, level({})));
  t.ok(compile(level({}), { cors: { disabled: true } }));
});

t.test('of each field the nearest level that sets it counts', async (t) => {
  const near = level({ allowMethods: 'GET', allowCredentials: false });
  const far = level({ allowMethods: 'PUT', allowHeaders: 'x-a', maxAge: '60', allowCredentials: true });
  t.same(preflightLines(near, far), [
    'access-control-allow-methods: GET',
    'access-control-allow-headers: x-a',
    'access-control-max-age: 60',
  ]);
  t.same(preflightLines(far).slice(0, 1), ['access-control-allow-credentials: true']);
  const origins = compile(level({}), level({ allowedOrigins: [exactly('http://far')] }))!;
  t.ok(origins.allows('http://far'));
  const own = compile(level({ allowedOrigins: [exactly('http://near')] }), level({ allowedOrigins: [exactly('*')] }))!;
  t.notOk(own.allows('http://far'), 'lists are not joined');
});

t.test('a matcher that takes an asterisk takes every origin', async (t) => {
  t.ok(compile(level({ allowedOrigins: [exactly('http://a'), exactly('*')] }))!.allows('null'));
  const patterns = compile(level({ allowedOrigins: [{ kind: 'regex', regex: 'https://.*\\.b' }] }))!;
  t.ok(patterns.allows('https://x.b'));
  t.notOk(patterns.allows('https://x.b.evil'), 'a pattern is of the whole origin');
});

t.test('what the endpoint says of other origins is replaced by what is known here', async (t) => {
  const answer = response(200, [
    ['Access-Control-Allow-Origin', 'http://other'],
    ['access-control-expose-headers', 'x-other'],
    ['access-control-allow-credentials', 'false'],
  ]);
  compile(level({ exposeHeaders: 'x-a' }))!.addToResponse(answer.headers, 'http://a');
  t.same(
    lines(answer)
      .map((line) => line.toLowerCase())
      .sort(),
    [
      'access-control-allow-credentials: false',
      'access-control-allow-origin: http://a',
      'access-control-expose-headers: x-a',
    ],
  );
});

t.test('a policy may count for a share of requests, which the runtime may change', async (t) => {
  const enabled = { numerator: 50, denominator: 100, runtimeKey: 'cors.on' } as const;
  const cors = compile(level({ enabled }))!;
  t.ok(cors.isEnabled(matchContext([0.4])));
  t.notOk(cors.isEnabled(matchContext([0.6])));
  t.notOk(cors.isEnabled(matchContext([0.4], new Map([['cors.on', 10]]))));
  t.ok(compile(level({}))!.isEnabled(matchContext([0.99])));
});
