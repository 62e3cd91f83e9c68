import t from 'tap';
import { TicketKeys } from '../../../proxy/tls/ticket-keys.ts';

const DAY_MS = 86_400_000;

t.test('keys change each day, yesterday still opens, and all who have the seed have the same', (t) => {
  let nowMs = 100 * DAY_MS;
  const clock = () => nowMs;
  const seed = Buffer.alloc(32, 7);
  const [one, two] = [new TicketKeys(seed, clock), new TicketKeys(seed, clock)];
  const [today] = one.current();
  t.equal(today!.length, 80);
  t.same(one.current(), two.current());
  nowMs += DAY_MS;
  t.same(two.current()[1], today);
  t.notSame(two.current()[0], today);
  nowMs += DAY_MS;
  t.notOk(two.current().some((key) => Buffer.from(key).equals(today!)));
  t.notSame(new TicketKeys(Buffer.alloc(32, 8), clock).current(), one.current());
  t.end();
});
