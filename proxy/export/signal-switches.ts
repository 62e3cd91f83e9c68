// Which signals OpenTelemetry's environment turns off, whatever Envoy's configuration says: OTEL_SDK_DISABLED=true all of them,
// OTEL_{TRACES,METRICS,LOGS}_EXPORTER=none one. Headers of traces are written as before: neither is about propagators.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

import type { Signal } from './sender.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export function isSignalOff(environment: Environment, signal: Signal): boolean {
  if (given(environment, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return true;
  return given(environment, `OTEL_${signal.toUpperCase()}_EXPORTER`)?.toLowerCase() === 'none';
}

/** An empty variable is as none. */
export function given(environment: Environment, name: string): string | undefined {
  return environment[name]?.trim() || undefined;
}
