// What the environment says about OTLP where Envoy's configuration leaves it open: OTEL_EXPORTER_OTLP_{TRACES_,METRICS_,LOGS_}
// HEADERS, COMPRESSION and TIMEOUT, read by OpenTelemetry's own reader. Where the collector is, and what the configuration
// says of these three, is never taken from the environment.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/

import { convertLegacyHttpOptions } from '@opentelemetry/otlp-exporter-base/node-http';
import type { Signal } from './sender.ts';

export interface OtlpSettings {
  /** Lower-case names. */
  readonly headers: readonly (readonly [string, string])[];
  readonly usesGzip: boolean;
  /** Of one attempt; 10 s when nothing is said. */
  readonly timeoutMs: number;
}

export async function readOtlpSettings(signal: Signal): Promise<OtlpSettings> {
  const { headers, compression, timeoutMillis } = convertLegacyHttpOptions({}, signal.toUpperCase(), '', {});
  const given = Object.entries(await headers());
  return {
    headers: given.map(([name, value]) => [name.toLowerCase(), value] as const),
    usesGzip: compression === 'gzip',
    timeoutMs: timeoutMillis,
  };
}
