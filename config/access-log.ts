// Access logs: where lines go, how they look, and which requests are logged.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage

import type { HeaderMatcher, RuntimeFraction } from './matcher.ts';

export interface AccessLog {
  readonly filter?: AccessLogFilter;
  readonly sink: AccessLogSink;
  readonly format: LogFormat;
}

export type AccessLogSink =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'stderr' };

export type LogFormat =
  /** A format string with `%COMMAND%` operators; it carries its own line end. */
  | { readonly kind: 'text'; readonly format: string; readonly omitEmptyValues: boolean }
  /** A JSON object whose string leaves are format strings. */
  | {
      readonly kind: 'json';
      readonly fields: JsonFormat;
      readonly omitEmptyValues: boolean;
      readonly sortProperties: boolean;
    };

export interface JsonFormat {
  readonly [key: string]: JsonFormatValue;
}
export type JsonFormatValue = string | number | boolean | null | JsonFormat | readonly JsonFormatValue[];

export type Comparison = {
  readonly op: 'eq' | 'ge' | 'le' | 'ne';
  readonly value: number;
  readonly runtimeKey?: string;
};

export type AccessLogFilter =
  | { readonly kind: 'status-code'; readonly comparison: Comparison }
  | { readonly kind: 'duration-ms'; readonly comparison: Comparison }
  | { readonly kind: 'not-health-check' }
  | { readonly kind: 'traceable' }
  | { readonly kind: 'runtime'; readonly fraction: RuntimeFraction }
  | { readonly kind: 'and'; readonly filters: readonly AccessLogFilter[] }
  | { readonly kind: 'or'; readonly filters: readonly AccessLogFilter[] }
  | { readonly kind: 'header'; readonly matcher: HeaderMatcher }
  /** Empty: any response flag at all. */
  | { readonly kind: 'response-flag'; readonly flags: readonly string[] }
  | { readonly kind: 'grpc-status'; readonly statuses: readonly number[]; readonly exclude: boolean };
