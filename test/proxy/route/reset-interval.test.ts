import t from 'tap';
import { ResetInterval } from '../../../proxy/route/reset-interval.ts';
import { response } from '../../support/route-fixtures.ts';

const interval = new ResetInterval({
  resetHeaders: [
    { name: 'retry-after', format: 'seconds' },
    { name: 'x-ratelimit-reset', format: 'unix-timestamp' },
  ],
  maxMs: 60_000,
});
const now = 1_700_000_000_900;
const read = (...headers: (readonly [string, string])[]) => interval.read(response(429, headers), now);

t.test('seconds are waited, a second of the epoch is waited for', async (t) => {
  t.equal(read(['Retry-After', '3']), 3000);
  t.equal(read(['X-RateLimit-Reset', '1700000005']), 5000);
  t.equal(read(['Retry-After', '60']), 60_000, 'the longest wait is one');
});

t.test('the first header counts that says something that can be waited for', async (t) => {
  const reset = ['x-ratelimit-reset', '1700000007'] as const;
  t.equal(read(['retry-after', '2'], reset), 2000);
  t.equal(read(['retry-after', '61'], reset), 7000, 'too long');
  t.equal(read(['retry-after', 'Wed, 21 Oct 2026 07:28:00 GMT'], reset), 7000, 'no number');
  t.equal(read(['retry-after', 'soon'], ['retry-after', '2'], reset), 7000, 'of several lines the first');
  t.equal(read(['retry-after', '0'], reset), 0, 'no wait is what was asked for');
});

t.test('without any, nothing is asked for', async (t) => {
  t.equal(read(), 0);
  t.equal(read(['x-ratelimit-reset', '1699999999']), 0, 'over already');
  t.equal(read(['x-ratelimit-reset', '1700000061']), 0, 'too far away');
  t.equal(read(['retry-after', '18446744073709551615']), 0);
});
