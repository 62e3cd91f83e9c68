import t from 'tap';
import { type ParentEvent, type ParentState, parentTransition } from '../../../proxy/hot-restart/parent-state.ts';

/** What is done about each event, one after the other. */
function actions(...events: readonly ParentEvent[]): { kinds: string[]; state: ParentState } {
  let state: ParentState = { kind: 'starting' };
  const kinds = events.map((event) => {
    const [next, action] = parentTransition(state, event);
    state = next;
    return action.kind;
  });
  return { kinds, state };
}

const serves: ParentEvent = { kind: 'serves' };
const from = (kind: 'hello' | 'sockets' | 'take-over' | 'gone', peer: number): ParentEvent => ({ kind, peer });

t.test('a successor gets sockets as often as it asks, and takes over', (t) => {
  const { kinds, state } = actions(
    serves,
    from('hello', 1),
    from('sockets', 1),
    from('sockets', 1),
    from('take-over', 1),
  );
  t.same(kinds, ['none', 'welcome', 'pass-sockets', 'pass-sockets', 'retire']);
  t.same(state, { kind: 'retiring', successor: 1 });
  t.end();
});

t.test('while nothing is served there is nothing to take over', (t) => {
  t.same(actions(from('hello', 1)).kinds, ['refuse']);
  t.end();
});

t.test('a successor that leaves before it serves is forgotten, and the next one is welcome', (t) => {
  const { kinds } = actions(serves, from('hello', 1), from('gone', 1), from('hello', 2), from('take-over', 2));
  t.same(kinds, ['none', 'welcome', 'go-on', 'welcome', 'retire']);
  t.end();
});

t.test('there is one successor at a time, and nobody else gets anything', (t) => {
  const { kinds } = actions(
    serves,
    from('sockets', 1),
    from('take-over', 1),
    from('hello', 1),
    from('hello', 2),
    from('sockets', 2),
    from('take-over', 2),
    from('gone', 2),
    from('sockets', 1),
  );
  t.same(kinds, ['none', 'close', 'close', 'welcome', 'refuse', 'close', 'close', 'none', 'pass-sockets']);
  t.end();
});

t.test('there is no way back once a successor serves', (t) => {
  const before = [serves, from('hello', 1), from('take-over', 1)];
  for (const event of [from('take-over', 1), from('hello', 1), from('sockets', 1)]) {
    t.equal(actions(...before, event).kinds.at(-1), 'close', event.kind);
  }
  t.equal(actions(...before, from('hello', 2)).kinds.at(-1), 'refuse');
  const { kinds, state } = actions(...before, from('gone', 1), serves);
  t.same(kinds.slice(-2), ['none', 'none']);
  t.equal(state.kind, 'retiring');
  t.end();
});
