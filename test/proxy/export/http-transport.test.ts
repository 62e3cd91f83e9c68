import t from 'tap';
import { retryAfterMs } from '../../../proxy/export/http-transport.ts';

const now = Date.UTC(2026, 0, 2, 3, 4, 5);

t.test('Retry-After is seconds or a date, and anything else is nothing', (t) => {
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['0', 0],
    [' 12 ', 12_000],
    ['Fri, 02 Jan 2026 03:04:35 GMT', 30_000],
    ['Fri, 02 Jan 2026 03:04:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['2026-01-02', undefined],
    ['soon', undefined],
    ['Someday', undefined],
    ['99999999999', undefined],
    ['', undefined],
  ];
  for (const [value, expected] of cases) t.equal(retryAfterMs(value, now), expected, String(value));
  t.end();
});
