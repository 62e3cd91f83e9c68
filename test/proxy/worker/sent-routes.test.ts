import t from 'tap';
import type { RouteConfiguration } from '../../../config/route.ts';
import type { MapDelta } from '../../../config/snapshot.ts';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { SentRoutes } from '../../../proxy/worker/sent-routes.ts';
import { routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

t.test('a table is told whole once, then by what changes, and whole again after its removal', (t) => {
  const sent = new SentRoutes();
  const take = (delta: MapDelta<RouteConfiguration>) => takeAllSteps(sent.take(delta));
  const hosts = ['a', 'b', 'c'].map((name) => virtualHost({ name, domains: [name] }));
  const first = routeConfiguration({ virtualHosts: hosts });
  const whole = { set: [['table', { kind: 'whole', config: first }]], removed: [] };
  t.same(take({ set: [['table', first]], removed: [] }), whole);
  const changed = virtualHost({ name: 'b', domains: ['other'] });
  const second = routeConfiguration({ virtualHosts: [hosts[0]!, changed, hosts[2]!] });
  t.same(take({ set: [['table', second]], removed: [] }), {
    set: [['table', { kind: 'virtual-hosts', set: [changed], removed: [] }]],
    removed: [],
  });
  t.same(take({ set: [], removed: ['table'] }), { set: [], removed: ['table'] });
  t.same(take({ set: [['table', first]], removed: [] }), whole);
  t.end();
});

t.test('a large table is compared in steps', (t) => {
  const sent = new SentRoutes();
  const hosts = Array.from({ length: 1000 }, (_, at) => virtualHost({ name: `h${at}`, domains: [`h${at}`] }));
  const table = routeConfiguration({ virtualHosts: hosts });
  takeAllSteps(sent.take({ set: [['table', table]], removed: [] }));
  t.equal([...sent.take({ set: [['table', structuredClone(table)]], removed: [] })].length, 10);
  t.end();
});
