import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodePerFilterConfig } from '../../../xds/decode/per-filter-config.ts';

const typeName = 'envoy.config.route.v3.FilterConfig';
const filterConfig = (message: object) => ({ typeUrl: `a/${typeName}`, typeName, message });

t.test('a filter can be disabled, and nothing else is known', async (t) => {
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
