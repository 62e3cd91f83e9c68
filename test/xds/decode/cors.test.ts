import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeCorsFilter, decodeCorsPolicy, isCorsFilter } from '../../../xds/decode/cors.ts';

const filter = (name: string, typeName: string) => ({
  name,
  typedConfig: { typeUrl: `a/${typeName}`, typeName, message: {} },
});
const cors = filter('my-cors', 'envoy.extensions.filters.http.cors.v3.Cors');
const router = filter('r', 'envoy.extensions.filters.http.router.v3.Router');

t.test('a policy has what is written, and nothing for what is not', async (t) => {
  const problems = new Problems();
  t.same(decodeCorsPolicy({}, problems), {
    allowedOrigins: [],
    allowMethods: '',
    allowHeaders: '',
    exposeHeaders: '',
    maxAge: '',
  });
  const policy = decodeCorsPolicy(
    {
      allowOriginStringMatch: [{ exact: 'http://a' }, { safeRegex: { regex: 'b.*' } }],
      allowMethods: 'GET,PUT',
      allowHeaders: 'x-a',
      exposeHeaders: 'x-b',
      maxAge: '60',
      allowCredentials: false,
      filterEnabled: { defaultValue: { numerator: 5 }, runtimeKey: 'k' },
      allowPrivateNetworkAccess: true,
      forwardNotMatchingPreflights: false,
    },
    problems,
  );
  t.same(policy, {
    allowedOrigins: [
      { kind: 'exact', value: 'http://a', ignoreCase: false },
      { kind: 'regex', regex: 'b.*' },
    ],
    allowMethods: 'GET,PUT',
    allowHeaders: 'x-a',
    exposeHeaders: 'x-b',
    maxAge: '60',
    allowCredentials: false,
    allowPrivateNetworkAccess: true,
    forwardNotMatchingPreflights: false,
    enabled: { numerator: 5, denominator: 100, runtimeKey: 'k' },
  });
  t.ok(problems.isEmpty);
});

t.test('a value that would be another header is refused, as is a pattern that is none', async (t) => {
  const problems = new Problems();
  decodeCorsPolicy(
    { allowMethods: 'GET\r\nset-cookie: a', maxAge: 'é', allowOriginStringMatch: [{ safeRegex: { regex: '(' } }] },
    problems,
  );
  t.same(
    problems.list.map(({ path }) => path),
    ['allow_origin_string_match[0].safe_regex.regex', 'allow_methods', 'max_age'],
  );
});

t.test('the filter is found under its own name, once', async (t) => {
  const problems = new Problems();
  t.equal(decodeCorsFilter([router], problems), undefined);
  t.equal(decodeCorsFilter([cors, router], problems), 'my-cors');
  t.ok(problems.isEmpty);
  decodeCorsFilter([cors, cors, router], problems);
  t.matchOnly(problems.list, [{ path: '[1]', message: /may be there once/ }]);
  t.ok(isCorsFilter(cors));
  t.notOk(isCorsFilter(router));
});
