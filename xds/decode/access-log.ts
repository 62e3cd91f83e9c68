// Access logs and their filters (`config.accesslog.v3`).

import type {
  AccessLog,
  AccessLogFilter,
  AccessLogSink,
  CollectorLog,
  Comparison,
  LineLog,
  LogCollector,
  LogFormat,
} from '../../config/access-log.ts';
import { defaultTextFormat } from '../../config/format-commands.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  AccessLogFilter as AccessLogFilterMessage,
  AccessLog as AccessLogMessage,
  ComparisonFilter,
  FileAccessLog,
  GrpcStatusFilter,
  HttpGrpcAccessLogConfig,
  OpenTelemetryAccessLogConfig,
  StdoutAccessLog,
} from '../generated/messages.ts';
import { enumDescriptor } from '../message/message-descriptor.ts';
import { decodeLogEntries, decodeLogRecords } from './access-log-collector.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { checkedFormat, checkedJsonFormat, decodeLogFormat } from './log-format.ts';
import { decodeFraction, decodeHeaderMatcher } from './matcher.ts';

export function decodeAccessLogs(
  messages: readonly AccessLogMessage[] | undefined,
  problems: Problems,
): readonly AccessLog[] {
  const logs: AccessLog[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const log = decodeAccessLog(message, problems.item(index));
    if (log !== undefined) logs.push(log);
  }
  return logs;
}

const fileLog = 'envoy.extensions.access_loggers.file.v3.FileAccessLog';
const stdoutLog = 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog';
const stderrLog = 'envoy.extensions.access_loggers.stream.v3.StderrAccessLog';
const httpEntries = 'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig';
const tcpEntries = 'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig';
const openTelemetry = 'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig';
const accessLogger = {
  what: 'access logger',
  known: [fileLog, stdoutLog, stderrLog, httpEntries, tcpEntries, openTelemetry],
} as const;

type LoggerType = (typeof accessLogger.known)[number];

export function decodeAccessLog(message: AccessLogMessage, problems: Problems): AccessLog | undefined {
  const type = extensionType(message, accessLogger, problems);
  if (type === undefined) return undefined;
  const destination = decodeDestination(type, message.typedConfig?.message, problems.at('typed_config'));
  const isFiltered = message.filter !== undefined;
  const filter = isFiltered ? decodeAccessLogFilter(message.filter, problems.at('filter')) : undefined;
  if (destination === undefined || (isFiltered && filter === undefined)) return undefined;
  return { ...given('filter', filter), ...destination };
}

type Destination = Pick<LineLog, 'sink' | 'format'> | Pick<CollectorLog, 'collector'>;

function decodeDestination(type: LoggerType, config: unknown, problems: Problems): Destination | undefined {
  if (type === fileLog || type === stdoutLog || type === stderrLog) {
    const lines = config as FileAccessLog & StdoutAccessLog;
    const sink = decodeSink(type, lines);
    const format = decodeFormat(lines, problems);
    return sink && format && { sink, format };
  }
  const collector = decodeCollector(type, config, problems);
  return collector && { collector };
}

function decodeCollector(type: LoggerType, config: unknown, problems: Problems): LogCollector | undefined {
  if (type === openTelemetry) return decodeLogRecords(config as OpenTelemetryAccessLogConfig, problems);
  const kind = type === httpEntries ? 'http-entries' : 'tcp-entries';
  return decodeLogEntries(kind, config as HttpGrpcAccessLogConfig, problems);
}

function decodeSink(type: string, { path }: FileAccessLog): AccessLogSink | undefined {
  if (type === stdoutLog) return { kind: 'stdout' };
  if (type === stderrLog) return { kind: 'stderr' };
  return path === undefined ? undefined : fileSink(path);
}

export function fileSink(path: string): AccessLogSink {
  if (path === '/dev/stdout') return { kind: 'stdout' };
  return path === '/dev/stderr' ? { kind: 'stderr' } : { kind: 'file', path };
}

/** The fields before `log_format`, which Envoy still takes, are the same formats by older names. */
function decodeFormat(config: FileAccessLog, problems: Problems): LogFormat | undefined {
  if (config.logFormat !== undefined) return decodeLogFormat(config.logFormat, problems.at('log_format'));
  const older = config.jsonFormat === undefined ? 'typed_json_format' : 'json_format';
  const json = config.jsonFormat ?? config.typedJsonFormat;
  if (json !== undefined) {
    const fields = checkedJsonFormat(json, problems.at(older));
    return { kind: 'json', fields, omitEmptyValues: false, sortProperties: false };
  }
  const format = config.format ? checkedFormat(config.format, problems.at('format')) : defaultTextFormat;
  return { kind: 'text', format, omitEmptyValues: false };
}

export function decodeAccessLogFilter(
  message: AccessLogFilterMessage | undefined,
  problems: Problems,
): AccessLogFilter | undefined {
  if (message === undefined) return undefined;
  if (message.andFilter !== undefined)
    return decodeCombined('and', message.andFilter.filters, problems.at('and_filter'));
  if (message.orFilter !== undefined) return decodeCombined('or', message.orFilter.filters, problems.at('or_filter'));
  if (message.headerFilter !== undefined) {
    const header = message.headerFilter.header;
    const matcher = header && decodeHeaderMatcher(header, problems.at('header_filter').at('header'));
    return matcher === undefined ? undefined : { kind: 'header', matcher };
  }
  return decodePlainFilter(message);
}

function decodeCombined(
  kind: 'and' | 'or',
  messages: readonly AccessLogFilterMessage[] | undefined,
  problems: Problems,
): AccessLogFilter | undefined {
  const filters: AccessLogFilter[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const filter = decodeAccessLogFilter(message, problems.at('filters').item(index));
    if (filter === undefined) return undefined;
    filters.push(filter);
  }
  return { kind, filters };
}

function decodePlainFilter(message: AccessLogFilterMessage): AccessLogFilter | undefined {
  if (message.statusCodeFilter !== undefined) {
    return { kind: 'status-code', comparison: decodeComparison(message.statusCodeFilter.comparison) };
  }
  if (message.durationFilter !== undefined) {
    return { kind: 'duration-ms', comparison: decodeComparison(message.durationFilter.comparison) };
  }
  if (message.notHealthCheckFilter !== undefined) return { kind: 'not-health-check' };
  if (message.traceableFilter !== undefined) return { kind: 'traceable' };
  if (message.runtimeFilter !== undefined) {
    const { percentSampled, runtimeKey } = message.runtimeFilter;
    return { kind: 'runtime', fraction: decodeFraction(percentSampled, runtimeKey) };
  }
  if (message.responseFlagFilter !== undefined) {
    return { kind: 'response-flag', flags: message.responseFlagFilter.flags ?? [] };
  }
  return message.grpcStatusFilter === undefined ? undefined : decodeGrpcStatus(message.grpcStatusFilter);
}

const operators = { EQ: 'eq', GE: 'ge', LE: 'le', NE: 'ne' } as const;

function decodeComparison(message: ComparisonFilter | undefined): Comparison {
  const { defaultValue: value = 0, runtimeKey } = message?.value ?? {};
  const op = operators[message?.op ?? 'EQ'];
  return runtimeKey === undefined ? { op, value } : { op, value, runtimeKey };
}

function decodeGrpcStatus(message: GrpcStatusFilter): AccessLogFilter {
  const { byName } = enumDescriptor('envoy.config.accesslog.v3.GrpcStatusFilter.Status');
  const statuses = (message.statuses ?? []).map((status) => byName.get(status)!);
  return { kind: 'grpc-status', statuses, exclude: message.exclude ?? false };
}
