// Access logs: where entries go, how they look, and which requests are logged.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage

import type { HeaderMatcher, RuntimeFraction } from './matcher.ts';
import type { TelemetryResource, TelemetryService } from './telemetry-service.ts';
import type { CustomTag } from './tracing.ts';

export type AccessLog = LineLog | CollectorLog;

/** Lines of text in a file or stream. */
export interface LineLog {
  readonly filter?: AccessLogFilter;
  readonly sink: AccessLogSink;
  readonly format: LogFormat;
}

/** Entries that are sent to a collector. */
export interface CollectorLog {
  readonly filter?: AccessLogFilter;
  readonly collector: LogCollector;
}

export type LogCollector = LogDelivery & (EnvoyLogEntries | OpenTelemetryLogRecords);

/** `access_loggers.grpc.v3.CommonGrpcAccessLogConfig` */
export interface LogDelivery {
  readonly service: TelemetryService;
  /** By which the collector tells logs of one proxy apart. Only of OpenTelemetry may it be empty. */
  readonly logName: string;
  /** What waits is sent after this at the latest. Envoy's default is 1 s. */
  readonly flushIntervalMs: number;
  /** … or when it is so large; 0 sends every entry at once. Envoy's default is 16,384. */
  readonly bufferSizeBytes: number;
  readonly customTags: readonly CustomTag[];
}

/** `service.accesslog.v3.StreamAccessLogsMessage`: entries of HTTP requests, or of connections. */
export interface EnvoyLogEntries {
  readonly kind: 'http-entries' | 'tcp-entries';
  /** Headers that are logged besides those that every entry has; lower case. Empty for connections. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
}

/** `access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig` */
export interface OpenTelemetryLogRecords {
  readonly kind: 'opentelemetry';
  /** Undefined is a record without a body. */
  readonly body?: RecordFormat;
  readonly attributes: readonly (readonly [string, RecordFormat])[];
  /** In front of those of the node where both name one. */
  readonly resource: TelemetryResource;
  /** `log_name`, `zone_name`, `cluster_name` and `node_name` in the resource. */
  readonly hasBuiltinLabels: boolean;
  /** Behind `access_logs.open_telemetry_access_log.` in the names of its counters. */
  readonly statPrefix: string;
}

/** A value of a log record; texts are format strings. */
export type RecordFormat =
  | string
  | { readonly kind: 'list'; readonly values: readonly RecordFormat[] }
  | { readonly kind: 'map'; readonly fields: readonly (readonly [string, RecordFormat])[] };

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
