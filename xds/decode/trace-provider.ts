// What records spans (`config.trace.v3.Tracing.Http`): OpenTelemetry or Zipkin.

import type { Problems } from '../../config/problems.ts';
import type { TelemetryService } from '../../config/telemetry-service.ts';
import type { OpenTelemetryProvider, TraceProvider, TraceSampler, ZipkinProvider } from '../../config/tracing.ts';
import type {
  OpenTelemetryConfig,
  ParentBasedSamplerConfig,
  Tracing_Http as ProviderMessage,
  TraceIdRatioBasedSamplerConfig,
  TypedExtensionConfig,
  ZipkinConfig,
} from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { decodeFraction } from './matcher.ts';
import { decodeHttpTelemetry, decodeResourceDetectors, decodeTelemetryService, wholeUri } from './telemetry-service.ts';

const openTelemetry = 'envoy.config.trace.v3.OpenTelemetryConfig';
const zipkin = 'envoy.config.trace.v3.ZipkinConfig';
const traceProvider = {
  what: 'trace provider',
  known: [openTelemetry, zipkin],
  instead: `write ${openTelemetry}, and let an OpenTelemetry Collector pass spans on`,
} as const;

export function decodeTraceProvider(message: ProviderMessage, problems: Problems): TraceProvider | undefined {
  const type = extensionType(message, traceProvider, problems);
  const name = message.name ?? '';
  const place = problems.at('typed_config');
  const config = message.typedConfig?.message;
  if (type === openTelemetry) return decodeOpenTelemetry(name, config as OpenTelemetryConfig, place);
  return type === zipkin ? decodeZipkin(name, config as ZipkinConfig, place) : undefined;
}

/** Envoy's default. */
const defaultMaxQueuedSpans = 1024;

function decodeOpenTelemetry(
  name: string,
  message: OpenTelemetryConfig,
  problems: Problems,
): OpenTelemetryProvider | undefined {
  const service = decodeTelemetryService(message, problems);
  const resource = decodeResourceDetectors(message.resourceDetectors, problems.at('resource_detectors'));
  const sampler = message.sampler && decodeSampler(message.sampler, problems.at('sampler'));
  if (service === undefined) return undefined;
  return {
    kind: 'opentelemetry',
    name,
    service,
    serviceName: message.serviceName ?? '',
    resource,
    ...given('sampler', sampler),
    maxQueuedSpans: message.maxCacheSize ?? defaultMaxQueuedSpans,
  };
}

const samplers = 'envoy.extensions.tracers.opentelemetry.samplers.v3';
const alwaysOn = `${samplers}.AlwaysOnSamplerConfig`;
const byRatio = `${samplers}.TraceIdRatioBasedSamplerConfig`;
const byParent = `${samplers}.ParentBasedSamplerConfig`;
const sampler = { what: 'sampler', known: [alwaysOn, byRatio, byParent] } as const;

function decodeSampler(message: TypedExtensionConfig, problems: Problems): TraceSampler | undefined {
  const type = extensionType(message, sampler, problems);
  const config = message.typedConfig?.message;
  const place = problems.at('typed_config');
  if (type === alwaysOn) return { followsParent: false, probability: 1 };
  if (type === byRatio) {
    const { samplingPercentage } = config as TraceIdRatioBasedSamplerConfig;
    const { numerator, denominator } = decodeFraction(samplingPercentage, undefined);
    return { followsParent: false, probability: Math.min(1, numerator / denominator) };
  }
  if (type !== byParent) return undefined;
  const { wrappedSampler } = config as ParentBasedSamplerConfig;
  if (wrappedSampler === undefined) place.at('wrapped_sampler').add('wrapped_sampler is required: it decides first');
  const wrapped = wrappedSampler && decodeSampler(wrappedSampler, place.at('wrapped_sampler'));
  return wrapped && { ...wrapped, followsParent: true };
}

const zipkinEncodings = { HTTP_JSON: 'json', HTTP_PROTO: 'protobuf' } as const;

function decodeZipkin(name: string, message: ZipkinConfig, problems: Problems): ZipkinProvider | undefined {
  const service = decodeZipkinCollector(message, problems);
  const version = message.collectorEndpointVersion;
  if (version !== 'HTTP_JSON' && version !== 'HTTP_PROTO') {
    problems.at('collector_endpoint_version').add('write HTTP_JSON or HTTP_PROTO: version 1 and gRPC are not offered');
    return undefined;
  }
  if (service === undefined) return undefined;
  return {
    kind: 'zipkin',
    name,
    service,
    encoding: zipkinEncodings[version],
    traceId128Bit: message.traceId128bit ?? false,
    sharedSpanContext: message.sharedSpanContext ?? true,
    alsoW3c: message.traceContextOption === 'USE_B3_WITH_W3C_PROPAGATION',
  };
}

/** Envoy's, for a collector that is named in the older fields. */
const defaultTimeoutMs = 5_000;

/** The newer field wins, as in Envoy. */
function decodeZipkinCollector(message: ZipkinConfig, problems: Problems): TelemetryService | undefined {
  const { collectorService, collectorCluster: cluster, collectorEndpoint: endpoint } = message;
  if (collectorService !== undefined) return decodeHttpTelemetry(collectorService, problems.at('collector_service'));
  if (cluster === undefined || endpoint === undefined) {
    problems.add('collector_service is required, or collector_cluster and collector_endpoint');
    return undefined;
  }
  const path = endpoint.startsWith('/') ? endpoint : `/${endpoint}`;
  const uri = wholeUri(`${message.collectorHostname ?? ''}${path}`, cluster);
  return { kind: 'http', cluster, uri, timeoutMs: defaultTimeoutMs, headers: [] };
}
