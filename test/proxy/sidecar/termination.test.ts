import t from 'tap';
import {
  nextTermination,
  serving,
  Termination,
  type TerminationSettings,
  type TerminationState,
} from '../../../proxy/sidecar/termination.ts';

const settings: TerminationSettings = {
  drainMs: 5000,
  waitsForConnections: false,
  minimumDrainMs: 5000,
  acceptsForMs: 45_000,
};

/** A sidecar that is told to end at once; `pass` lets time go by, `events` is what it did and when, in seconds. */
function terminate(given: Partial<TerminationSettings>, asked = false) {
  let [nowMs, openConnections] = [100_000, 0];
  const events: string[] = [];
  let timers: { atMs: number; callback: () => void }[] = [];
  const termination = new Termination({
    settings: { ...settings, ...given },
    clock: () => nowMs,
    schedule: (delayMs, callback) => timers.push({ atMs: nowMs + delayMs, callback }),
  });
  const note = (what: string) => events.push(`${(nowMs - 100_000) / 1000} ${what}`);
  const actions = {
    drainInbound: () => note('drain inbound'),
    stopInbound: () => note('stop inbound'),
    end: note,
    openConnections: () => openConnections,
  };
  if (asked) termination.onClientsAsked();
  termination.begin(actions);
  const pass = (seconds: number): void => {
    const untilMs = nowMs + seconds * 1000;
    for (;;) {
      const due = timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      timers = timers.filter((each) => each !== due);
      nowMs = due.atMs;
      due.callback();
    }
    nowMs = untilMs;
  };
  const connect = (count: number): void => {
    openConnections = count;
  };
  return { termination, actions, events, pass, connect, timers: () => timers.length };
}

t.test('inbound clients are asked to leave, and it ends when the time is over, whoever is connected', (t) => {
  for (const count of [0, 7]) {
    const { events, pass, connect, timers } = terminate({});
    connect(count);
    pass(4.9);
    t.same(events, ['0 drain inbound']);
    pass(0.2);
    t.same(events.slice(1), ['5 the drain time is over; what is still open is closed']);
    t.equal(timers(), 0);
  }
  t.end();
});

t.test('without a time it ends at once, behind the drain', (t) => {
  const { events, pass } = terminate({ drainMs: 0 });
  pass(0);
  t.same(events, ['0 drain inbound', '0 the drain time is over; what is still open is closed']);
  t.end();
});

t.test('when the time that clients have to leave is over, inbound listeners accept no more', (t) => {
  const { events, pass } = terminate({ drainMs: 60_000 });
  pass(100);
  t.same(events, ['0 drain inbound', '45 stop inbound', '60 the drain time is over; what is still open is closed']);
  t.end();
});

t.test('it waits until nobody is connected, and as long as the least time in any case', (t) => {
  const idle = terminate({ waitsForConnections: true });
  idle.pass(4.9);
  t.same(idle.events, ['0 drain inbound']);
  idle.pass(0.2);
  t.same(idle.events.slice(1), ['5 nobody is connected any more']);

  const busy = terminate({ waitsForConnections: true });
  busy.connect(2);
  busy.pass(600);
  t.same(busy.events, ['0 drain inbound', '45 stop inbound'], 'no time is too long');
  busy.connect(0);
  busy.pass(1);
  t.same(busy.events.slice(2), ['601 nobody is connected any more']);
  t.equal(busy.timers(), 0);
  t.end();
});

t.test('a sidecar whose clients were asked to leave by a hook ends at once', (t) => {
  const { events, timers } = terminate({}, true);
  t.same(events, ['0 clients were asked to leave before, and the application has ended']);
  t.equal(timers(), 0);
  t.end();
});

t.test('told to end again, it ends; a hook that comes late changes nothing', (t) => {
  const { termination, actions, events } = terminate({});
  termination.onClientsAsked();
  termination.begin(actions);
  t.same(events, ['0 drain inbound', '0 it was told so again']);
  t.end();
});

t.test('who asks whether it is ready is told until when it goes on', (t) => {
  t.match(terminate({}).termination.words, /^SIGTERM has come.* ends in 5 s$/);
  t.match(terminate({ waitsForConnections: true }).termination.words, /ends when nobody is connected$/);
  t.end();
});

t.test('a look that comes late finds nothing to do', (t) => {
  const look = { kind: 'look', openConnections: 0 } as const;
  const states: readonly TerminationState[] = [serving, { kind: 'asked-before' }, { kind: 'over' }];
  for (const state of states) t.same(nextTermination(state, look, { nowMs: 1, settings }), { state, orders: [] });
  t.end();
});
