import fc from 'fast-check';
import t from 'tap';
import {
  compileIsoTime,
  compileLocalTimePattern,
  compileTimePattern,
  localIsoTime,
} from '../../../proxy/format/time-format.ts';

const moment = Date.UTC(2026, 0, 2, 3, 4, 5) + 6.789;

t.test('every specifier', async (t) => {
  for (const [pattern, expected] of [
    ['%Y-%m-%dT%H:%M:%S.%3fZ', '2026-01-02T03:04:05.006Z'],
    ['%s.%3f', '1767323045.006'],
    ['%1f %2f %3f %4f %5f %6f', '0 00 006 0067 00678 006789'],
    ['%f %9f', '006789000 006789000'],
    ['%a %A %b %B %h', 'Fri Friday Jan January Jan'],
    ['%d %e %j %u %w', '02  2 002 5 5'],
    ['%y %C %I %p', '26 20 03 AM'],
    ['%D %F %T %R', '01/02/26 2026-01-02 03:04:05 03:04'],
    ['%z %Z %%', '+0000 UTC %'],
    ['%Q %', '%Q %'],
    ['plain', 'plain'],
    ['', ''],
  ] as const) {
    t.equal(compileTimePattern(pattern)(moment), expected, pattern);
  }
});

t.test('midnight, noon and Sunday', async (t) => {
  const format = compileTimePattern('%I %p %u %w');
  t.equal(format(Date.UTC(2026, 0, 4, 0)), '12 AM 7 0');
  t.equal(format(Date.UTC(2026, 0, 4, 12)), '12 PM 7 0');
});

t.test('the default is ISO 8601 with milliseconds, whatever was written before', async () => {
  const format = compileIsoTime();
  fc.assert(
    fc.property(fc.nat({ max: 4_000_000_000_000 }), fc.nat(999), (wallMs, fraction) => {
      return format(wallMs + fraction / 1000) === new Date(wallMs).toISOString();
    }),
  );
});

t.test('a pattern does not remember the second before', async (t) => {
  const format = compileTimePattern('%S.%3f');
  t.same([5000, 5999, 6000, 5001].map(format), ['05.000', '05.999', '06.000', '05.001']);
});

t.test('local times are in the zone of the process', async (t) => {
  const zone = process.env['TZ'];
  t.teardown(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });
  process.env['TZ'] = 'Asia/Kolkata';
  t.equal(compileLocalTimePattern(localIsoTime)(Date.UTC(2026, 10, 21, 20, 0, 1, 7)), '2026-11-22T01:30:01.007+0530');
  process.env['TZ'] = 'America/New_York';
  // The hour that this zone has twice.
  const write = compileLocalTimePattern('%H:%M %z %Z %s');
  t.equal(write(Date.UTC(2026, 10, 1, 5, 30)), '01:30 -0400 EDT 1793511000');
  t.equal(write(Date.UTC(2026, 10, 1, 6, 30)), '01:30 -0500 EST 1793514600');
});
