// The expectations are Envoy's: https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts

import fc from 'fast-check';
import t from 'tap';
import type { GrpcTimeout } from '../../../config/route.ts';
import { grpcTimeoutMs } from '../../../proxy/route/grpc-timeout.ts';
import { forward, request, retryPolicy } from '../../support/route-fixtures.ts';

const configured = { timeoutMs: 10_000, maxStreamDurationMs: 60_000 };
const grpc = ['Content-Type', 'application/grpc'] as const;
const asking = (deadline: string, ...more: readonly (readonly [string, string])[]) =>
  request({ headers: [['Grpc-Timeout', deadline], ...more] });
const limits = (grpcTimeout: GrpcTimeout, head = request()) =>
  forward({ ...configured, grpcTimeout }).takeTimeouts(head);

t.test('a route that does not look at the header has the configured limits', async (t) => {
  t.match(forward(configured).takeTimeouts(asking('1S', grpc)), configured);
});

t.test('max_grpc_timeout: the deadline of a gRPC request takes the place of the timeout', async (t) => {
  const any: GrpcTimeout = { limits: 'timeout', maxMs: 0, offsetMs: 0 };
  t.match(limits(any, asking('1S', grpc)), { timeoutMs: 1000, maxStreamDurationMs: 60_000 });
  t.match(limits(any, asking('20S', grpc)), { timeoutMs: 20_000 }, 'also when it is longer');
  t.match(limits(any, asking('0m', grpc)), { timeoutMs: 0 }, '0 is no limit');
  t.match(limits(any, request({ headers: [grpc] })), { timeoutMs: 0 }, 'no deadline is no limit');
  t.match(limits(any, asking('1S')), configured, 'of other requests it does not count');
  t.match(limits(any, asking('1S', ['Content-Type', 'application/grpc-web'])), configured);
});

t.test('max_grpc_timeout is the longest deadline, and what a request without one has', async (t) => {
  const capped: GrpcTimeout = { limits: 'timeout', maxMs: 2000, offsetMs: 0 };
  for (const deadline of ['20S', '0S', 'x']) t.match(limits(capped, asking(deadline, grpc)), { timeoutMs: 2000 });
  t.match(limits(capped, asking('1S', grpc)), { timeoutMs: 1000 });
  t.match(limits(capped, request({ headers: [grpc] })), { timeoutMs: 2000 });
});

t.test('grpc_timeout_offset is taken off a deadline that is longer', async (t) => {
  const early: GrpcTimeout = { limits: 'timeout', maxMs: 0, offsetMs: 300 };
  t.match(limits(early, asking('1S', grpc)), { timeoutMs: 700 });
  t.match(limits(early, asking('300m', grpc)), { timeoutMs: 300 });
});

t.test('grpc_timeout_header_max: the deadline of any request takes the place of the stream duration', async (t) => {
  const any: GrpcTimeout = { limits: 'stream-duration', maxMs: 0, offsetMs: 0 };
  t.match(limits(any, asking('1S')), { timeoutMs: 10_000, maxStreamDurationMs: 1000 });
  t.match(limits(any, asking('2H')), { maxStreamDurationMs: 7_200_000 });
  t.match(limits(any), configured);
  t.match(limits({ ...any, maxMs: 2000 }, asking('9S')), { maxStreamDurationMs: 2000 });
  t.match(limits({ ...any, offsetMs: 200 }, asking('1S')), { maxStreamDurationMs: 800 });
  for (const deadline of ['0S', '100m']) {
    t.match(limits({ ...any, offsetMs: 200 }, asking(deadline)), { maxStreamDurationMs: 1 }, 'it has passed');
  }
});

t.test('an attempt has no longer than the deadline, and headers that ask for less still count', async (t) => {
  const route = forward({
    ...configured,
    grpcTimeout: { limits: 'timeout', maxMs: 0, offsetMs: 0 },
    retryPolicy: retryPolicy({ perTryTimeoutMs: 2000 }),
  });
  t.match(route.takeTimeouts(asking('1S', grpc)), { timeoutMs: 1000, perTryMs: 0 });
  const both = asking('1S', grpc, ['X-Envoy-Upstream-Rq-Timeout-Ms', '500']);
  t.match(route.takeTimeouts(both), { timeoutMs: 500 });
});

t.test('a deadline is up to eight digits and a unit, rounded up to milliseconds', async (t) => {
  const rows: readonly [text: string, ms: number][] = [
    ['1H', 3_600_000],
    ['1M', 60_000],
    ['1S', 1000],
    ['1m', 1],
    ['1001u', 2],
    ['1n', 1],
    ['99999999H', 0x7fff_ffff],
    ['100000000m', -1],
    ['', -1],
    ['S', -1],
    ['1', -1],
    ['1s', -1],
    ['-1S', -1],
    ['1.5S', -1],
    ['1 S', -1],
  ];
  for (const [text, ms] of rows) t.equal(grpcTimeoutMs(asking(text).headers), ms, text);
  t.equal(grpcTimeoutMs(request().headers), -1);
});

t.test('any value of the header is a whole number of milliseconds or no deadline', async () => {
  const value = fc.oneof(fc.stringMatching(/^[0-9]{0,10}[HMSmunx]?$/), fc.stringMatching(/^[!-~]{0,12}$/));
  fc.assert(
    fc.property(value, (text) => {
      const ms = grpcTimeoutMs(asking(text).headers);
      return Number.isInteger(ms) && ms >= -1 && ms <= 0x7fff_ffff && ms >= 0 === /^\d{1,8}[HMSmun]$/.test(text);
    }),
  );
});
