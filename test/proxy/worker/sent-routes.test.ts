import t from 'tap';
import { SentRoutes } from '../../../proxy/worker/sent-routes.ts';
import { routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

t.test('a table is told whole once, then by what changes, and whole again after its removal', (t) => {
  const sent = new SentRoutes();
  const hosts = ['a', 'b', 'c'].map((name) => virtualHost({ name, domains: [name] }));
  const first = routeConfiguration({ virtualHosts: hosts });
  const whole = { set: [['table', { kind: 'whole', config: first }]], removed: [] };
  t.same(sent.take({ set: [['table', first]], removed: [] }), whole);
  const changed = virtualHost({ name: 'b', domains: ['other'] });
  const second = routeConfiguration({ virtualHosts: [hosts[0]!, changed, hosts[2]!] });
  t.same(sent.take({ set: [['table', second]], removed: [] }), {
    set: [['table', { kind: 'virtual-hosts', set: [changed], removed: [] }]],
    removed: [],
  });
  t.same(sent.take({ set: [], removed: ['table'] }), { set: [], removed: ['table'] });
  t.same(sent.take({ set: [['table', first]], removed: [] }), whole);
  t.end();
});
