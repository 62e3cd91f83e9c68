// When a failed attempt is tried again, and after what wait: the route's policy, or what a trusted client adds in headers.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on

import type { HeaderMatcher } from '../../config/matcher.ts';
import type { Random } from '../../config/random.ts';
import type { RetryCondition, RetryPolicy } from '../../config/route.ts';
import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import { CompiledHeaderMatcher } from './header-matcher.ts';
import { ResetInterval } from './reset-interval.ts';
import { wholeHeader } from './timeouts.ts';

/** How an attempt ended without a response. */
export type ResetKind =
  | 'connect-failure'
  /** The connection was lost before any byte of the request was sent on it. */
  | 'reset-before-request'
  | 'reset'
  /** The endpoint said that it did not process the request. */
  | 'refused'
  /** The attempt's own timeout. */
  | 'timeout';

export class CompiledRetryPolicy {
  /** Retries after the first attempt. */
  readonly maxRetries: number;
  readonly avoidPreviousHosts: boolean;
  readonly hostSelectionMaxAttempts: number;
  /** The wait that a response asks for; null where none is asked. */
  readonly resetInterval: ResetInterval | null;
  readonly #policy: RetryPolicy;
  readonly #conditions: number;
  readonly #statusCodes: readonly number[];
  readonly #headers: readonly CompiledHeaderMatcher[];
  readonly #requestHeaders: readonly CompiledHeaderMatcher[];

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
    this.maxRetries = policy.numRetries;
    this.avoidPreviousHosts = policy.avoidPreviousHosts;
    this.hostSelectionMaxAttempts = policy.hostSelectionMaxAttempts;
    this.resetInterval = policy.rateLimitedBackOff === undefined ? null : new ResetInterval(policy.rateLimitedBackOff);
    this.#conditions = policy.retryOn.reduce((bits, condition) => bits | conditionBits[condition], 0);
    this.#statusCodes = policy.retriableStatusCodes;
    this.#headers = policy.retriableHeaders.map((matcher) => new CompiledHeaderMatcher(matcher));
    this.#requestHeaders = policy.retriableRequestHeaders.map((matcher) => new CompiledHeaderMatcher(matcher));
  }

  /** Whether retries are for this request at all. */
  appliesTo(head: RequestHead): boolean {
    if (this.#conditions === 0) return false;
    if (this.#requestHeaders.length === 0) return true;
    for (const matcher of this.#requestHeaders) if (matcher.matchesRequest(head)) return true;
    return false;
  }

  shouldRetryResponse(head: ResponseHead): boolean {
    const conditions = this.#conditions;
    const { status, headers } = head;
    // Said by an Envoy that limits the rate behind us: to ask again is only right when the policy names it.
    if (headers.findId(HeaderId.xEnvoyRatelimited) >= 0) return (conditions & conditionBits['envoy-ratelimited']) !== 0;
    if ((conditions & conditionBits['5xx']) !== 0 && status >= 500 && status < 600) return true;
    if ((conditions & conditionBits['gateway-error']) !== 0 && status >= 502 && status <= 504) return true;
    if ((conditions & conditionBits['retriable-4xx']) !== 0 && status === 409) return true;
    if ((conditions & conditionBits['retriable-status-codes']) !== 0 && this.#statusCodes.includes(status)) return true;
    if ((conditions & conditionBits['retriable-headers']) !== 0) {
      for (const matcher of this.#headers) if (matcher.matchesResponse(head)) return true;
    }
    return (
      (conditions & anyGrpc) !== 0 && (conditions & (grpcBits[wholeHeader(headers, HeaderId.grpcStatus)] ?? 0)) !== 0
    );
  }

  shouldRetryReset(kind: ResetKind): boolean {
    return (this.#conditions & resetBits[kind]) !== 0;
  }

  /**
   * The `turn`th wait of a request (1 is the first), in milliseconds: uniform below a bound that doubles from the base
   * interval up to the longest.
   */
  backoffMs(turn: number, random: Random): number {
    const { backoffBaseMs, backoffMaxMs } = this.#policy;
    return random() * Math.min(backoffBaseMs * 2 ** (turn - 1), backoffMaxMs);
  }

  /** This policy with what the request's headers add; the same object when they add nothing. */
  requestedBy(head: RequestHead): CompiledRetryPolicy {
    const { headers } = head;
    if (!hasRetryHeader(headers)) return this;
    const policy = this.#policy;
    const maxRetries = wholeHeader(headers, HeaderId.xEnvoyMaxRetries);
    return new CompiledRetryPolicy({
      ...policy,
      retryOn: [...policy.retryOn, ...namedConditions(headers)],
      retriableStatusCodes: [...policy.retriableStatusCodes, ...listedCodes(headers)],
      retriableHeaders: [...policy.retriableHeaders, ...namedHeaders(headers)],
      numRetries: maxRetries < 0 ? policy.numRetries : maxRetries,
    });
  }
}

/** Envoy's defaults: nothing is retried. */
export const emptyRetryPolicy: RetryPolicy = {
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
};

/** The policy of a route that has none: nothing is retried unless a trusted client asks. */
export const noRetries = new CompiledRetryPolicy(emptyRetryPolicy);

/** Headers that ask for retries: obeyed and not passed on. */
export const retryHeaderIds: readonly HeaderId[] = [
  HeaderId.xEnvoyRetryOn,
  HeaderId.xEnvoyRetryGrpcOn,
  HeaderId.xEnvoyMaxRetries,
  HeaderId.xEnvoyRetriableStatusCodes,
  HeaderId.xEnvoyRetriableHeaderNames,
  HeaderId.xEnvoyHedgeOnPerTryTimeout,
];

const conditionBits: Readonly<Record<RetryCondition, number>> = {
  '5xx': 1 << 0,
  'gateway-error': 1 << 1,
  reset: 1 << 2,
  'reset-before-request': 1 << 3,
  'connect-failure': 1 << 4,
  'envoy-ratelimited': 1 << 5,
  'retriable-4xx': 1 << 6,
  'refused-stream': 1 << 7,
  'retriable-status-codes': 1 << 8,
  'retriable-headers': 1 << 9,
  'http3-post-connect-failure': 1 << 10,
  cancelled: 1 << 11,
  'deadline-exceeded': 1 << 12,
  internal: 1 << 13,
  'resource-exhausted': 1 << 14,
  unavailable: 1 << 15,
};

// A reset becomes a 5xx for the client, so the conditions on those cover it.
const anyReset = conditionBits['5xx'] | conditionBits['gateway-error'] | conditionBits.reset;

const resetBits: Readonly<Record<ResetKind, number>> = {
  'connect-failure': anyReset | conditionBits['connect-failure'] | conditionBits['reset-before-request'],
  'reset-before-request': anyReset | conditionBits['reset-before-request'],
  reset: anyReset,
  refused: anyReset | conditionBits['refused-stream'],
  timeout: anyReset,
};

/** By gRPC status code. */
const grpcBits: Readonly<Record<number, number>> = {
  1: conditionBits.cancelled,
  4: conditionBits['deadline-exceeded'],
  8: conditionBits['resource-exhausted'],
  13: conditionBits.internal,
  14: conditionBits.unavailable,
};
const anyGrpc = Object.values(grpcBits).reduce((bits, bit) => bits | bit, 0);

const grpcConditions: ReadonlySet<string> = new Set([
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

function hasRetryHeader(headers: HeaderTable): boolean {
  return (
    headers.findId(HeaderId.xEnvoyRetryOn) >= 0 ||
    headers.findId(HeaderId.xEnvoyRetryGrpcOn) >= 0 ||
    headers.findId(HeaderId.xEnvoyMaxRetries) >= 0 ||
    headers.findId(HeaderId.xEnvoyRetriableStatusCodes) >= 0 ||
    headers.findId(HeaderId.xEnvoyRetriableHeaderNames) >= 0
  );
}

// Each of the two headers takes its own conditions; what is not known is passed over, as Envoy does with headers.
function namedConditions(headers: HeaderTable): readonly RetryCondition[] {
  const http = listItems(headers, HeaderId.xEnvoyRetryOn).filter((name) => !grpcConditions.has(name));
  const grpc = listItems(headers, HeaderId.xEnvoyRetryGrpcOn).filter((name) => grpcConditions.has(name));
  return [...http, ...grpc].filter((name): name is RetryCondition => Object.hasOwn(conditionBits, name));
}

function listedCodes(headers: HeaderTable): readonly number[] {
  return listItems(headers, HeaderId.xEnvoyRetriableStatusCodes).filter(isDigits).map(Number);
}

function namedHeaders(headers: HeaderTable): readonly HeaderMatcher[] {
  return listItems(headers, HeaderId.xEnvoyRetriableHeaderNames).map((name) => ({
    name: name.toLowerCase(),
    match: { kind: 'present', present: true },
    invert: false,
    treatMissingAsEmpty: false,
  }));
}

function listItems(headers: HeaderTable, id: HeaderId): readonly string[] {
  const row = headers.findId(id);
  if (row < 0) return [];
  return headers
    .value(row)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isDigits(text: string): boolean {
  return /^[0-9]{1,9}$/.test(text);
}
