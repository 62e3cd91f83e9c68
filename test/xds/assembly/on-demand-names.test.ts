import t from 'tap';
import { OnDemandNames } from '../../../xds/assembly/on-demand-names.ts';

function bench(limits = { names: 4, waiting: 2 }) {
  const calls: string[] = [];
  const clock = { nowMs: 0 };
  const names = new OnDemandNames({
    subscribe: (name) => calls.push(`+${name}`),
    unsubscribe: (name) => calls.push(`-${name}`),
    forget: (name) => calls.push(`forget ${name}`),
    refuse: (name, workers, why) => calls.push(`${name} ${why} for ${[...workers].join(' ')}`),
    clock: () => clock.nowMs,
    limits,
  });
  const states = () => names.statuses('cluster').map(({ name, state }) => `${name} ${state}`);
  return { names, calls, clock, states, take: () => calls.splice(0) };
}

t.test('a name is subscribed to once, whichever workers wait for it', async (t) => {
  const { names, take, states } = bench();
  names.ask('a', 0);
  names.ask('a', 1);
  t.same(take(), ['+a']);
  t.same(states(), ['a waiting']);
  names.onCame('a');
  names.leave('a', 0);
  names.leave('a', 1);
  t.same(take(), [], 'what is there stays subscribed to');
  t.same(states(), ['a present']);
});

t.test(
  'who gives up waiting leaves the subscription behind, and what comes late serves the next request',
  async (t) => {
    const { names, take, states } = bench();
    names.ask('a', 0);
    names.ask('a', 1);
    for (const worker of [0, 0, 1, 1]) names.leave('a', worker);
    t.same(take(), ['+a']);
    t.same(states(), ['a unanswered']);
    names.onCame('a');
    t.same(states(), ['a present']);
    names.ask('a', 0);
    t.same(take(), [], 'it is subscribed to all the time, so that its changes come');
  },
);

t.test('a name is asked for since it was last subscribed to, however often somebody waits for it', async (t) => {
  const { names } = bench({ names: 2, waiting: 2 });
  names.ask('a', 0);
  const before = names.subscriptions;
  const since = () => ['a', 'b', 'c'].filter((name) => names.isAskedSince(name, before));
  names.leave('a', 0);
  names.ask('a', 0);
  t.same(since(), [], 'it was subscribed to all the time');
  names.ask('b', 0);
  names.leave('b', 0);
  t.same(since(), ['b'], 'though nobody waits for it now');
  names.ask('b', 0);
  t.same(since(), ['b']);
  names.onCame('a');
  names.leave('a', 0);
  names.ask('c', 0);
  names.leave('b', 0);
  names.ask('a', 0);
  t.same(since(), ['a', 'c'], 'a had to make room');
});

t.test('a name that somebody waits for again is not subscribed to again, nor refused for want of room', async (t) => {
  const { names, take, states } = bench();
  for (const name of ['a', 'b', 'c', 'd']) {
    names.ask(name, 0);
    names.leave(name, 0);
  }
  take();
  names.ask('b', 1);
  t.same(take(), []);
  t.same(states(), ['b waiting', 'a unanswered', 'c unanswered', 'd unanswered']);
  names.onGone('b');
  names.onGone('a');
  t.same(take(), ['b absent for 1'], 'nobody waits for the other');
  t.same(states(), ['b absent', 'a absent', 'c unanswered', 'd unanswered']);
});

t.test('one that is waited for in vain counts among those that are waited for', async (t) => {
  const { names, take } = bench({ names: 9, waiting: 1 });
  names.ask('a', 0);
  names.leave('a', 0);
  names.ask('b', 0);
  names.ask('a', 0);
  t.same(take(), ['+a', '+b', 'a overflow for 0']);
  names.leave('b', 0);
  names.ask('a', 0);
  t.same(take(), []);
});

t.test('what was waited for in vain makes room before what is there, the oldest first', async (t) => {
  const { names, take, states } = bench();
  for (const name of ['present', 'a', 'b', 'absent']) {
    names.ask(name, 0);
    if (name === 'present') names.onCame(name);
    if (name === 'absent') names.onGone(name);
    names.leave(name, 0);
  }
  take();
  for (const name of ['c', 'd', 'e']) {
    names.ask(name, 0);
    names.onCame(name);
  }
  t.same(take(), ['-absent', 'forget absent', '+c', '-a', 'forget a', '+d', '-b', 'forget b', '+e']);
  t.same(states(), ['present present', 'c present', 'd present', 'e present']);
});

t.test('what is not there is told to all who wait, and not asked for again for a second', async (t) => {
  const { names, take, clock, states } = bench();
  names.ask('a', 0);
  names.ask('a', 1);
  names.onGone('a');
  t.same(take(), ['+a', 'a absent for 0 1']);
  clock.nowMs = 999;
  names.ask('a', 0);
  t.same(take(), ['a absent for 0']);
  clock.nowMs = 1000;
  names.ask('a', 1);
  t.same(take(), ['-a', '+a'], 'only a new subscription is answered again');
  t.same(states(), ['a waiting']);
  names.onGone('a');
  t.same(take(), ['a absent for 1']);
  names.onCame('a');
  t.same(states(), ['a present'], 'it is still subscribed to, and may come');
});

t.test('what is there and goes is not there for those who wait for its snapshot', async (t) => {
  const { names, take } = bench();
  names.ask('a', 0);
  names.onCame('a');
  names.onGone('a');
  t.same(take(), ['+a', 'a absent for 0']);
});

t.test('no more names than the limit are waited for', async (t) => {
  const { names, take } = bench();
  for (const name of ['a', 'b', 'c']) names.ask(name, 0);
  t.same(take(), ['+a', '+b', 'c overflow for 0']);
  names.onCame('a');
  names.ask('c', 0);
  t.same(take(), ['+c']);
});

t.test('the oldest name that is not there makes room, then the one that was asked for longest ago', async (t) => {
  const { names, take, states } = bench({ names: 3, waiting: 3 });
  for (const name of ['a', 'b', 'c']) {
    names.ask(name, 0);
    if (name === 'c') names.onGone(name);
    else names.onCame(name);
    names.leave(name, 0);
  }
  take();
  names.ask('d', 0);
  t.same(take(), ['-c', 'forget c', '+d']);
  names.ask('a', 0);
  names.leave('a', 0);
  names.ask('e', 0);
  t.same(take(), ['-b', 'forget b', '+e']);
  t.same(states(), ['d waiting', 'a present', 'e waiting']);
  names.ask('f', 0);
  t.same(take(), ['-a', 'forget a', '+f']);
  names.ask('g', 0);
  t.same(take(), ['g overflow for 0'], 'what is waited for stays');
});

t.test('all names of somebody who is gone are let go', async (t) => {
  const { names, take, states } = bench({ names: 9, waiting: 9 });
  for (const name of ['r/waiting', 'r/present', 'r/absent', 'r/unanswered', 's/other']) names.ask(name, 0);
  names.leave('r/unanswered', 0);
  names.onCame('r/present');
  names.onGone('r/absent');
  take();
  names.drop((name) => name.startsWith('r/'));
  t.same(take(), [
    '-r/waiting',
    'forget r/waiting',
    'r/waiting absent for 0',
    '-r/present',
    'forget r/present',
    'r/present absent for 0',
    '-r/absent',
    'forget r/absent',
    '-r/unanswered',
    'forget r/unanswered',
  ]);
  t.same(states(), ['s/other waiting']);
});
