import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { HttpTransport, retryAfterMs } from '../../../proxy/export/http-transport.ts';
import { plainly } from '../../support/export-fixtures.ts';

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

t.test('limits of months are as none, not as a moment', async (t) => {
  // A timer takes 24.8 days at most, and what is longer as a millisecond: the answer comes after more than that.
  const server = createServer((request, response) =>
    request.resume().on('end', () => setTimeout(answer, 20, response)),
  );
  const answer = (response: { end(): unknown }): unknown => response.end();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const transport = new HttpTransport({ path: '/', headers: {}, wallClock: Date.now });
  t.teardown(() => {
    transport.close();
    server.close();
  });
  const endpoint = plainly((server.address() as AddressInfo).port);
  const limits = { connectMs: 3e9, answerMs: 3e9, signal: new AbortController().signal };
  t.match(await transport.attempt(endpoint, new Uint8Array(1), limits), { kind: 'accepted' });
});
