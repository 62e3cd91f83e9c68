// Access logs that are sent to a collector: entries of Envoy's access log service (`access_loggers.grpc.v3`), and records of
// OpenTelemetry (`access_loggers.open_telemetry.v3`).

import type { EnvoyLogEntries, LogCollector, LogDelivery, RecordFormat } from '../../config/access-log.ts';
import type { Problems } from '../../config/problems.ts';
import type { TelemetryResource, TelemetryService } from '../../config/telemetry-service.ts';
import type {
  AnyValue,
  CommonGrpcAccessLogConfig,
  CustomTag,
  HttpGrpcAccessLogConfig,
  KeyValueList,
  OpenTelemetryAccessLogConfig,
} from '../generated/messages.ts';
import { decodeCustomTags } from './custom-tag.ts';
import { given } from './given.ts';
import { checkedFormat, checkFormatters } from './log-format.ts';
import { decodeGrpcTelemetry, decodeHttpTelemetry, decodeResourceDetectors } from './telemetry-service.ts';

/** Entries of connections have no headers: `TcpGrpcAccessLogConfig` is this message without them. */
export function decodeLogEntries(
  kind: EnvoyLogEntries['kind'],
  message: HttpGrpcAccessLogConfig,
  problems: Problems,
): LogCollector | undefined {
  const { commonConfig: common = {} } = message;
  const place = problems.at('common_config');
  checkVersion(common, place);
  const delivery = decodeDelivery(common, place);
  const service = common.grpcService && decodeGrpcTelemetry(common.grpcService, place.at('grpc_service'));
  if (service === undefined) return undefined;
  return {
    kind,
    service,
    ...delivery,
    requestHeaders: lowerCase(message.additionalRequestHeadersToLog),
    responseHeaders: lowerCase(message.additionalResponseHeadersToLog),
    responseTrailers: lowerCase(message.additionalResponseTrailersToLog),
  };
}

function checkVersion({ transportApiVersion: version }: CommonGrpcAccessLogConfig, problems: Problems): void {
  if (version === 'V2') problems.at('transport_api_version').unsupported('V2', 'write V3');
}

/** Envoy's defaults. */
const defaultFlushIntervalMs = 1_000;
const defaultBufferSizeBytes = 16_384;

interface DeliveryFields {
  readonly logName?: string;
  readonly bufferFlushInterval?: number;
  readonly bufferSizeBytes?: number;
  readonly customTags?: readonly CustomTag[];
}

function decodeDelivery(message: DeliveryFields, problems: Problems): Omit<LogDelivery, 'service'> {
  return {
    logName: message.logName ?? '',
    flushIntervalMs: message.bufferFlushInterval ?? defaultFlushIntervalMs,
    bufferSizeBytes: message.bufferSizeBytes ?? defaultBufferSizeBytes,
    customTags: decodeCustomTags(message.customTags, problems.at('custom_tags')),
  };
}

function lowerCase(names: readonly string[] | undefined): readonly string[] {
  return (names ?? []).map((name) => name.toLowerCase());
}

export function decodeLogRecords(message: OpenTelemetryAccessLogConfig, problems: Problems): LogCollector | undefined {
  const service = decodeRecordService(message, problems);
  checkFormatters(message.formatters, problems.at('formatters'));
  const { commonConfig: common = {} } = message;
  const place = problems.at('common_config');
  checkVersion(common, place);
  // Where a field is in both places the newer one counts, as in Envoy.
  const tags = message.customTags ?? [];
  const delivery = decodeDelivery({ ...common, ...message, customTags: tags }, problems);
  const olderTags = decodeCustomTags(common.customTags, place.at('custom_tags'));
  const body = message.body && decodeRecordFormat(message.body, problems.at('body'));
  const attributes = decodeFields(message.attributes, problems.at('attributes'));
  const resource = decodeRecordResource(message, problems);
  if (service === undefined) return undefined;
  return {
    kind: 'opentelemetry',
    service,
    ...delivery,
    customTags: tags.length > 0 ? delivery.customTags : olderTags,
    ...given('body', body),
    attributes,
    resource,
    hasBuiltinLabels: !(message.disableBuiltinLabels ?? false),
    statPrefix: message.statPrefix ?? '',
  };
}

function decodeRecordService(message: OpenTelemetryAccessLogConfig, problems: Problems): TelemetryService | undefined {
  const { grpcService: grpc, httpService: http } = message;
  const older = message.commonConfig?.grpcService;
  if ([grpc, http, older].filter((service) => service !== undefined).length !== 1) {
    problems.add('exactly one of grpc_service, http_service and common_config.grpc_service is required');
    return undefined;
  }
  if (http !== undefined) return decodeHttpTelemetry(http, problems.at('http_service'));
  if (grpc !== undefined) return decodeGrpcTelemetry(grpc, problems.at('grpc_service'));
  return decodeGrpcTelemetry(older!, problems.at('common_config').at('grpc_service'));
}

/** Undefined for a value that is none; scalars other than text were refused by their table, as Envoy does. */
function decodeRecordFormat(message: AnyValue, problems: Problems): RecordFormat | undefined {
  const { stringValue, arrayValue, kvlistValue } = message;
  if (kvlistValue !== undefined) return { kind: 'map', fields: decodeFields(kvlistValue, problems.at('kvlist_value')) };
  if (arrayValue === undefined) {
    return stringValue === undefined ? undefined : checkedFormat(stringValue, problems.at('string_value'));
  }
  const values: RecordFormat[] = [];
  for (const [index, item] of (arrayValue.values ?? []).entries()) {
    const place = problems.at('array_value').at('values').item(index);
    const value = decodeRecordFormat(item, place);
    if (value === undefined) place.add(valueRequired);
    else values.push(value);
  }
  return { kind: 'list', values };
}

const valueRequired = 'a value is required: string_value, array_value or kvlist_value';

function decodeFields(
  message: KeyValueList | undefined,
  problems: Problems,
): readonly (readonly [string, RecordFormat])[] {
  const fields: (readonly [string, RecordFormat])[] = [];
  for (const [index, { key = '', value }] of (message?.values ?? []).entries()) {
    const place = problems.at('values').item(index).at('value');
    const format = value && decodeRecordFormat(value, place);
    if (format === undefined) place.add(valueRequired);
    else fields.push([key, format]);
  }
  return fields;
}

/** What is written wins over what detectors find. */
function decodeRecordResource(message: OpenTelemetryAccessLogConfig, problems: Problems): TelemetryResource {
  const detected = decodeResourceDetectors(message.resourceDetectors, problems.at('resource_detectors'));
  const attributes = new Map(detected.attributes);
  const place = problems.at('resource_attributes').at('values');
  for (const [index, { key = '', value }] of (message.resourceAttributes?.values ?? []).entries()) {
    if (value?.arrayValue !== undefined || value?.kvlistValue !== undefined) {
      place.item(index).at('value').unsupported('a list or map in a resource', 'write string_value');
    }
    attributes.set(key, value?.stringValue ?? '');
  }
  return { ...detected, attributes: [...attributes] };
}
