// Retry policies (`config.route.v3.RetryPolicy`).

import type { Problems } from '../../config/problems.ts';
import type { RateLimitedBackOff, RetryCondition, RetryPolicy } from '../../config/route.ts';
import type {
  RetryPolicy_RateLimitedRetryBackOff,
  RetryPolicy_RetryBackOff,
  RetryPolicy_RetryHostPredicate,
  RetryPolicy as RetryPolicyMessage,
} from '../generated/messages.ts';
import { nearestName } from '../message/nearest-name.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { decodeHeaderMatchers } from './matcher.ts';

export function decodeRetryPolicy(message: RetryPolicyMessage, problems: Problems): RetryPolicy {
  return {
    retryOn: decodeRetryOn(message.retryOn ?? '', problems.at('retry_on')),
    retriableStatusCodes: message.retriableStatusCodes ?? [],
    retriableHeaders: decodeHeaderMatchers(message.retriableHeaders, problems.at('retriable_headers')),
    retriableRequestHeaders: decodeHeaderMatchers(
      message.retriableRequestHeaders,
      problems.at('retriable_request_headers'),
    ),
    numRetries: message.numRetries ?? 1,
    perTryTimeoutMs: message.perTryTimeout ?? 0,
    perTryIdleTimeoutMs: message.perTryIdleTimeout ?? 0,
    ...decodeBackOff(message.retryBackOff, problems.at('retry_back_off')),
    ...given('rateLimitedBackOff', decodeRateLimited(message.rateLimitedRetryBackOff)),
    avoidPreviousHosts: decodePredicates(message.retryHostPredicate, problems.at('retry_host_predicate')),
    hostSelectionMaxAttempts: message.hostSelectionRetryMaxAttempts ?? 1,
  };
}

const conditions = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const satisfies readonly RetryCondition[];

function decodeRetryOn(text: string, problems: Problems): readonly RetryCondition[] {
  const found: RetryCondition[] = [];
  for (const name of text.split(',').map((part) => part.trim())) {
    if (name === '') continue;
    const condition = conditions.find((candidate) => candidate === name);
    if (condition !== undefined) found.push(condition);
    else problems.add(`${JSON.stringify(name)} is not a retry condition; ${conditionHint(name)}`);
  }
  return found;
}

function conditionHint(name: string): string {
  const meant = nearestName(name, conditions);
  return meant === undefined ? `expected some of ${conditions.join(', ')}` : `did you mean ${meant}?`;
}

/** Envoy's default back-off starts at 25 ms and ends at ten times its start. */
function decodeBackOff(message: RetryPolicy_RetryBackOff | undefined, problems: Problems) {
  const backoffBaseMs = message?.baseInterval ?? 25;
  const backoffMaxMs = message?.maxInterval ?? backoffBaseMs * 10;
  if (backoffMaxMs < backoffBaseMs) problems.at('max_interval').add('must not be less than base_interval');
  return { backoffBaseMs, backoffMaxMs };
}

const resetFormats = { SECONDS: 'seconds', UNIX_TIMESTAMP: 'unix-timestamp' } as const;
/** Envoy's default. */
const longestResetMs = 300_000;

function decodeRateLimited(message: RetryPolicy_RateLimitedRetryBackOff | undefined): RateLimitedBackOff | undefined {
  if (message === undefined) return undefined;
  const resetHeaders = (message.resetHeaders ?? []).map(({ name = '', format = 'SECONDS' }) => ({
    name: name.toLowerCase(),
    format: resetFormats[format],
  }));
  return { resetHeaders, maxMs: message.maxInterval ?? longestResetMs };
}

const previousHosts = 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate';
const hostPredicate = { what: 'retry host predicate', known: [previousHosts] } as const;

function decodePredicates(
  messages: readonly RetryPolicy_RetryHostPredicate[] | undefined,
  problems: Problems,
): boolean {
  let avoidsPreviousHosts = false;
  for (const [index, message] of (messages ?? []).entries()) {
    if (extensionType(message, hostPredicate, problems.item(index)) !== undefined) avoidsPreviousHosts = true;
  }
  return avoidsPreviousHosts;
}
