// The state machine of attempts under a clock that the test moves: what is retried, when, where, and that whatever was
// taken is given back after any sequence of events.

import fc from 'fast-check';
import t from 'tap';
import type { RetryCondition, RetryPolicy } from '../../../config/route.ts';
import { BodyFraming } from '../../../proxy/http/message.ts';
import { ResponseFlag } from '../../../proxy/http/stream-info.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import type { StatSet } from '../../../proxy/telemetry/stats.ts';
import { routeOf } from '../../support/data-plane.ts';
import { bufferOf, type FakeConnection, Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';

function retrying(policy: Partial<RetryPolicy>, options: SceneOptions & { timeoutMs?: number } = {}): Scene {
  const action = forwardAction({ retryPolicy: retryPolicy(policy), timeoutMs: options.timeoutMs ?? 15_000 });
  return new Scene({ routes: [routeOf('/', action)], ...options });
}

/** Ends an attempt in its own way. */
type Failure = (scene: Scene) => void;
const failures = {
  refused: (scene) => scene.refuse('connect-failure'),
  'connect timeout': (scene) => scene.refuse('connect-timeout'),
  overflow: (scene) => scene.refuse('overflow'),
  'lost connection': (scene) => scene.lose(scene.connect()),
  'protocol error': (scene) => scene.lose(scene.connect(), 'protocol-error'),
  'per-try timeout': (scene) => {
    scene.connect();
    scene.reactor.advance(101);
  },
  'per-try idle timeout': (scene) => {
    scene.connect();
    scene.reactor.advance(61);
  },
  '500': (scene) => scene.respond(scene.connect(), 500),
  '503': (scene) => scene.respond(scene.connect(), 503),
  '409': (scene) => scene.respond(scene.connect(), 409),
  '429 by rate limit': (scene) => scene.respond(scene.connect(), 429, true, [['x-envoy-ratelimited', 'true']]),
  'grpc 14': (scene) => scene.respond(scene.connect(), 200, true, [['grpc-status', '14']]),
} as const satisfies Record<string, Failure>;
type FailureName = keyof typeof failures;

const resets: readonly FailureName[] = [
  'refused',
  'connect timeout',
  'lost connection',
  'protocol error',
  'per-try timeout',
  'per-try idle timeout',
];
/** What Envoy's documentation says of each condition. */
const retriedOn: Partial<Record<RetryCondition, readonly FailureName[]>> = {
  '5xx': [...resets, '500', '503'],
  'gateway-error': [...resets, '503'],
  reset: resets,
  'reset-before-request': ['refused', 'connect timeout'],
  'connect-failure': ['refused', 'connect timeout'],
  'retriable-4xx': ['409'],
  'refused-stream': [],
  'envoy-ratelimited': ['429 by rate limit'],
  unavailable: ['grpc 14'],
  internal: [],
};

t.test('each condition retries its failures and no others, never without the body', async (t) => {
  for (const [condition, expected] of Object.entries(retriedOn) as [RetryCondition, readonly FailureName[]][]) {
    for (const [name, fail] of Object.entries(failures) as [FailureName, Failure][]) {
      for (const body of ['none', 'kept', 'too large']) {
        const idleMs = name === 'per-try idle timeout' ? 60 : 0;
        const scene = retrying({ retryOn: [condition], perTryTimeoutMs: 100, perTryIdleTimeoutMs: idleMs });
        const { stream } = scene.request((head) => {
          if (body === 'none') return;
          head.method = 'POST';
          head.framing = BodyFraming.length;
          head.contentLength = body === 'kept' ? 10 : 100;
        });
        if (body !== 'none') {
          stream.onRequestData(bufferOf('x'.repeat(100)), 0, body === 'kept' ? 10 : 100);
          stream.onRequestEnd(null);
        }
        fail(scene);
        scene.reactor.advance(30);
        const isRetried = scene.waiting.length === 1;
        t.equal(isRetried, expected.includes(name) && body !== 'too large', `${condition}: ${name}, body ${body}`);
        if (isRetried && body === 'kept') t.equal(scene.connect().requestBody, 'x'.repeat(10), 'the body goes again');
      }
    }
  }
});

t.test('a request whose body is still on its way is retried, and the rest follows', async (t) => {
  const scene = retrying({ retryOn: ['connect-failure', 'reset'], numRetries: 2 });
  const { stream, client } = scene.request((head) => {
    head.method = 'POST';
    head.framing = BodyFraming.chunked;
  });
  t.equal(stream.acceptsRequestBody, false, 'nobody takes it yet');
  scene.refuse();
  scene.reactor.advance(30);
  const first = scene.connect();
  t.equal(stream.acceptsRequestBody, true);
  stream.onRequestData(bufferOf('one '), 0, 4);
  scene.lose(first);
  t.equal(stream.acceptsRequestBody, false);
  scene.reactor.advance(60);
  const second = scene.connect();
  stream.onRequestData(bufferOf('two'), 0, 3);
  stream.onRequestEnd(null);
  t.equal(second.requestBody, 'one two');
  t.equal(second.requestEnded, true);
  scene.respond(second, 200);
  t.match(client, { status: 200, ending: 'ended' });
});

t.test('the time of an attempt runs from the sent request, and not once its response has begun', async (t) => {
  const scene = retrying({ perTryTimeoutMs: 100, retryOn: ['5xx'], numRetries: 1 });
  const { client } = scene.request();
  scene.reactor.advance(500);
  t.equal(client.status, 0, 'waiting for a connection does not count');
  const first = scene.connect();
  scene.reactor.advance(99);
  t.equal(first.wasAborted, false);
  scene.reactor.advance(2);
  t.equal(first.wasAborted, true);
  scene.reactor.advance(30);
  const second = scene.connect();
  scene.respond(second, 200, false);
  scene.reactor.advance(500);
  t.equal(client.ending, 'open', 'the response may take its time');
  scene.end(second);
  t.equal(client.ending, 'ended');
});

t.test('the whole timeout covers every attempt and the waits between', async (t) => {
  const scene = retrying({ retryOn: ['5xx'], numRetries: 100 }, { timeoutMs: 300 });
  const { client, stream } = scene.request();
  for (let attempt = 0; attempt < 200 && client.status === 0; attempt++) {
    if (scene.waiting.length > 0) scene.respond(scene.connect(), 503);
    scene.reactor.advance(10);
  }
  t.equal(client.status, 504);
  t.equal(stream.info.endedAtMs, 300);
  t.equal(stream.info.responseCodeDetails, 'response_timeout');
  t.equal(scene.cluster.breakers.default.retries, 0);
});

t.test('without a response the whole timeout answers 504, after its beginning it cuts it', async (t) => {
  const scene = new Scene({ routes: [routeOf('/', forwardAction({ timeoutMs: 50 }))] });
  const silent = scene.request();
  const connection = scene.connect();
  scene.reactor.advance(51);
  t.match(silent.client, { status: 504, ending: 'ended' });
  t.equal(connection.wasAborted, true);
  const slow = scene.request();
  scene.respond(scene.connect(), 200, false);
  scene.reactor.advance(51);
  t.match(slow.client, { status: 200, ending: 'aborted' });
  t.equal(slow.stream.info.responseFlags, ResponseFlag.upstreamRequestTimeout);
});

t.test('the idle timeout of an attempt starts again with every byte of its response', async (t) => {
  const scene = retrying({ perTryIdleTimeoutMs: 50 });
  const { client, stream } = scene.request();
  const connection = scene.connect();
  scene.reactor.advance(40);
  scene.respond(connection, 200, false);
  for (let piece = 0; piece < 3; piece++) {
    scene.reactor.advance(40);
    scene.data(connection, 'x');
  }
  t.equal(client.ending, 'open');
  scene.reactor.advance(51);
  t.match(client, { status: 200, body: 'xxx', ending: 'aborted' });
  t.equal(stream.info.responseCodeDetails, 'upstream_per_try_idle_timeout');
});

t.test('the waits stay within bounds that double up to the longest', async (t) => {
  for (const random of [() => 0, () => 0.5, () => 0.999_999]) {
    const scene = retrying({ retryOn: ['5xx'], numRetries: 5, backoffBaseMs: 20, backoffMaxMs: 70 }, { random });
    scene.request();
    for (const bound of [20, 40, 70, 70, 70]) {
      scene.respond(scene.connect(), 503);
      const before = scene.reactor.nowMs;
      while (scene.waiting.length === 0 && scene.reactor.nowMs - before <= bound) scene.reactor.advance(1);
      const waited = scene.reactor.nowMs - before;
      t.equal(waited, Math.max(1, Math.ceil(random() * bound)), `below ${bound} ms`);
    }
  }
});

t.test('previous hosts are avoided as long as there are others', async (t) => {
  const policy = { retryOn: ['5xx'], numRetries: 2, avoidPreviousHosts: true, hostSelectionMaxAttempts: 20 } as const;
  for (let seed = 1; seed <= 20; seed++) {
    const scene = retrying(policy, { endpoints: 3 });
    scene.request();
    for (let attempt = 0; attempt < 3; attempt++) {
      scene.respond(scene.connect(), 503);
      scene.reactor.advance(60);
    }
    t.equal(new Set(scene.connections.map(({ endpoint }) => endpoint)).size, 3);
  }
});

t.test('max_retries counts retries that wait and retries in flight', async (t) => {
  const scene = retrying({ retryOn: ['5xx'], numRetries: 1 }, { breaker: { maxRetries: 1 } });
  const first = scene.request();
  scene.respond(scene.connect(), 503);
  scene.reactor.advance(30);
  const retry = scene.connect();
  t.equal(scene.cluster.breakers.default.retries, 1, 'the retry is in flight');
  const second = scene.request();
  scene.respond(scene.connect(), 503);
  t.equal(second.client.status, 503, 'no retry is left for the second request');
  t.equal(second.stream.info.responseFlags, ResponseFlag.upstreamOverflow);
  t.equal(scene.stats.get(clusterStats, 'service')?.value(clusterStats.upstreamRqRetryOverflow), 1);
  scene.respond(retry, 200);
  t.equal(first.client.status, 200);
  t.equal(scene.cluster.breakers.default.retries, 0);
});

t.test('a retry budget counts the request that fails, those in flight and those that wait', async (t) => {
  const retryBudget = { percent: 50, minConcurrency: 0 };
  const scene = retrying({ retryOn: ['5xx'], numRetries: 1 }, { breaker: { maxRetries: 0, retryBudget } });
  const alone = scene.request();
  scene.respond(scene.connect(), 503);
  t.equal(alone.client.status, 503, 'half of one is none');
  t.equal(alone.stream.info.responseFlags, ResponseFlag.upstreamOverflow);
  t.equal(scene.stats.get(clusterStats, 'service')?.value(clusterStats.upstreamRqRetryOverflow), 1);
  const first = scene.request();
  const connection = scene.connect();
  const waiting = scene.request();
  scene.respond(connection, 503);
  t.equal(first.client.status, 0, 'half of two is one');
  t.equal(scene.cluster.breakers.default.retries, 1);
  scene.respond(scene.connect(), 503);
  t.equal(waiting.client.status, 503, 'a retry that waits for its time is no request, but it is a retry');
  scene.reactor.advance(30);
  scene.respond(scene.connect(), 200);
  t.equal(first.client.status, 200);
  t.equal(scene.cluster.breakers.default.retries, 0);
});

t.test('a response that limits the rate is retried when it says', async (t) => {
  const resetHeaders = [{ name: 'retry-after', format: 'seconds' }] as const;
  const scene = retrying({
    retryOn: ['retriable-status-codes'],
    retriableStatusCodes: [429],
    numRetries: 2,
    rateLimitedBackOff: { resetHeaders, maxMs: 5000 },
  });
  const { client } = scene.request();
  scene.respond(scene.connect(), 429, true, [['Retry-After', '2']]);
  scene.reactor.advance(1999);
  t.equal(scene.waiting.length, 0);
  scene.reactor.advance(1002);
  t.equal(scene.waiting.length, 1, 'within half as long again');
  scene.respond(scene.connect(), 429, true, [['Retry-After', '6']]);
  scene.reactor.advance(30);
  t.equal(scene.waiting.length, 1, 'too long a wait is none: the usual one');
  scene.respond(scene.connect(), 200);
  t.equal(client.status, 200);
});

t.test('when every retry failed, the client gets the last response, and the flag says so', async (t) => {
  const scene = retrying({ retryOn: ['5xx'], numRetries: 2 });
  const { client, stream } = scene.request();
  for (let attempt = 0; attempt < 3; attempt++) {
    scene.respond(scene.connect(), 500 + attempt);
    scene.reactor.advance(60);
  }
  t.match(client, { status: 502, ending: 'ended' });
  t.equal(stream.info.attemptCount, 3);
  t.equal(stream.info.responseFlags, ResponseFlag.upstreamRetryLimitExceeded);
  t.equal(stream.info.responseCodeDetails, 'via_upstream');
});

t.test('a reused connection that dies unanswered is replayed once on a fresh one, and costs no retry', async (t) => {
  const scene = new Scene();
  const { client, stream } = scene.request();
  scene.lose(scene.connect(5000));
  t.match(scene.waiting, onlyItems({ fresh: true }), 'at once');
  t.equal(stream.info.attemptCount, 1);
  scene.lose(scene.connect(5000));
  t.equal(client.status, 503, 'once');
  const post = scene.request((head) => {
    head.method = 'POST';
  });
  scene.lose(scene.connect(5000));
  t.equal(post.client.status, 503, 'what is not idempotent may have been done');
});

t.test('what has not left before its reused connection died is sent on a fresh one, whatever its method', async (t) => {
  const scene = new Scene();
  const { client } = scene.request((head) => {
    head.method = 'POST';
  });
  const connection = scene.connect(5000);
  connection.isUnsent = true;
  scene.lose(connection);
  t.match(scene.waiting, onlyItems({ fresh: true }));
  scene.respond(scene.connect(), 200);
  t.equal(client.status, 200);
});

t.test('an interim response is forwarded, and a response that overtakes its request ends it', async (t) => {
  const scene = new Scene();
  const { client } = scene.request((head) => {
    head.method = 'POST';
    head.framing = BodyFraming.chunked;
  });
  const connection = scene.connect();
  connection.head.status = 103;
  connection.receiver!.onInterimHead(connection.head);
  t.same(client.interim, [103]);
  scene.respond(connection, 413);
  t.match(client, { status: 413, ending: 'ended' });
});

/** One thing that may happen; it does nothing when it cannot. */
type Event = (scene: Scene, run: ReturnType<Scene['request']>, open: FakeConnection | undefined) => void;

const events: fc.Arbitrary<Event> = fc.oneof(
  { arbitrary: fc.constant<Event>((scene) => void (scene.waiting.length > 0 && scene.connect())), weight: 4 },
  fc.constant<Event>((scene) => void (scene.waiting.length > 0 && scene.connect(3000))),
  fc.constantFrom('connect-failure', 'connect-timeout', 'overflow').map(
    (kind): Event =>
      (scene) =>
        void (scene.waiting.length > 0 && scene.refuse(kind as 'overflow')),
  ),
  fc.tuple(fc.constantFrom(200, 204, 409, 500, 503), fc.boolean()).map(
    ([status, isEnd]): Event =>
      (scene, { client }, open) => {
        if (open !== undefined && client.status === 0) scene.respond(open, status, isEnd);
      },
  ),
  fc.constant<Event>((scene, { client }, open) => {
    if (open !== undefined && client.status !== 0) scene.data(open, 'piece');
  }),
  fc.constant<Event>((scene, { client }, open) => {
    if (open !== undefined && client.status !== 0) scene.end(open);
  }),
  fc.constantFrom('connection-termination', 'protocol-error').map(
    (kind): Event =>
      (scene, _, open) =>
        void (open !== undefined && scene.lose(open, kind as 'protocol-error')),
  ),
  fc.integer({ min: 1, max: 200 }).map(
    (ms): Event =>
      (scene) =>
        scene.reactor.advance(ms),
  ),
  fc.constant<Event>((_, { stream }) => {
    if (!stream.isDone && stream.info.requestEndAtMs < 0 && stream.acceptsRequestBody)
      stream.onRequestData(bufferOf('body bytes'), 0, 10);
  }),
  fc.constant<Event>((_, { stream }) => {
    if (!stream.isDone && stream.info.requestEndAtMs < 0) stream.onRequestEnd(null);
  }),
);

t.test('after any sequence of events nothing is held, and the request was logged once', async () => {
  fc.assert(
    fc.property(
      fc.array(events, { maxLength: 30 }),
      fc.constantFrom('GET', 'POST'),
      fc.record({
        numRetries: fc.nat(3),
        perTryTimeoutMs: fc.constantFrom(0, 50),
        perTryIdleTimeoutMs: fc.constantFrom(0, 30),
        maxRetries: fc.nat(2),
        maxRequests: fc.constantFrom(0, 1, 10),
        endpoints: fc.nat(2),
        timeoutMs: fc.constantFrom(0, 100, 1000),
      }),
      (sequence, method, knobs) => {
        let logged = 0;
        const { maxRetries, maxRequests, endpoints: endpointCount, timeoutMs, ...policy } = knobs;
        const scene = retrying(
          { retryOn: ['5xx', 'retriable-4xx'], avoidPreviousHosts: true, hostSelectionMaxAttempts: 3, ...policy },
          {
            breaker: { maxRetries, maxRequests },
            endpoints: endpointCount,
            timeoutMs,
            accessLoggers: [{ log: () => logged++ }],
          },
        );
        const run = scene.request((head) => {
          head.method = method;
          if (method === 'POST') head.framing = BodyFraming.chunked;
        });
        for (const event of sequence) {
          event(
            scene,
            run,
            scene.connections.find(({ isOpen }) => isOpen),
          );
        }
        run.stream.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
        const { breakers } = scene.cluster;
        const endpoints = [...scene.cluster.eachEndpoint()];
        const value = (set: StatSet, index: number, ...names: string[]) =>
          scene.stats.get(set, ...names)?.value(index) ?? 0;
        const held = {
          requests: breakers.default.requests,
          retries: breakers.default.retries,
          waiting: scene.waiting.length,
          open: scene.connections.filter(({ isOpen }) => isOpen).length,
          atEndpoints: endpoints.reduce((sum, { activeRequests }) => sum + activeRequests, 0),
          endpointGauges: endpoints.reduce(
            (sum, { addressText }) => sum + value(endpointStats, endpointStats.rqActive, 'service', addressText),
            0,
          ),
          clusterGauge: value(clusterStats, clusterStats.upstreamRqActive, 'service'),
          downstreamGauge: value(httpStats, httpStats.downstreamRqActive, 'test'),
        };
        return logged === 1 && Object.values(held).every((count) => count === 0);
      },
    ),
    { numRuns: 500, seed: 20_261_121 },
  );
});
