// Variables of OpenTelemetry that are set and change nothing, each with what decides in its place. Envoy's configuration names
// providers, clusters, shares and limits, and the environment fills only what it leaves open; who sets more than that and is
// not told so looks for his traces in the wrong place. Values are never told: they may be secret.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

import { type Environment, given } from './signal-switches.ts';

/** A sentence for each. */
export function ineffectiveVariables(environment: Environment): readonly string[] {
  const names = Object.keys(environment).filter((name) => name.startsWith('OTEL_') && given(environment, name));
  const sentences: string[] = [];
  for (const name of names.sort()) {
    const value = given(environment, name)!.toLowerCase();
    if (hasEffect(name, value, environment)) continue;
    const reason = reasons.find(([pattern]) => pattern.test(name))?.[1] ?? 'it is not read';
    sentences.push(`${name} has no effect: ${reason}`);
  }
  return sentences;
}

function hasEffect(name: string, value: string, environment: Environment): boolean {
  if (name === 'OTEL_SDK_DISABLED') return value === 'true' || value === 'false';
  if (name === 'OTEL_TRACES_EXPORTER' || name === 'OTEL_LOGS_EXPORTER') return value === 'none';
  // What is done in any case.
  if (name === 'OTEL_METRICS_EXEMPLAR_FILTER') return value === 'trace_based';
  if (always.test(name)) return true;
  return ofMetricsExporter.test(name) && given(environment, 'OTEL_METRICS_EXPORTER')?.toLowerCase() === 'otlp';
}

/** OTEL_METRICS_EXPORTER says itself which of its values cannot be followed. */
const always =
  /^OTEL_(EXPORTER_OTLP_(TRACES_|METRICS_|LOGS_)?(HEADERS|COMPRESSION|TIMEOUT)|SERVICE_NAME|RESOURCE_ATTRIBUTES|METRICS_EXPORTER)$/;

const ofMetricsExporter =
  /^OTEL_(EXPORTER_OTLP_(METRICS_)?(ENDPOINT|PROTOCOL|CERTIFICATE|CLIENT_CERTIFICATE|CLIENT_KEY)|EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE|METRIC_EXPORT_INTERVAL)$/;

const cluster = 'the cluster that the configuration names says where it is and how it is spoken to';
const ofOtlpMetrics = 'it is for metrics by OTEL_METRICS_EXPORTER=otlp; for the rest the cluster of the configuration';
const limits = 'max_path_tag_length and 64 KiB bound what a span says';

/** The first that matches. */
const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^OTEL_SDK_DISABLED$/, 'it is neither true nor false'],
  [/^OTEL_TRACES_EXPORTER$/, 'the provider of the tracing configuration says what spans are sent as; none stops them'],
  [/^OTEL_LOGS_EXPORTER$/, 'access logs go where the configuration says; none stops those by OTLP'],
  [/^OTEL_EXPORTER_OTLP_(TRACES|LOGS)_/, cluster],
  [/^OTEL_EXPORTER_ZIPKIN_/, cluster],
  [
    /_INSECURE$/,
    'http:// or https:// of the endpoint says it for metrics, the cluster of the configuration for the rest',
  ],
  [ofMetricsExporter, ofOtlpMetrics],
  [/HISTOGRAM_AGGREGATION$/, 'histogram_bucket_settings of the bootstrap say the buckets'],
  [/^OTEL_TRACES_SAMPLER/, 'the tracing configuration and --sampling-config decide what is kept'],
  [/^OTEL_PROPAGATORS$/, 'the provider of the tracing configuration says which headers are written'],
  [/^OTEL_BSP_/, 'reports leave when they are full and after a second; max_cache_size says how much may wait'],
  [/^OTEL_BLRP_/, 'buffer_size_bytes and buffer_flush_interval of the access log say when it is sent'],
  [/^OTEL_METRIC_EXPORT_TIMEOUT$/, 'OTEL_EXPORTER_OTLP_TIMEOUT bounds each attempt'],
  [/^OTEL_METRICS_EXEMPLAR_FILTER$/, 'exemplars are always of traces that are kept'],
  [/^OTEL_(ATTRIBUTE|SPAN|LOGRECORD|EVENT|LINK)_.*LIMIT$/, limits],
  [/^OTEL_EXPORTER_PROMETHEUS_/, 'the admin interface has /stats/prometheus'],
  [/^OTEL_LOG_LEVEL$/, '--log-level and /logging say what is logged'],
];
