import t from 'tap';
import type { TlsResumption } from '../../../native/tls-resumption.ts';
import type { TlsSession } from '../../../native/tls-session.ts';
import { KeptSessions } from '../../../proxy/tls/kept-sessions.ts';

class Resumption {
  readonly name: string;
  readonly isForOneUse: boolean;
  isFreed = false;

  constructor(name: string, isForOneUse = true) {
    this.name = name;
    this.isForOneUse = isForOneUse;
  }

  free(): void {
    this.isFreed = true;
  }
}

/** Gives `tickets` one by one; knows what it was resumed by. */
function sessionOf(...tickets: readonly Resumption[]) {
  const left = [...tickets];
  const session = {
    resumedBy: '',
    takeResumption: () => left.shift() as Partial<TlsResumption> as TlsResumption | undefined,
    resume: (resumption: Resumption) => {
      session.resumedBy = resumption.name;
      return true;
    },
  };
  return session as typeof session & TlsSession;
}

function resumedBy(kept: KeptSessions, key: string): string {
  const session = sessionOf();
  kept.resume(key, session);
  return session.resumedBy;
}

function close(kept: KeptSessions, key: string, ...tickets: readonly Resumption[]): void {
  const session = sessionOf(...tickets);
  kept.onLetIn(key, session);
  kept.onClosing(key, session);
}

t.test('what is for one use is used once, the newest first, and by its own key alone', (t) => {
  const kept = new KeptSessions(2);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Resumption(name)) as [Resumption, Resumption, Resumption];
  for (const one of [a, b, c]) close(kept, 'k', one);
  t.equal(kept.size, 2);
  t.equal(a.isFreed, true, 'the oldest made room');
  t.equal(resumedBy(kept, 'other'), '');
  t.same([resumedBy(kept, 'k'), resumedBy(kept, 'k'), resumedBy(kept, 'k')], ['c', 'b', '']);
  t.same([b.isFreed, c.isFreed], [true, true]);
  t.end();
});

t.test('what may be used again stays', (t) => {
  const kept = new KeptSessions(1);
  const old = new Resumption('old', false);
  close(kept, 'k', old);
  t.same([resumedBy(kept, 'k'), resumedBy(kept, 'k'), old.isFreed], ['old', 'old', false]);
  kept.close();
  t.equal(old.isFreed, true);
  t.end();
});

t.test('an open connection is asked when nothing is kept', (t) => {
  const kept = new KeptSessions(1);
  const open = sessionOf(new Resumption('one'), new Resumption('two', false));
  kept.onLetIn('k', open);
  t.same([resumedBy(kept, 'k'), resumedBy(kept, 'k'), resumedBy(kept, 'k')], ['one', 'two', 'two']);
  t.equal(kept.size, 1, 'what may be used again is kept');
  t.end();
});

t.test('after it was closed nothing is kept, also of connections that close later', (t) => {
  const kept = new KeptSessions(1);
  const open = sessionOf(new Resumption('late'));
  kept.onLetIn('k', open);
  kept.close();
  kept.onClosing('k', open);
  close(kept, 'k', new Resumption('later'));
  t.same([kept.size, resumedBy(kept, 'k')], [0, '']);
  t.end();
});

t.test('endpoints are bounded: the one that was met longest ago is forgotten', (t) => {
  const kept = new KeptSessions(1);
  const first = new Resumption('first');
  close(kept, 'first', first);
  for (let index = 0; index < 255; index++) close(kept, `k${index}`, new Resumption('x'));
  t.equal(first.isFreed, false);
  close(kept, 'one more', new Resumption('x'));
  t.equal(first.isFreed, true);
  t.equal(kept.size, 256);
  t.end();
});
