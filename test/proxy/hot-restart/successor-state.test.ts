import t from 'tap';
import {
  type SuccessorEvent,
  type SuccessorState,
  successorTransition,
} from '../../../proxy/hot-restart/successor-state.ts';

function actions(...kinds: readonly SuccessorEvent['kind'][]): { kinds: string[]; state: string } {
  let state: SuccessorState = { kind: 'loading' };
  const taken = kinds.map((kind) => {
    const [next, action] = successorTransition(state, { kind });
    state = next;
    return action.kind;
  });
  return { kinds: taken, state: state.kind };
}

t.test('it takes over when it serves, and the admin address is its own when the parent has retired', (t) => {
  t.same(actions('serves', 'retired'), { kinds: ['take-over', 'open-admin'], state: 'succeeded' });
  t.same(
    actions('serves', 'retired', 'gone', 'gone').kinds.slice(2),
    ['none', 'none'],
    'the end of a parent is no news',
  );
  t.end();
});

t.test('a parent that dies leaves it alone, before it serves and after', (t) => {
  t.same(actions('gone', 'serves'), { kinds: ['go-on-alone', 'none'], state: 'alone' });
  t.same(actions('serves', 'gone'), { kinds: ['take-over', 'go-on-alone'], state: 'alone' });
  t.end();
});

t.test('a parent that retires unasked is not trusted; one that says so twice is', (t) => {
  t.same(actions('retired').kinds, ['distrust']);
  t.same(actions('serves', 'retired', 'retired', 'serves').kinds.slice(2), ['none', 'none']);
  t.end();
});
