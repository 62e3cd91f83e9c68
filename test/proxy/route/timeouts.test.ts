import t from 'tap';
import { forward, lines, request, retryPolicy } from '../../support/route-fixtures.ts';

const configured = forward({
  timeoutMs: 10_000,
  idleTimeoutMs: 3000,
  maxStreamDurationMs: 60_000,
  retryPolicy: retryPolicy({ perTryTimeoutMs: 2000, perTryIdleTimeoutMs: 500 }),
});
const asking = (total: string, perTry: string) =>
  request({
    headers: [
      ['X-Envoy-Upstream-Rq-Timeout-Ms', total],
      ['X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms', perTry],
    ],
  });

t.test('without headers the configured limits are one object for every request', async (t) => {
  const timeouts = configured.timeouts(request(), true);
  t.same(timeouts, { timeoutMs: 10_000, perTryMs: 2000, perTryIdleMs: 500, idleMs: 3000, maxStreamDurationMs: 60_000 });
  t.equal(configured.timeouts(request(), true), timeouts);
});

t.test('only a trusted request sets its limits', async (t) => {
  t.match(configured.timeouts(asking('700', '200'), true), { timeoutMs: 700, perTryMs: 200, idleMs: 3000 });
  t.match(configured.timeouts(asking('700', '200'), false), { timeoutMs: 10_000, perTryMs: 2000 });
});

t.test('a limit that is no whole number counts as absent, a huge one as the longest', async (t) => {
  for (const value of ['', 'x', '-1', '1.5', '1 2', '99999999999999999999']) {
    t.match(configured.timeouts(asking(value, value), true), { timeoutMs: 10_000, perTryMs: 2000 }, value);
  }
  t.match(configured.timeouts(asking('99999999999', '1'), true), { timeoutMs: 0x7fff_ffff, perTryMs: 1 });
  t.match(configured.timeouts(asking('0', '5'), true), { timeoutMs: 0, perTryMs: 5 }, '0 is no limit');
});

t.test('a limit for one attempt that is not below the whole is none', async (t) => {
  t.match(configured.timeouts(asking('700', '700'), true), { timeoutMs: 700, perTryMs: 0 });
  const slow = forward({ timeoutMs: 1000, retryPolicy: retryPolicy({ perTryTimeoutMs: 5000 }) });
  t.match(slow.timeouts(request(), false), { timeoutMs: 1000, perTryMs: 0 });
});

t.test('the endpoint is told the shorter of the limits', async (t) => {
  const told = (head = request()) => {
    head.headers.appendLine(configured.expectedTimeoutLine(configured.timeouts(head, true)));
    return lines(head).at(-1);
  };
  t.equal(told(), 'x-envoy-expected-rq-timeout-ms: 2000');
  t.equal(told(asking('700', '800')), 'x-envoy-expected-rq-timeout-ms: 700');
});

t.test('headers for us are removed, others stay', async (t) => {
  const head = request({
    headers: [
      ['X-Envoy-Retry-On', '5xx'],
      ['X-Custom', '1'],
      ['X-Envoy-Max-Retries', '2'],
      ['X-Envoy-Upstream-Rq-Timeout-Ms', '2'],
      ['X-Envoy-Attempt-Count', '1'],
    ],
  });
  configured.removeControlHeaders(head);
  t.same(lines(head), ['Host: shop.example', 'X-Custom: 1', 'X-Envoy-Attempt-Count: 1']);
});
