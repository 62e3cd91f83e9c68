import t from 'tap';
import { type RequestTimeouts, renewExpectedTimeout } from '../../../proxy/route/timeouts.ts';
import { forward, lines, request, retryPolicy } from '../../support/route-fixtures.ts';

const none = { timeoutMs: 0, perTryMs: 0, perTryIdleMs: 0, idleMs: undefined, maxStreamDurationMs: undefined };
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
  const timeouts = configured.takeTimeouts(request());
  t.same(timeouts, { timeoutMs: 10_000, perTryMs: 2000, perTryIdleMs: 500, idleMs: 3000, maxStreamDurationMs: 60_000 });
  t.equal(configured.takeTimeouts(request()), timeouts);
});

t.test('a request sets its limits by headers, which are for us only', async (t) => {
  t.match(configured.takeTimeouts(asking('700', '200')), { timeoutMs: 700, perTryMs: 200, idleMs: 3000 });
  const head = request({
    headers: [
      ['X-Envoy-Upstream-Rq-Timeout-Ms', '2'],
      ['X-Custom', '1'],
      ['X-Envoy-Max-Retries', '2'],
    ],
  });
  configured.takeTimeouts(head);
  t.same(
    lines(head),
    ['Host: shop.example', 'X-Custom: 1', 'X-Envoy-Max-Retries: 2'],
    'retries are asked for elsewhere',
  );
});

t.test('a limit that is no whole number counts as absent, a huge one as the longest', async (t) => {
  for (const value of ['', 'x', '-1', '1.5', '1 2', '99999999999999999999']) {
    t.match(configured.takeTimeouts(asking(value, value)), { timeoutMs: 10_000, perTryMs: 2000 }, value);
  }
  t.match(configured.takeTimeouts(asking('99999999999', '1')), { timeoutMs: 0x7fff_ffff, perTryMs: 1 });
  t.match(configured.takeTimeouts(asking('0', '5')), { timeoutMs: 0, perTryMs: 5 }, '0 is no limit');
});

t.test('a limit for one attempt that is not below the whole is none', async (t) => {
  t.match(configured.takeTimeouts(asking('700', '700')), { timeoutMs: 700, perTryMs: 0 });
  const slow = forward({ timeoutMs: 1000, retryPolicy: retryPolicy({ perTryTimeoutMs: 5000 }) });
  t.match(slow.takeTimeouts(request()), { timeoutMs: 1000, perTryMs: 0 });
});

t.test('the endpoint is told the shorter of the limits', async (t) => {
  const told = (head = request()) => {
    configured.addExpectedTimeout(head, configured.takeTimeouts(head));
    return lines(head).at(-1);
  };
  t.equal(told(), 'x-envoy-expected-rq-timeout-ms: 2000');
  t.equal(told(asking('700', '800')), 'x-envoy-expected-rq-timeout-ms: 700');
});

t.test('no limit is told where there is none, and what a client said of it does not count', async (t) => {
  const endless = forward({ timeoutMs: 0 });
  const head = request({ headers: [['X-Envoy-Expected-Rq-Timeout-Ms', '5']] });
  endless.addExpectedTimeout(head, endless.takeTimeouts(head));
  t.same(lines(head), ['Host: shop.example']);
});

t.test('an endpoint of a further attempt is told what is left', async (t) => {
  const told = (timeouts: Partial<RequestTimeouts>, elapsedMs: number) => {
    const head = request({ headers: [['x-envoy-expected-rq-timeout-ms', '1000']] });
    renewExpectedTimeout(head, { ...none, ...timeouts }, elapsedMs);
    return head.headers.value(1);
  };
  t.equal(told({ timeoutMs: 1000 }, 300.4), '700');
  t.equal(told({ timeoutMs: 1000, perTryMs: 250 }, 300), '250');
  t.equal(told({ timeoutMs: 1000, perTryMs: 250 }, 900), '100');
  t.equal(told({ timeoutMs: 1000 }, 2000), '1', '0 would be no end');
  t.equal(told({}, 2000), '1000', 'without end there is nothing to count down');
  const untold = request();
  renewExpectedTimeout(untold, { ...none, timeoutMs: 1000 }, 1);
  t.same(lines(untold), ['Host: shop.example']);
});
