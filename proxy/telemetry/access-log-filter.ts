// Which requests an access log writes: `config.accesslog.v3.AccessLogFilter`, compiled to one predicate.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/accesslog/v3/accesslog.proto

import type { AccessLogFilter, Comparison } from '../../config/access-log.ts';
import type { RuntimeFraction } from '../../config/matcher.ts';
import type { Random } from '../../config/random.ts';
import type { FormatContext } from '../format/format-context.ts';
import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import { RequestHead } from '../http/message.ts';
import { responseFlagNames } from '../http/stream-info.ts';
import { CompiledHeaderMatcher } from '../route/header-matcher.ts';

export type AccessLogPredicate = (context: FormatContext) => boolean;

/** What filters draw on beside the request. */
export interface FilterEnvironment {
  readonly random: Random;
  readonly runtime: ReadonlyMap<string, string | number | boolean>;
}

export function compileAccessLogFilter(filter: AccessLogFilter, environment: FilterEnvironment): AccessLogPredicate {
  switch (filter.kind) {
    case 'status-code':
      return compileComparison(filter.comparison, environment, ({ info }) => info.responseCode);
    case 'duration-ms':
      return compileComparison(filter.comparison, environment, ({ info }) =>
        info.endedAtMs < 0 ? Number.NaN : info.endedAtMs - info.startedAtMs,
      );
    case 'not-health-check':
      return ({ info }) => !info.isHealthCheck;
    case 'traceable':
      return ({ info }) => info.isTraced;
    case 'runtime':
      return compileRuntime(filter.fraction, environment);
    case 'and': {
      const predicates = filter.filters.map((each) => compileAccessLogFilter(each, environment));
      return (context) => predicates.every((predicate) => predicate(context));
    }
    case 'or': {
      const predicates = filter.filters.map((each) => compileAccessLogFilter(each, environment));
      return (context) => predicates.some((predicate) => predicate(context));
    }
    case 'header': {
      const matcher = new CompiledHeaderMatcher(filter.matcher);
      return ({ request }) => matcher.matchesRequest(request ?? noRequest);
    }
    case 'response-flag':
      return compileResponseFlags(filter.flags);
    case 'grpc-status':
      return (context) => filter.statuses.includes(grpcStatus(context)) !== filter.exclude;
  }
}

/** A TCP connection has no header fields, but a matcher may ask for the absence of one. */
const noRequest = new RequestHead();

// A value that is not known (NaN) passes no comparison.
function compileComparison(
  { op, value, runtimeKey }: Comparison,
  { runtime }: FilterEnvironment,
  read: (context: FormatContext) => number,
): AccessLogPredicate {
  const bound = (): number => {
    const override = runtimeKey === undefined ? undefined : runtime.get(runtimeKey);
    return typeof override === 'number' ? override : value;
  };
  switch (op) {
    case 'eq':
      return (context) => read(context) === bound();
    case 'ne':
      return (context) => {
        const actual = read(context);
        return !Number.isNaN(actual) && actual !== bound();
      };
    case 'ge':
      return (context) => read(context) >= bound();
    case 'le':
      return (context) => read(context) <= bound();
  }
}

// The first eight digits of the request id decide when there is one, so that every proxy on the way logs the same
// requests. A whole number in the runtime is a percentage.
function compileRuntime(fraction: RuntimeFraction, { random, runtime }: FilterEnvironment): AccessLogPredicate {
  const { numerator, denominator, runtimeKey } = fraction;
  return ({ info }) => {
    const override = runtimeKey === undefined ? undefined : runtime.get(runtimeKey);
    const share = typeof override === 'number' ? override / 100 : numerator / denominator;
    const drawn = requestIdPrefix.test(info.requestId)
      ? (Number.parseInt(info.requestId.slice(0, 8), 16) % denominator) / denominator
      : random();
    return drawn < share;
  };
}

const requestIdPrefix = /^[0-9a-f]{8}/i;

function compileResponseFlags(flags: readonly string[]): AccessLogPredicate {
  if (flags.length === 0) return ({ info }) => info.responseFlags !== 0;
  let mask = 0;
  for (const { bit, short } of responseFlagNames) if (flags.includes(short)) mask |= bit;
  return ({ info }) => (info.responseFlags & mask) !== 0;
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md; other codes are UNKNOWN (2). */
const grpcStatusByHttpStatus: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);
const unknownStatus = 2;

// From the trailers, else from the head of a response without body, else what the HTTP status means to a gRPC client.
function grpcStatus({ info, response, responseTrailers }: FormatContext): number {
  const inTrailers = responseTrailers === null ? -1 : statusField(responseTrailers);
  if (inTrailers >= 0) return inTrailers;
  const inHead = response === null ? -1 : statusField(response.headers);
  if (inHead >= 0) return inHead;
  return grpcStatusByHttpStatus.get(info.responseCode) ?? unknownStatus;
}

// -1 when there is none, or none that is a whole number.
function statusField(headers: HeaderTable): number {
  const row = headers.findId(HeaderId.grpcStatus);
  if (row < 0) return -1;
  const text = headers.value(row);
  return /^\d{1,3}$/.test(text) ? Number(text) : -1;
}
