import t from 'tap';
import type { RetryCondition } from '../../../config/route.ts';
import { CompiledRetryPolicy, type ResetKind } from '../../../proxy/route/retry-policy.ts';
import { compileRouteTable } from '../../../proxy/route/route-table.ts';
import {
  exactly,
  forward,
  forwardAction,
  headerMatcher,
  lines,
  matchContext,
  request,
  response,
  retryPolicy,
  route,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../support/route-fixtures.ts';

const policy = (...retryOn: RetryCondition[]) => new CompiledRetryPolicy(retryPolicy({ retryOn }));

t.test('a response is retried by its status', async (t) => {
  for (const [condition, retried, kept] of [
    ['5xx', [500, 503, 599], [499, 409, 200]],
    ['gateway-error', [502, 503, 504], [500, 501, 505]],
    ['retriable-4xx', [409], [408, 429, 404]],
    ['reset', [], [503]],
    ['connect-failure', [], [503]],
  ] as const) {
    for (const status of retried)
      t.equal(policy(condition).shouldRetryResponse(response(status)), true, `${condition} ${status}`);
    for (const status of kept)
      t.equal(policy(condition).shouldRetryResponse(response(status)), false, `${condition} ${status}`);
  }
  const listed = new CompiledRetryPolicy(
    retryPolicy({ retryOn: ['retriable-status-codes'], retriableStatusCodes: [418] }),
  );
  t.equal(listed.shouldRetryResponse(response(418)), true);
  t.equal(listed.shouldRetryResponse(response(503)), false);
});

t.test('a rate-limited response is retried only when the policy names it', async (t) => {
  const limited = response(503, [['X-Envoy-Ratelimited', 'true']]);
  t.equal(policy('5xx').shouldRetryResponse(limited), false);
  t.equal(policy('envoy-ratelimited').shouldRetryResponse(limited), true);
});

t.test('a response is retried by its headers and its gRPC status', async (t) => {
  const retriableHeaders = [headerMatcher('x-retry', { kind: 'string', matcher: exactly('yes') })];
  const byHeader = new CompiledRetryPolicy(retryPolicy({ retryOn: ['retriable-headers'], retriableHeaders }));
  t.equal(byHeader.shouldRetryResponse(response(200, [['X-Retry', 'yes']])), true);
  t.equal(byHeader.shouldRetryResponse(response(200)), false);
  for (const [condition, code] of [
    ['cancelled', 1],
    ['deadline-exceeded', 4],
    ['resource-exhausted', 8],
    ['internal', 13],
    ['unavailable', 14],
  ] as const) {
    t.equal(policy(condition).shouldRetryResponse(response(200, [['grpc-status', String(code)]])), true, condition);
    t.equal(policy(condition).shouldRetryResponse(response(200, [['grpc-status', '2']])), false, condition);
    t.equal(policy(condition).shouldRetryResponse(response(200)), false, condition);
  }
});

t.test('an attempt without a response is retried by how it ended', async (t) => {
  const kinds: readonly ResetKind[] = ['connect-failure', 'reset-before-request', 'reset', 'refused', 'timeout'];
  for (const [condition, retried] of [
    ['5xx', kinds],
    ['gateway-error', kinds],
    ['reset', kinds],
    ['reset-before-request', ['connect-failure', 'reset-before-request']],
    ['connect-failure', ['connect-failure']],
    ['refused-stream', ['refused']],
    ['retriable-4xx', []],
    ['unavailable', []],
  ] as const) {
    t.same(
      kinds.filter((kind) => policy(condition).shouldRetryReset(kind)),
      retried,
      condition,
    );
  }
});

t.test('the wait is uniform below a bound that doubles up to the longest', async (t) => {
  const compiled = new CompiledRetryPolicy(retryPolicy({ backoffBaseMs: 25, backoffMaxMs: 90 }));
  const bounds = [1, 2, 3, 4, 50].map((attempt) => compiled.backoffMs(attempt, () => 1));
  t.same(bounds, [25, 50, 90, 90, 90]);
  t.equal(
    compiled.backoffMs(2, () => 0.5),
    25,
  );
  t.equal(
    compiled.backoffMs(1, () => 0),
    0,
  );
});

t.test('retries can be limited to requests with a header', async (t) => {
  const retriableRequestHeaders = [headerMatcher('x-safe', { kind: 'present', present: true })];
  const action = forward({ retryPolicy: retryPolicy({ retryOn: ['5xx'], retriableRequestHeaders }) });
  t.equal(action.takeRetries(request()), null);
  t.equal(action.takeRetries(request({ headers: [['X-Safe', '1']] })), action.retry);
});

t.test('a policy without conditions, and no policy, retry nothing', async (t) => {
  t.equal(forward({}).takeRetries(request()), null);
  t.equal(forward({ retryPolicy: retryPolicy() }).takeRetries(request()), null);
});

t.test('the headers of a request add conditions and set how often; they are for us only', async (t) => {
  const asking = () =>
    request({
      headers: [
        ['X-Envoy-Retry-On', ' gateway-error, unknown,unavailable'],
        ['X-Envoy-Retry-Grpc-On', 'internal'],
        ['X-Envoy-Max-Retries', '7'],
        ['X-Envoy-Retriable-Status-Codes', '418, x, 420'],
        ['X-Envoy-Retriable-Header-Names', 'X-One, x-two'],
        ['X-Envoy-Hedge-On-Per-Try-Timeout', 'true'],
        ['X-Custom', '1'],
      ],
    });
  const head = asking();
  const asked = forward({}).takeRetries(head)!;
  t.same(lines(head), ['Host: shop.example', 'X-Custom: 1']);
  t.equal(asked.maxRetries, 7);
  t.equal(asked.shouldRetryResponse(response(502)), true);
  t.equal(asked.shouldRetryResponse(response(500)), false);
  t.equal(asked.shouldRetryResponse(response(418)), false, 'codes need their condition');
  t.equal(asked.shouldRetryResponse(response(200, [['grpc-status', '13']])), true);
  t.equal(
    asked.shouldRetryResponse(response(200, [['grpc-status', '14']])),
    false,
    'a gRPC condition in the other header',
  );
  const configured = forward({
    retryPolicy: retryPolicy({ retryOn: ['retriable-status-codes', 'retriable-headers'], retriableStatusCodes: [404] }),
  });
  const both = configured.takeRetries(asking())!;
  for (const status of [404, 418, 420, 503]) t.equal(both.shouldRetryResponse(response(status)), true, String(status));
  t.equal(both.shouldRetryResponse(response(200, [['X-Two', '']])), true);
  t.equal(configured.takeRetries(request())!.shouldRetryResponse(response(418)), false);
});

t.test('the header for the number of retries wins over the configuration', async (t) => {
  const head = request({ headers: [['X-Envoy-Max-Retries', '2']] });
  const configured = forward({ retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 9 }) });
  t.equal(configured.takeRetries(head)!.maxRetries, 2);
  t.equal(configured.takeRetries(request())!.maxRetries, 9);
});

t.test('the virtual host lends its policy to routes without one', async (t) => {
  const lent = retryPolicy({ retryOn: ['5xx'], numRetries: 4, perTryTimeoutMs: 70 });
  const own = retryPolicy({ retryOn: ['5xx'], numRetries: 1 });
  const routes = [
    route({ match: routeMatch({ kind: 'path', value: '/own' }), action: forwardAction({ retryPolicy: own }) }),
    route(),
  ];
  const config = routeConfiguration({ virtualHosts: [virtualHost({ routes, retryPolicy: lent })] });
  const table = compileRouteTable(config, { suppressEnvoyHeaders: false });
  const retries = (path: string) => {
    const head = request({ path });
    const action = table.match(head, matchContext())!.action;
    if (action.kind !== 'forward') throw new Error('the request is not forwarded');
    return [action.takeRetries(head)?.maxRetries, action.takeTimeouts(head).perTryMs];
  };
  t.same(retries('/own'), [1, 0]);
  t.same(retries('/other'), [4, 70]);
});
