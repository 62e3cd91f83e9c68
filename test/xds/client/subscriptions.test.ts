import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Subscriptions } from '../../../xds/client/subscriptions.ts';

t.test('changes are what the control plane was not told, once', async (t) => {
  const subscriptions = new Subscriptions();
  t.equal(subscriptions.add('a'), true);
  t.equal(subscriptions.add('a'), false);
  subscriptions.add('b');
  t.equal(subscriptions.delete('b'), true);
  t.equal(subscriptions.delete('b'), false);
  t.same(subscriptions.takeChanges(), { subscribe: ['a'], unsubscribe: [], again: [] });
  t.same(subscriptions.takeChanges(), { subscribe: [], unsubscribe: [], again: [] });
});

t.test('covers names, aliases and, with the wildcard, everything', async (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.add('a');
  t.same([subscriptions.covers('a'), subscriptions.covers('b'), subscriptions.covers('b', ['a'])], [true, false, true]);
  subscriptions.add('*');
  t.equal(subscriptions.covers('b'), true);
});

t.test('a control plane that follows the changes knows the names, and which are to be sent again', async () => {
  const step = fc.record({
    kind: fc.constantFrom('add', 'delete', 'take'),
    name: fc.constantFrom('a', 'b', 'c'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const subscriptions = new Subscriptions();
      const known = new Set<string>();
      const wasLetGo = new Set<string>();
      for (const { kind, name } of [...steps, { kind: 'take', name: '' }]) {
        if (kind === 'add') subscriptions.add(name);
        else if (kind === 'delete' && subscriptions.delete(name)) wasLetGo.add(name);
        else if (kind === 'take') {
          const { subscribe, unsubscribe, again } = subscriptions.takeChanges();
          const stays = [...known].filter((name) => subscriptions.names.has(name) && wasLetGo.has(name));
          deepStrictEqual([...again].sort(), stays.sort(), 'let go and wanted again');
          for (const name of [...unsubscribe, ...again]) deepStrictEqual(known.delete(name), true, 'was known');
          for (const name of [...subscribe, ...again]) known.add(name);
          deepStrictEqual([...known].sort(), [...subscriptions.names].sort());
          wasLetGo.clear();
        }
      }
    }),
  );
});
