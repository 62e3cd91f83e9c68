import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodePerFilterConfig } from '../../../xds/decode/per-filter-config.ts';

const typeName = 'envoy.config.route.v3.FilterConfig';
const filterConfig = (message: object) => ({ typeUrl: `a/${typeName}`, typeName, message });

t.test('a filter can be disabled, and one that is not known cannot be configured', async (t) => {
  const problems = new Problems();
  t.same(decodePerFilterConfig({ a: filterConfig({ disabled: true }), b: filterConfig({}) }, problems), {
    a: { disabled: true },
    b: { disabled: false },
  });
  t.ok(problems.isEmpty);
  const config = { typeUrl: 'a/b.C', typeName: 'b.C' };
  decodePerFilterConfig({ 'x.y': config, z: filterConfig({ config }) }, problems);
  t.same(
    problems.list.map(({ path }) => path),
    ['["x.y"]', '["z"].config'],
  );
  t.match(problems.list[0]?.message, /a\/b\.C is not supported/);
});

t.test('the policy of the CORS filter is read, also where it says whether the filter is disabled', async (t) => {
  const problems = new Problems();
  const type = 'envoy.extensions.filters.http.cors.v3.CorsPolicy';
  const policy = { typeUrl: `a/${type}`, typeName: type, message: { maxAge: '60' } };
  const decoded = decodePerFilterConfig({ a: policy, b: filterConfig({ disabled: true, config: policy }) }, problems);
  t.match(decoded, { a: { disabled: false, cors: { maxAge: '60' } }, b: { disabled: true, cors: { maxAge: '60' } } });
  t.ok(problems.isEmpty);
  const wrong = { ...policy, message: { maxAge: '\n' } };
  decodePerFilterConfig({ a: wrong, b: filterConfig({ config: wrong }) }, problems);
  t.same(
    problems.list.map(({ path }) => path),
    ['["a"].max_age', '["b"].config.max_age'],
  );
});
