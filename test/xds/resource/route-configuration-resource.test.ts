import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { encodeMessage } from '../../../xds/message/wire-message.ts';
import { routeConfigurationDecoder } from '../../../xds/resource/route-configuration-resource.ts';
import { onlyItems } from '../../support/only-items.ts';

const messageName = 'envoy.config.route.v3.RouteConfiguration';

const host = (at: number | string, body = 'hello') => ({
  name: `host ${at} ${'x'.repeat(200)}`,
  domains: [`h${at}.example`, `h${at}.example:80`],
  routes: [{ match: { prefix: '/' }, directResponse: { status: 200, body: { inlineString: body } } }],
});
const hosts = (count: number) => Array.from({ length: count }, (_, at) => host(at));
const own = {
  name: 'r',
  requestHeadersToRemove: ['x-internal'],
  internalOnlyHeaders: ['X-Own'],
  ignorePortInHostMatching: true,
};
const tableOf = (virtualHosts: readonly object[], more: object = own) =>
  encodeMessage({ ...more, virtualHosts }, messageName);

function decode(bytes: Uint8Array) {
  const problems = new Problems();
  const table = routeConfigurationDecoder.decode(bytes, problems);
  return { table, problems: problems.list };
}

/** Virtual hosts of each step; undefined where it is not decoded in steps. */
function prepare(bytes: Uint8Array): readonly number[] | undefined {
  const steps = routeConfigurationDecoder.prepare!(bytes) as Iterator<number> | undefined;
  if (steps === undefined) return undefined;
  const taken: number[] = [];
  for (let step = steps.next(); step.done !== true; step = steps.next()) taken.push(step.value);
  return taken;
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0);

/** What comes of it in slices is what comes of it as a whole. Returns that, and how many virtual hosts were taken in slices. */
function compare(bytes: Uint8Array) {
  const whole = decode(bytes.slice());
  const taken = sum(prepare(bytes) ?? []);
  const sliced = decode(bytes);
  deepStrictEqual(sliced, whole);
  return { ...sliced, taken, wasPrepared: sliced.table !== undefined && decode(bytes).table === sliced.table };
}

t.test('a large table is decoded some virtual hosts at a time, to what it is as a whole', async (t) => {
  t.ok(routeConfigurationDecoder.isDecodedAhead);
  const bytes = tableOf(hosts(1000));
  const steps = prepare(bytes.slice())!;
  t.equal(sum(steps), 1000);
  t.ok(Math.max(...steps) <= 63, `${steps}`);
  const { table, wasPrepared } = compare(bytes);
  t.ok(wasPrepared);
  t.equal(table!.virtualHosts.length, 1000);
  t.match(table, { name: 'r', ignorePortInHostMatching: true, internalOnlyHeaders: onlyItems('x-own') });
});

t.test('a virtual host with many routes is a step of its own', async (t) => {
  const routes = Array.from({ length: 1500 }, (_, at) => ({
    match: { path: `/${at}` },
    redirect: { pathRedirect: '/' },
  }));
  const large = { name: 'large', domains: ['large'], routes };
  t.same(prepare(tableOf([large, large, large])), [0, 1], 'the second has the same domain');
  t.same(prepare(tableOf([large, { ...large, domains: ['b'] }, { ...large, domains: ['c'] }])), [0, 1, 1, 1]);
});

t.test('a small table is decoded at once', async (t) => {
  t.equal(prepare(tableOf(hosts(100))), undefined);
});

t.test('what a table says of itself holds for each virtual host, wherever it stands', async (t) => {
  const limit = { maxDirectResponseBodySizeBytes: 5 };
  t.equal(compare(tableOf(hosts(200), { ...own, ...limit })).problems.length, 0);
  const { problems } = compare(tableOf([...hosts(200), host('long', 'longer')], { ...own, ...limit }));
  t.match(problems[0]?.path, 'virtual_hosts[200].routes[0].direct_response.body');
  const ahead = encodeMessage(limit, messageName);
  t.equal(compare(Buffer.concat([ahead, tableOf([...hosts(200), host('long', 'longer')])])).problems.length, 1);
});

t.test('problems are those of the whole table', async (t) => {
  const twice = compare(tableOf([...hosts(200), host(3)]));
  t.equal(twice.problems[0]?.path, 'virtual_hosts[200].domains[0]');
  t.match(twice.problems[0]?.message, /exists already: virtual_hosts\[3\]\.domains\[0\]/);
  const wrong = compare(tableOf([...hosts(200), { ...host('a'), routes: [{}] }]));
  t.equal(wrong.problems[0]?.path, 'virtual_hosts[200].routes[0].match');
  const good = tableOf(hosts(200));
  const damaged = compare(Buffer.concat([good, Buffer.from([0x12, 200])]));
  t.equal(damaged.problems.length, 1);
  t.equal(damaged.taken, 0);
  const within = compare(Buffer.concat([good, Buffer.from([0x12, 2, 0x0a, 9])]));
  t.equal(within.problems.length, 1);
});

t.test('a table with more than virtual hosts is decoded at once, and so is one in another order', async (t) => {
  const names = Array.from({ length: 3000 }, (_, at) => `x-internal-${at}`);
  t.same(prepare(tableOf(hosts(200), { internalOnlyHeaders: names })), []);
  t.equal(compare(tableOf([], { internalOnlyHeaders: names })).table!.internalOnlyHeaders.length, 3000);
  const mixed = Buffer.concat([tableOf(hosts(200)), tableOf([host('late')], { name: 's' })]);
  const { table, taken } = compare(mixed);
  t.same([table!.name, table!.virtualHosts.length, taken], ['s', 201, 0]);
});

t.test('wherever slices end, and whatever is wrong, it is what comes of the whole', async () => {
  const some = fc.record({
    at: fc.nat(300),
    body: fc.constantFrom('', 'short', 'x'.repeat(3000), 'x'.repeat(5000)),
    kind: fc.constantFrom('good', 'good', 'good', 'good', 'none', 'prefix'),
  });
  const virtualHost = some.map(({ at, body, kind }) => {
    const made = host(at, body);
    if (kind === 'none') return { ...made, domains: [] };
    return kind === 'prefix' ? { ...made, domains: ['*'] } : made;
  });
  const list = fc.uniqueArray(virtualHost, { minLength: 1, maxLength: 40, selector: ({ domains }) => `${domains}` });
  fc.assert(
    fc.property(list, fc.nat(2), (virtualHosts, twice) => {
      compare(
        tableOf([
          ...virtualHosts,
          ...hosts(120).map((each) => ({ ...each, domains: [`${each.name}.own`] })),
          ...virtualHosts.slice(0, twice),
        ]),
      );
    }),
    { numRuns: 30 },
  );
});
