import t from 'tap';
import { RecentKeys } from '../../../proxy/listener/recent-keys.ts';

t.test('a key is new once, until it is taken out', (t) => {
  const keys = new RecentKeys(2);
  t.ok(keys.add('a'));
  t.notOk(keys.add('a'));
  t.equal(keys.size, 1);
  keys.delete('a');
  t.notOk(keys.has('a'));
  t.ok(keys.add('a'));
  t.end();
});

t.test('the key that was used longest ago makes room', (t) => {
  const keys = new RecentKeys(2);
  keys.add('a');
  keys.add('b');
  t.ok(keys.has('a'));
  keys.add('c');
  t.same(
    ['a', 'b', 'c'].filter((key) => keys.has(key)),
    ['a', 'c'],
  );
  t.equal(keys.size, 2);
  t.end();
});
