import t from 'tap';
import { LimitedConnections, makeSharedLimit } from '../../../proxy/listener/shared-limit.ts';

t.test('a limit holds over all who share it', (t) => {
  const limit = makeSharedLimit(2);
  const one = new LimitedConnections(limit);
  const other = new LimitedConnections(structuredClone(limit));
  t.ok(one.tryAdd());
  t.ok(other.tryAdd());
  t.notOk(one.tryAdd());
  t.notOk(other.tryAdd(), 'a refused one is not counted');
  other.remove();
  t.ok(one.tryAdd());
  t.end();
});

t.test('a limit of 0 lets nobody in', (t) => {
  t.notOk(new LimitedConnections(makeSharedLimit(0)).tryAdd());
  t.end();
});
