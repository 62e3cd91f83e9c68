// Metrics by OpenTelemetry's environment: OTEL_METRICS_EXPORTER=otlp sends them to a collector that no cluster names.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
//
// Headers, compression and timeout are read where every sender reads them (`otlp-settings.ts`).

import type { StatsSink } from '../../config/bootstrap.ts';
import type { GrpcCluster, GrpcTls, SecretText } from '../../config/config-source.ts';
import { longestTimerMs } from '../../config/timer-limit.ts';
import { type Environment, given, isSignalOff } from './signal-switches.ts';

export interface EnvironmentSink {
  readonly sink: StatsSink;
  /** The collector, as if the bootstrap had it. */
  readonly cluster: GrpcCluster;
  readonly intervalMs: number;
}

const connectTimeoutMs = 10_000;
const defaultIntervalMs = 60_000;

/** Null when the environment asks for nothing. @throws Error naming the variable that cannot be followed. */
export function environmentSink(environment: Environment): EnvironmentSink | null {
  if (isSignalOff(environment, 'metrics')) return null;
  const exporter = given(environment, 'OTEL_METRICS_EXPORTER');
  if (exporter === undefined) return null;
  if (exporter.toLowerCase() !== 'otlp') {
    throw new Error(
      `OTEL_METRICS_EXPORTER=${exporter}: otlp and none are supported, and /stats/prometheus is always there`,
    );
  }
  const endpoint = endpointOf(environment, protocolOf(environment));
  const service = { ...endpoint.service, cluster: endpoint.cluster.name, timeoutMs: 0 };
  const areDeltas = temporalityOf(environment) === 'delta';
  return {
    sink: {
      service,
      resource: { fromEnvironment: true, attributes: [] },
      countersAsDeltas: areDeltas,
      histogramsAsDeltas: areDeltas,
      tagsAsAttributes: true,
      usesTagExtractedNames: true,
      prefix: '',
      maxDataPointsPerRequest: 0,
    },
    cluster: endpoint.cluster,
    intervalMs: intervalOf(environment),
  };
}

function endpointOf(environment: Environment, protocol: 'grpc' | 'http/protobuf') {
  const ofMetrics = given(environment, 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT');
  const general = given(environment, 'OTEL_EXPORTER_OTLP_ENDPOINT');
  const variable = ofMetrics === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT';
  const text = ofMetrics ?? general ?? `http://localhost:${protocol === 'grpc' ? 4317 : 4318}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && url.username + url.password !== '') {
    throw new Error(`${variable}: credentials in a URL are not sent: put them into OTEL_EXPORTER_OTLP_HEADERS`);
  }
  const isSecured = url?.protocol === 'https:';
  if (url === null || (url.protocol !== 'http:' && !isSecured))
    throw new Error(`${variable}=${text}: a URL such as http://collector:4318 is needed`);
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port || (isSecured ? 443 : 80));
  const cluster: GrpcCluster = {
    name: url.host,
    endpoints: [{ kind: 'host', hostname, port }],
    connectTimeoutMs,
    ...(isSecured && { tls: tlsOf(environment) }),
  };
  if (protocol === 'grpc') return { cluster, service: { kind: 'grpc', authority: url.host, metadata: [] } as const };
  // Only the general endpoint is one for all signals.
  const uri = ofMetrics ?? `${text.replace(/\/$/, '')}/v1/metrics`;
  return { cluster, service: { kind: 'http', uri, headers: [] } as const };
}

/** By the certificates of the system where none are named. */
function tlsOf(environment: Environment): GrpcTls {
  const roots = fileOf(environment, 'CERTIFICATE');
  const certificateChain = fileOf(environment, 'CLIENT_CERTIFICATE');
  const privateKey = fileOf(environment, 'CLIENT_KEY');
  if ((certificateChain === undefined) !== (privateKey === undefined)) {
    throw new Error('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY belong together');
  }
  return {
    ...(roots && { roots }),
    ...(certificateChain && { certificateChain }),
    ...(privateKey && { privateKey }),
    subjectAltNames: [],
  };
}

function fileOf(environment: Environment, what: string): SecretText | undefined {
  const path =
    given(environment, `OTEL_EXPORTER_OTLP_METRICS_${what}`) ?? given(environment, `OTEL_EXPORTER_OTLP_${what}`);
  return path === undefined ? undefined : { kind: 'file', path };
}

function protocolOf(environment: Environment): 'grpc' | 'http/protobuf' {
  const ofMetrics = given(environment, 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL');
  const protocol = ofMetrics ?? given(environment, 'OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/protobuf';
  if (protocol === 'grpc' || protocol === 'http/protobuf') return protocol;
  throw new Error(`OTEL_EXPORTER_OTLP_PROTOCOL=${protocol}: grpc and http/protobuf are supported`);
}

function temporalityOf(environment: Environment): 'cumulative' | 'delta' {
  const variable = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE';
  const preference = given(environment, variable)?.toLowerCase() ?? 'cumulative';
  // What low memory leaves cumulative are sums that go up and down, of which there are none.
  if (preference === 'lowmemory') return 'delta';
  if (preference === 'cumulative' || preference === 'delta') return preference;
  throw new Error(`${variable}=${preference}: cumulative, delta and lowmemory are supported`);
}

function intervalOf(environment: Environment): number {
  const text = given(environment, 'OTEL_METRIC_EXPORT_INTERVAL');
  if (text === undefined) return defaultIntervalMs;
  const intervalMs = Number(text);
  if (Number.isInteger(intervalMs) && intervalMs > 0 && intervalMs <= longestTimerMs) return intervalMs;
  throw new Error(`OTEL_METRIC_EXPORT_INTERVAL=${text}: milliseconds are needed`);
}
