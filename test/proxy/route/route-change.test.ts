import fc from 'fast-check';
import t from 'tap';
import type { RouteConfiguration, VirtualHost } from '../../../config/route.ts';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { changeVirtualHosts, compareRoutes } from '../../../proxy/route/route-change.ts';
import { compileRouteTable } from '../../../proxy/route/route-table.ts';
import { route, routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

const hostsNamed = (...names: readonly string[]) => names.map((name) => virtualHost({ name, domains: [name] }));
const compared = (before: RouteConfiguration | undefined, after: RouteConfiguration) =>
  takeAllSteps(compareRoutes(before, after));
const tableOf = (virtualHosts: readonly VirtualHost[]) => routeConfiguration({ virtualHosts });

t.test('virtual hosts that are equal are not told again', (t) => {
  const before = tableOf(hostsNamed('a', 'b', 'c', 'd'));
  const changed = virtualHost({ name: 'b', domains: ['other'] });
  const after = tableOf([...hostsNamed('a', 'd', 'e'), changed]);
  t.same(compared(before, after), { kind: 'virtual-hosts', set: [...hostsNamed('e'), changed], removed: ['c'] });
  t.same(compared(before, structuredClone(before)), { kind: 'virtual-hosts', set: [], removed: [] });
  t.end();
});

t.test('a table is told whole when it is new, when more than its virtual hosts or most of them differ', (t) => {
  const before = tableOf(hostsNamed('a', 'b', 'c'));
  const isWhole = (after: typeof before) => compared(before, after).kind === 'whole';
  t.equal(compared(undefined, before).kind, 'whole');
  t.ok(isWhole({ ...before, internalOnlyHeaders: ['x'] }));
  t.ok(isWhole(tableOf(hostsNamed('a', 'x', 'y'))));
  const twice = tableOf(hostsNamed('a', 'a', 'b', 'c'));
  t.ok(isWhole(twice), 'names that are not unique are no keys');
  t.equal(compared(twice, before).kind, 'whole');
  t.end();
});

const domain = fc.constantFrom('a', 'b', 'a.b', 'A.B', '*.b', '*-x.b', '*', 'a.*', 'a.b.*', 'b:80');
/** Virtual hosts of which no two have a domain, or a name, in common. */
const virtualHosts = fc
  .uniqueArray(fc.tuple(domain, fc.constantFrom('p', 'q', 'r', 's', 't'), fc.constantFrom('one', 'two')), {
    selector: ([each]) => each.toLowerCase(),
  })
  .map((entries) =>
    [...Map.groupBy(entries, ([, name]) => name)].map(([name, own]) =>
      virtualHost({ name, domains: own.map(([each]) => each), routes: [route({ name: own[0]![2] })] }),
    ),
  );
const authorities = ['a', 'b', 'a.b', 'c.b', '1-x.b', 'a.c', 'a.b.c', 'b:80', 'z', ''];

/** What a worker is told when it has `before`, also where a whole table would be less to tell. */
function changeOf(before: readonly VirtualHost[], after: readonly VirtualHost[]) {
  const change = compared(tableOf(before), tableOf(after));
  if (change.kind === 'virtual-hosts') return change;
  const names = new Set(after.map(({ name }) => name));
  const removed = before.map(({ name }) => name).filter((name) => !names.has(name));
  return { kind: 'virtual-hosts', set: after, removed } as const;
}

t.test('a table that is changed step by step finds what one made of the whole finds', (t) => {
  const context = { suppressEnvoyHeaders: false };
  const run = (first: readonly VirtualHost[], steps: readonly (readonly VirtualHost[])[]) => {
    let config = tableOf(first);
    const table = compileRouteTable(config, context);
    for (const step of steps) {
      const change = changeOf(config.virtualHosts, step);
      const changed = new Set([...change.removed, ...change.set.map(({ name }) => name)]);
      const former = config.virtualHosts.filter(({ name }) => changed.has(name));
      config = changeVirtualHosts(config, change);
      table.update(config, former, change.set);
      const whole = compileRouteTable(tableOf(step), context);
      for (const authority of authorities) {
        const [found, expected] = [table, whole].map((each) => each.findVirtualHost(authority)?.config);
        if (JSON.stringify(found) !== JSON.stringify(expected)) return false;
      }
    }
    return true;
  };
  fc.assert(fc.property(virtualHosts, fc.array(virtualHosts, { maxLength: 6 }), run), { seed: 4, numRuns: 500 });
  t.pass();
  t.end();
});
