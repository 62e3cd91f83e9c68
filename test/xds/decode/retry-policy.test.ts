import t from 'tap';
import { decodeRetryPolicy } from '../../../xds/decode/retry-policy.ts';
import type { RetryPolicy } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const policy = (yaml: string) =>
  decodedAs('envoy.config.route.v3.RetryPolicy', yaml, (message: RetryPolicy, problems) =>
    decodeRetryPolicy(message, problems),
  );

t.test("the defaults are Envoy's", async (t) => {
  t.same(policy('{}').value, {
    retryOn: [],
    retriableStatusCodes: [],
    retriableHeaders: [],
    retriableRequestHeaders: [],
    numRetries: 1,
    perTryTimeoutMs: 0,
    perTryIdleTimeoutMs: 0,
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    avoidPreviousHosts: false,
    hostSelectionMaxAttempts: 1,
  });
});

t.test('everything that is given is carried', async (t) => {
  const { value, problems } = policy(`
    retry_on: "5xx, reset,unavailable"
    num_retries: 0
    per_try_timeout: 1s
    per_try_idle_timeout: 2s
    retriable_status_codes: [503]
    retriable_headers: [{name: A}]
    retriable_request_headers: [{name: B}]
    retry_back_off: {base_interval: 0.1s}
    host_selection_retry_max_attempts: 5
    retry_host_predicate:
    - name: envoy.retry_host_predicates.previous_hosts
      typed_config: {"@type": a/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}
  `);
  t.same(problems, []);
  t.match(value, {
    retryOn: onlyItems('5xx', 'reset', 'unavailable'),
    retriableStatusCodes: onlyItems(503),
    retriableHeaders: onlyItems({ name: 'a' }),
    retriableRequestHeaders: onlyItems({ name: 'b' }),
    numRetries: 0,
    perTryTimeoutMs: 1000,
    perTryIdleTimeoutMs: 2000,
    backoffBaseMs: 100,
    backoffMaxMs: 1000,
    avoidPreviousHosts: true,
    hostSelectionMaxAttempts: 5,
  });
});

t.test('the wait that a response asks for', async (t) => {
  const headers = '[{name: Retry-After}, {name: X-RateLimit-Reset, format: UNIX_TIMESTAMP}]';
  const { value, problems } = policy(`rate_limited_retry_back_off: {reset_headers: ${headers}, max_interval: 20s}`);
  t.same(problems, []);
  t.same(value?.rateLimitedBackOff, {
    resetHeaders: [
      { name: 'retry-after', format: 'seconds' },
      { name: 'x-ratelimit-reset', format: 'unix-timestamp' },
    ],
    maxMs: 20_000,
  });
  const plain = policy('rate_limited_retry_back_off: {reset_headers: [{name: a}]}').value;
  t.equal(plain?.rateLimitedBackOff?.maxMs, 300_000);
});

t.test('problems', async (t) => {
  t.same(policy('{retry_on: "5xx,conect-failure"}').problems, [
    'retry_on: "conect-failure" is not a retry condition; did you mean connect-failure?',
  ]);
  t.same(policy('{retry_back_off: {base_interval: 1s, max_interval: 0.5s}}').problems, [
    'retry_back_off.max_interval: must not be less than base_interval',
  ]);
  t.same(policy('{retry_back_off: {}}').problems, ['retry_back_off.base_interval: base_interval is required']);
  t.match(
    policy('{retry_host_predicate: [{name: a, typed_config: {"@type": a/b.C}}]}').problems[0],
    /^retry_host_predicate\[0\]\.typed_config: retry host predicate a\/b\.C is not supported/,
  );
});
