// Origins that fail, limits that are reached, time that is over: replies of the proxy, retries, flags.

import { allTo, bootstrap, cluster, httpListener, type Json } from '../bootstrap.ts';
import type { OriginStep } from '../recording-origin.ts';
import { answer, type Case, get, post, requestOf, type Suite } from '../suite.ts';

const ok = answer('200 OK', 'fine');
const unavailable = answer('503 Service Unavailable', 'busy');
const limits = (threshold: Json): Json => ({ circuit_breakers: { thresholds: [threshold] } });
const retry = (on: string, more: Json = {}): Json => ({
  retry_policy: { retry_on: on, num_retries: 2, retry_back_off: { base_interval: '0.001s' }, ...more },
});
const router = {
  name: 'envoy.filters.http.router',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
    suppress_envoy_headers: true,
  },
};
const attempts = {
  name: 'all',
  domains: ['*'],
  routes: [{ match: { prefix: '/' }, route: { cluster: 'app', ...retry('5xx') } }],
  include_request_attempt_count: true,
  include_attempt_count_in_response: true,
};
const trusted = { internal_address_config: { cidr_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] } };
const again = { retriable_headers: [{ name: 'x-again', present_match: true }] };
const rateLimited = {
  retriable_status_codes: [429],
  rate_limited_retry_back_off: {
    reset_headers: [{ name: 'Retry-After' }, { name: 'X-Reset', format: 'UNIX_TIMESTAMP' }],
    max_interval: '1s',
  },
};
const limited = (...headers: string[]): OriginStep[] => steps(answer('429 Too Many Requests', '', ...headers), ok);

const listeners: readonly Json[] = [
  httpListener('main', allTo('app')),
  httpListener('trusting', allTo('app'), trusted),
  httpListener('refused', allTo('refused')),
  httpListener('refused-retry', allTo('refused', retry('connect-failure'))),
  httpListener('empty', allTo('empty')),
  httpListener('no-requests', allTo('no-requests')),
  httpListener('no-pending', allTo('no-pending')),
  httpListener('no-retries', allTo('no-retries', retry('5xx'))),
  httpListener('timeout', allTo('app', { timeout: '0.1s' })),
  httpListener('per-try', allTo('app', retry('5xx', { per_try_timeout: '0.05s', num_retries: 1 }))),
  httpListener('per-try-only', allTo('app', { retry_policy: { per_try_timeout: '0.05s' } })),
  httpListener('retry-5xx', allTo('app', retry('5xx'))),
  httpListener('retry-gateway', allTo('app', retry('gateway-error'))),
  httpListener('retry-reset', allTo('app', retry('reset'))),
  httpListener('retry-4xx', allTo('app', retry('retriable-4xx'))),
  httpListener('retry-codes', allTo('app', retry('retriable-status-codes', { retriable_status_codes: [418] }))),
  httpListener('retry-limited', allTo('app', retry('retriable-status-codes', rateLimited))),
  httpListener('retry-headers', allTo('app', retry('retriable-headers', again))),
  httpListener('attempts', { name: 'attempts', virtual_hosts: [attempts] }),
  httpListener('idle', allTo('app', { idle_timeout: '0.1s' })),
  httpListener('request-timeout', allTo('app'), { request_timeout: '0.1s' }),
  httpListener('headers-timeout', allTo('app'), { request_headers_timeout: '0.1s' }),
  httpListener('max-duration', allTo('app', { max_stream_duration: { max_stream_duration: '0.1s' } })),
  httpListener('quiet', allTo('app'), { http_filters: [router] }),
  httpListener('upgrades', allTo('app'), { upgrade_configs: [{ upgrade_type: 'websocket' }] }),
];

const clusters = (origin: number): readonly Json[] => [
  cluster('app', [origin]),
  // Nobody listens on port 1.
  cluster('refused', [1]),
  cluster('empty', []),
  cluster('no-requests', [origin], limits({ max_requests: 0 })),
  cluster('no-pending', [origin], limits({ max_pending_requests: 0 })),
  cluster('no-retries', [origin], limits({ max_retries: 0 })),
];

const steps = (...answers: string[]): OriginStep[] => answers.map((onEnd) => ({ onEnd }));
const reset: OriginStep = { onEnd: '', ending: 'reset' };
const close: OriginStep = { onEnd: '', ending: 'close' };
const silence: OriginStep[] = [{}];
const cutBody = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc';
const cutChunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc';
const bothFramings = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
const twoLengths = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx';
const bodyOf204 = 'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc';
const upgrade = get('/', 'Connection: Upgrade', 'Upgrade: websocket');
const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const chunkedPost = `${requestOf('POST', '/', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\n\r\n`;

/** Asked for by a client that is trusted. */
const asked = (name: string, fields: readonly string[], origin: readonly OriginStep[]): Case => ({
  name,
  listener: 'trusting',
  send: get('/', 'X-Forwarded-For: 10.0.0.1', ...fields.map((field) => `X-Envoy-${field}`)),
  origin,
});
const on = (listener: string, name: string, origin: readonly OriginStep[] = silence, send = get('/')): Case => ({
  name,
  listener,
  send,
  origin,
});

export const faults: Suite = {
  name: 'faults',
  bootstrap: (origin) => bootstrap(listeners, clusters(origin)),
  cases: [
    on('refused', 'a refused connection'),
    on('refused', 'a refused connection, JSON wanted', silence, get('/', 'Accept: application/json')),
    on('refused', 'a refused connection, gRPC', silence, get('/S/M', 'Content-Type: application/grpc')),
    on('refused', 'a refused connection, HEAD', silence, requestOf('HEAD', '/', [])),
    on('refused-retry', 'a refused connection, retried'),
    on('empty', 'no endpoint'),
    on('no-requests', 'no request allowed'),
    on('no-pending', 'no pending request allowed'),
    on('no-retries', 'no retry allowed', steps(unavailable)),
    on('main', 'closed before the response', [close]),
    on('main', 'reset before the response', [reset]),
    on('main', 'a POST reset before the response', [reset], post('/', 'abc')),
    on('main', 'closed within the response head', [{ onEnd: 'HTTP/1.1 200 OK\r\nX-A', ending: 'close' }]),
    { ...on('main', 'closed within the body', [{ onEnd: cutBody, ending: 'close' }]), expects: 'end' },
    { ...on('main', 'closed within the chunks', [{ onEnd: cutChunks, ending: 'close' }]), expects: 'end' },
    on('main', 'a response that is no HTTP', [{ onEnd: 'SSH-2.0-x\r\n\r\n', ending: 'close' }]),
    on('main', 'a response with both framings', steps(bothFramings)),
    on('main', 'a response with two lengths', steps(twoLengths)),
    on('main', 'a 204 with a body', steps(bodyOf204)),
    on('main', 'a control character in a response', steps(answer('200 OK', 'x', 'X-A: a\x01b'))),
    on('timeout', 'a timeout'),
    { ...on('timeout', 'a timeout within the body', steps(cutBody)), expects: 'end' },
    on('retry-limited', 'a limited rate, in a second', limited('Retry-After: 1')),
    on('retry-limited', 'a limited rate, for too long', limited('Retry-After: 2')),
    on('retry-limited', 'a limited rate, without a number', limited('Retry-After: soon', 'X-Reset: 1')),
    on('per-try', 'a timeout per try, retried'),
    on('per-try', 'a timeout per try, then an answer', [{}, { onEnd: ok }]),
    on('per-try-only', 'a timeout per try without retries'),
    on('idle', 'an idle timeout'),
    { ...on('idle', 'an idle timeout within the body', steps(cutBody)), expects: 'end' },
    {
      ...on('request-timeout', 'a request that takes too long', silence, requestOf('POST', '/', ['Content-Length: 3'])),
      expects: 'end',
    },
    { ...on('headers-timeout', 'a head that takes too long', silence, 'GET / HTTP/1.1\r\nHost: a'), expects: 'end' },
    on('max-duration', 'a stream that takes too long'),
    on('retry-5xx', 'a 503 retried', steps(unavailable, ok)),
    on('retry-5xx', 'a 503 retried to the end', steps(unavailable)),
    on('retry-5xx', 'a 500 retried', steps(answer('500 Internal Server Error'), ok)),
    on('retry-5xx', 'a POST retried', steps(unavailable, ok), post('/', 'abc')),
    on('retry-5xx', 'a chunked POST retried', steps(unavailable, ok), chunkedPost),
    on('retry-5xx', 'a POST reset and retried', [reset, { onEnd: ok }], post('/', 'abc')),
    on('retry-gateway', 'a 500 that is no gateway error', steps(answer('500 Internal Server Error'))),
    on('retry-gateway', 'a 502 that is a gateway error', steps(answer('502 Bad Gateway'), ok)),
    on('retry-reset', 'a POST closed, retry on reset', [close, { onEnd: ok }], post('/', 'abc')),
    on('retry-reset', 'a 503, retry on reset', steps(unavailable)),
    on('retry-4xx', 'a 409 retried', steps(answer('409 Conflict'), ok)),
    on('retry-4xx', 'a 404 not retried', steps(answer('404 Not Found'), ok)),
    on('retry-codes', 'a listed code retried', steps(answer("418 I'm a teapot"), ok)),
    on('retry-headers', 'a listed header retried', steps(answer('200 OK', 'no', 'X-Again: 1'), ok)),
    on('attempts', 'attempts counted', steps(unavailable, ok)),
    on('attempts', 'attempts counted, one received', steps(ok), get('/', 'X-Envoy-Attempt-Count: 9')),
    asked('a retry asked for', ['Retry-On: 5xx'], steps(unavailable, ok)),
    asked('three retries asked for', ['Retry-On: 5xx', 'Max-Retries: 3'], steps(unavailable)),
    asked(
      'codes asked for',
      ['Retry-On: retriable-status-codes', 'Retriable-Status-Codes: 418,429'],
      steps(answer('429 Too Many Requests'), ok),
    ),
    asked(
      'header names asked for',
      ['Retry-On: retriable-headers', 'Retriable-Header-Names: X-Again'],
      steps(answer('200 OK', '', 'X-Again: 1'), ok),
    ),
    asked('a timeout asked for', ['Upstream-Rq-Timeout-Ms: 50'], silence),
    asked('a timeout per try asked for', ['Upstream-Rq-Per-Try-Timeout-Ms: 50'], silence),
    asked('a 204 asked for', ['Upstream-Rq-Timeout-Ms: 50', 'Upstream-Rq-Timeout-Alt-Response: 1'], silence),
    on('quiet', 'no headers of ours', steps(ok)),
    { ...on('main', 'a client that goes away'), clientResets: true },
    on('upgrades', 'a websocket', steps(switched), upgrade),
    on('upgrades', 'a websocket that the origin refuses', steps(answer('403 Forbidden', 'no')), upgrade),
    on('upgrades', 'a websocket answered by 200', steps(ok), upgrade),
  ],
};
