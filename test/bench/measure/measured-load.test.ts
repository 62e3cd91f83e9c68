// Joining the two slots of a round.
import t from 'tap';
import { joinSlots, type Slot } from '../../../bench/measure/measured-load.ts';

const slot = (own: Partial<Slot>): Slot => ({
  requests: 100,
  bytes: 1000,
  seconds: 1,
  userMs: 10,
  systemMs: 20,
  stealShare: 0,
  strangerShare: 0.1,
  proxyCoreBusy: 1,
  loadCoreBusy: 0.5,
  ...own,
});

t.test('work is added up, shares are averaged, and the worst steal counts', async (t) => {
  const joined = joinSlots([slot({ stealShare: 0.02 }), slot({ requests: 300, userMs: 30, strangerShare: 0.3 })]);
  t.equal(joined.requests, 400);
  t.equal(joined.seconds, 2);
  t.equal(joined.userMs, 40);
  t.equal(joined.systemMs, 40);
  t.equal(joined.stealShare, 0.02);
  t.equal(joined.strangerShare, 0.2);
});
