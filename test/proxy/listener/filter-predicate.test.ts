import t from 'tap';
import type { ListenerFilterPredicate } from '../../../config/listener.ts';
import { compileFilterPredicate } from '../../../proxy/listener/filter-predicate.ts';

const port = (firstPort: number, endPort = firstPort + 1): ListenerFilterPredicate => ({
  kind: 'destination-port',
  firstPort,
  endPort,
});
const metBy = (predicate: ListenerFilterPredicate) => [79, 80, 81, 82].filter(compileFilterPredicate(predicate));

t.test('predicates of ports, alone and together', (t) => {
  t.same(metBy({ kind: 'any' }), [79, 80, 81, 82]);
  t.same(metBy(port(80, 82)), [80, 81]);
  t.same(metBy(port(80, 80)), []);
  t.same(metBy({ kind: 'not', rule: port(80) }), [79, 81, 82]);
  t.same(metBy({ kind: 'or', rules: [port(79), port(82)] }), [79, 82]);
  t.same(metBy({ kind: 'and', rules: [port(79, 82), { kind: 'not', rule: port(80) }] }), [79, 81]);
  t.end();
});
