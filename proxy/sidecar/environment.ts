// What Istio's injector tells the sidecar's container: environment variables, and files with the pod's labels and
// annotations. Read once, with every problem named; everything behind it goes by `SidecarEnvironment`.
// https://github.com/istio/istio/blob/master/manifests/charts/istio-control/istio-discovery/files/injection-template.yaml

import { isIP } from 'node:net';
import { parsePodFile } from '../../config/pod-files.ts';
import { ConfigError, Problems } from '../../config/problems.ts';
import type { TerminationSettings } from './termination.ts';

export interface SidecarEnvironment {
  readonly podName: string;
  readonly namespace: string;
  /** The pod's own address first. */
  readonly instanceIps: readonly string[];
  readonly serviceAccount: string;
  readonly nodeName: string;
  readonly hostIp: string;
  readonly trustDomain: string;
  readonly clusterId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly proxyConfig: ProxyConfig;
  /** Where certificates are asked for, `host:port`. */
  readonly caAddress: string;
  /** `ISTIOD_SAN`: the name that the control plane's certificate is for, where that is not the one in its address. */
  readonly istiodName: string | undefined;
  /** The same of the CA, where that is the control plane. */
  readonly caName: string | undefined;
  /** By which the control plane and the CA are known. */
  readonly rootCertificate: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'system' };
  readonly tokenPath: string;
  /** `SPIFFE_ENDPOINT_SOCKET`: an agent that is asked in place of the CA. */
  readonly workloadApi: string | undefined;
  /** `FILE_MOUNTED_CERTS`: certificates are in `/etc/certs`. */
  readonly hasMountedCertificates: boolean;
  readonly keyKind: 'ecdsa-p256' | 'rsa-2048';
  readonly certificateLifetimeMs: number;
  readonly signer: string | undefined;
  /** `ISTIO_META_*` and `ISTIO_METAJSON_*`, in the node's own names. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** `ISTIO_KUBE_APP_PROBERS`: the application's own probes, by the path that the kubelet asks for instead. */
  readonly appProbes: Readonly<Record<string, unknown>>;
  /** `REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION`: probes are for applications that listen on loopback. */
  readonly probesLoopback: boolean;
  /** `ISTIO_PROMETHEUS_ANNOTATIONS`: where the application's metrics are. */
  readonly appMetrics: readonly MetricsPlace[];
  /** `ISTIO_META_DNS_CAPTURE`: the pod's queries of DNS come to us. */
  readonly capturesDns: boolean;
  readonly termination: TerminationSettings;
  /** `OUTRIGGER_EXIT_AFTER_APPLICATION`: the sidecar ends when the application has gone for so long. */
  readonly exitAfterApplicationMs: number | undefined;
}

export interface MetricsPlace {
  readonly port: number;
  readonly path: string;
}

/** What is used of `istio.mesh.v1alpha1.ProxyConfig`. */
export interface ProxyConfig {
  readonly discoveryAddress: string;
  readonly serviceCluster: string | undefined;
  readonly concurrency: number | undefined;
  readonly adminPort: number;
  readonly statusPort: number;
  /** `/healthz/ready`, and `/stats/prometheus` of our own. */
  readonly healthPort: number;
  readonly prometheusPort: number;
  /** As it came, for the node's metadata. */
  readonly written: Readonly<Record<string, unknown>>;
}

export interface EnvironmentSource {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The text of a file; undefined when there is none. */
  readonly readFile: (path: string) => string | undefined;
}

/** Throws `ConfigError` with every problem when there is one. */
export function readEnvironment({ variables, readFile }: EnvironmentSource): SidecarEnvironment {
  const problems = new Problems();
  const reader = new VariableReader(variables, problems);
  const written = reader.object('PROXY_CONFIG');
  // What the mesh says for every proxy is as good as what the container's own environment says, and gives way to it.
  const all = { ...stringsOf(written['proxyMetadata']), ...variables };
  const read = new VariableReader(all, problems);
  const annotations = readPodFile(readFile, annotationsPath, problems);
  const proxyConfig = readProxyConfig({ written, annotations, read, problems });
  const environment: SidecarEnvironment = {
    podName: read.required('POD_NAME', 'the name of the pod'),
    namespace: read.required('POD_NAMESPACE', 'the namespace of the pod'),
    instanceIps: readInstanceIps(read, problems),
    serviceAccount: read.text('SERVICE_ACCOUNT') ?? 'default',
    nodeName: read.text('ISTIO_META_NODE_NAME') ?? '',
    hostIp: read.text('HOST_IP') ?? '',
    trustDomain: read.text('TRUST_DOMAIN') ?? 'cluster.local',
    clusterId: read.text('ISTIO_META_CLUSTER_ID') ?? 'Kubernetes',
    labels: readPodFile(readFile, labelsPath, problems),
    annotations,
    proxyConfig,
    caAddress: read.text('CA_ADDR') ?? proxyConfig.discoveryAddress,
    istiodName: read.text('ISTIOD_SAN'),
    caName: read.text('CA_ADDR') === undefined ? read.text('ISTIOD_SAN') : undefined,
    rootCertificate: readRootCertificate(read, problems),
    tokenPath: read.text('JWT_TOKEN_PATH') ?? '/var/run/secrets/tokens/istio-token',
    workloadApi: readWorkloadApi(read, problems),
    hasMountedCertificates: read.text('FILE_MOUNTED_CERTS') === 'true',
    keyKind: read.text('ECC_SIGNATURE_ALGORITHM') === 'ECDSA' ? 'ecdsa-p256' : 'rsa-2048',
    certificateLifetimeMs: read.duration('SECRET_TTL') ?? DAY_MS,
    signer: read.text('ISTIO_META_CERT_SIGNER'),
    metadata: read.metadata(),
    appProbes: read.object('ISTIO_KUBE_APP_PROBERS'),
    probesLoopback: read.text('REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION') === 'true',
    appMetrics: readAppMetrics(read, proxyConfig, problems),
    capturesDns: readDnsCapture(read, problems),
    termination: readTermination({ written, read, problems }),
    exitAfterApplicationMs: read.duration('OUTRIGGER_EXIT_AFTER_APPLICATION'),
  };
  if (!problems.isEmpty) throw new ConfigError('the environment of the sidecar', problems.list);
  return environment;
}

/** Istio's rules lead to no other place. */
function readDnsCapture(read: VariableReader, problems: Problems): boolean {
  const isCaptured = read.text('ISTIO_META_DNS_CAPTURE') === 'true';
  const variable = 'DNS_PROXY_ADDR';
  const address = read.text(variable) ?? usualDnsAddress;
  if (isCaptured && address !== usualDnsAddress) {
    problems.at(variable).unsupported(address, `names are answered at ${usualDnsAddress}; leave it out`);
  }
  return isCaptured;
}

interface WrittenSources {
  readonly written: Readonly<Record<string, unknown>>;
  readonly read: VariableReader;
  readonly problems: Problems;
}

/** The older variable goes first, as in Istio's agent. */
function readTermination({ written, read, problems }: WrittenSources): TerminationSettings {
  const place = problems.at('PROXY_CONFIG');
  const { terminationDrainDuration, drainDuration } = written;
  const olderVariable = 'TERMINATION_DRAIN_DURATION_SECONDS';
  const seconds = wholeNumber(read.text(olderVariable), problems.at(olderVariable));
  const drainMs = durationMs(textOr(terminationDrainDuration, '5s'), place.at('terminationDrainDuration'));
  return {
    drainMs: seconds === undefined ? drainMs : seconds * unitMs.s,
    waitsForConnections: read.truth('EXIT_ON_ZERO_ACTIVE_CONNECTIONS'),
    minimumDrainMs: read.duration('MINIMUM_DRAIN_DURATION') ?? 5 * unitMs.s,
    acceptsForMs: durationMs(textOr(drainDuration, '45s'), place.at('drainDuration')),
  };
}

interface ProxyConfigSources extends WrittenSources {
  readonly annotations: Readonly<Record<string, string>>;
}

/** Two annotations of the pod go before what is written, as in Istio's agent. */
function readProxyConfig({ written, annotations, read, problems }: ProxyConfigSources): ProxyConfig {
  const place = problems.at('PROXY_CONFIG');
  const { discoveryAddress, serviceCluster, concurrency, proxyAdminPort, statusPort } = written;
  return {
    discoveryAddress:
      annotations['sidecar.istio.io/discoveryAddress'] ?? textOr(discoveryAddress, 'istiod.istio-system.svc:15012'),
    serviceCluster: typeof serviceCluster === 'string' ? serviceCluster : undefined,
    concurrency: wholeNumber(concurrency, place.at('concurrency')),
    adminPort: wholeNumber(proxyAdminPort, place.at('proxyAdminPort')) ?? 15_000,
    statusPort:
      wholeNumber(annotations[statusPortAnnotation], problems.at(statusPortAnnotation)) ??
      wholeNumber(statusPort, place.at('statusPort')) ??
      15_020,
    healthPort: read.port('ENVOY_STATUS_PORT') ?? 15_021,
    prometheusPort: read.port('ENVOY_PROMETHEUS_PORT') ?? 15_090,
    written,
  };
}

/** Istio's injector says `INSTANCE_IP`; a pod with two families has both in `INSTANCE_IPS`. */
function readInstanceIps(read: VariableReader, problems: Problems): readonly string[] {
  const ips = (read.text('INSTANCE_IPS') ?? read.required('INSTANCE_IP', 'the address of the pod')).split(',');
  const wrong = ips.find((ip) => isIP(ip) === 0);
  if (wrong !== undefined && wrong !== '') problems.at('INSTANCE_IP').add(`${JSON.stringify(wrong)} is no IP address`);
  return ips;
}

/** `PILOT_CERT_PROVIDER`, unless a file is named. */
function readRootCertificate(read: VariableReader, problems: Problems): SidecarEnvironment['rootCertificate'] {
  const named = read.text('CA_ROOT_CA') ?? read.text('XDS_ROOT_CA');
  if (named !== undefined) return named === 'SYSTEM' ? { kind: 'system' } : { kind: 'file', path: named };
  const provider = read.text('PILOT_CERT_PROVIDER') ?? 'istiod';
  if (provider === 'system') return { kind: 'system' };
  const path = rootCertificates.get(provider);
  if (path !== undefined) return { kind: 'file', path };
  problems
    .at('PILOT_CERT_PROVIDER')
    .add(`${provider} is not one of ${[...rootCertificates.keys(), 'system'].join(', ')}`);
  return { kind: 'system' };
}

/** Unix sockets only: over TCP everybody on the way could ask as this workload. */
function readWorkloadApi(read: VariableReader, problems: Problems): string | undefined {
  const target = read.text('SPIFFE_ENDPOINT_SOCKET');
  if (target !== undefined && !target.startsWith('unix:/')) {
    problems.at('SPIFFE_ENDPOINT_SOCKET').unsupported(target, 'write unix:///path/of/the/socket');
  }
  return target;
}

/** One place, or several in `targets`. */
function readAppMetrics(
  read: VariableReader,
  { adminPort, statusPort, prometheusPort }: ProxyConfig,
  problems: Problems,
): SidecarEnvironment['appMetrics'] {
  const variable = 'ISTIO_PROMETHEUS_ANNOTATIONS';
  const written = read.object(variable);
  if (read.text(variable) === undefined || written['scrape'] === 'false' || written['scrape'] === false) return [];
  const targets = Array.isArray(written['targets']) && written['targets'].length > 0 ? written['targets'] : [written];
  return targets.map((target) => {
    const { port: text, path } = (target ?? {}) as Readonly<Record<string, unknown>>;
    const place = problems.at(variable).at('port');
    const port = wholeNumber(text === '' ? undefined : text, place) ?? 80;
    if ([adminPort, statusPort, prometheusPort].includes(port) || sidecarPorts.has(port)) {
      place.add(`${port} is a port of the sidecar: name one of the application`);
    }
    return { port, path: textOr(path, '/metrics') };
  });
}

function readPodFile(
  readFile: EnvironmentSource['readFile'],
  path: string,
  problems: Problems,
): Readonly<Record<string, string>> {
  try {
    return parsePodFile(readFile(path) ?? '');
  } catch (error) {
    problems.at(path).add((error as Error).message);
    return {};
  }
}

class VariableReader {
  readonly #variables: EnvironmentSource['variables'];
  readonly #problems: Problems;

  constructor(variables: EnvironmentSource['variables'], problems: Problems) {
    this.#variables = variables;
    this.#problems = problems;
  }

  /** Undefined where it is empty as well: a container's template leaves out nothing. */
  text(name: string): string | undefined {
    const value = this.#variables[name];
    return value === undefined || value === '' ? undefined : value;
  }

  required(name: string, what: string): string {
    const value = this.text(name);
    if (value === undefined) this.#problems.at(name).add(`${what} is required: set it from the downward API`);
    return value ?? '';
  }

  port(name: string): number | undefined {
    return wholeNumber(this.text(name), this.#problems.at(name));
  }

  duration(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : durationMs(value, this.#problems.at(name));
  }

  /** False when it is not there; in the words that Istio's agent knows. */
  truth(name: string): boolean {
    const value = this.text(name) ?? 'false';
    if (!truths.has(value)) this.#problems.at(name).add(`${JSON.stringify(value)} is neither true nor false`);
    return truths.get(value) ?? false;
  }

  /** JSON; empty when it is not there. */
  object(name: string): Readonly<Record<string, unknown>> {
    const value = this.text(name);
    if (value === undefined) return {};
    const read = parseObject(value);
    if (read === undefined) this.#problems.at(name).add('must be an object in JSON, as the injector writes it');
    return read ?? {};
  }

  /** Values of `ISTIO_METAJSON_…` are objects whose entries are metadata; those of `ISTIO_META_…` are texts. */
  metadata(): Readonly<Record<string, unknown>> {
    const found: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(this.#variables)) {
      if (value === undefined) continue;
      if (name.startsWith(JSON_PREFIX)) Object.assign(found, this.object(name));
      else if (name.startsWith(TEXT_PREFIX)) found[name.slice(TEXT_PREFIX.length)] = value;
    }
    return found;
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function stringsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function wholeNumber(value: unknown, problems: Problems): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number;
  problems.add(`${JSON.stringify(value)} is no whole number from 0 to 65535`);
  return undefined;
}

/** As Go writes durations, `24h0m0s`, without fractions of a millisecond. */
function durationMs(text: string, problems: Problems): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length > 0 && parts.map(([whole]) => whole).join('') === text) {
    return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * unitMs[unit as keyof typeof unitMs], 0);
  }
  problems.add(`${JSON.stringify(text)} is no duration such as 45s or 24h`);
  return 0;
}

const unitMs = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const DAY_MS = 24 * unitMs.h;
/** `strconv.ParseBool` of Go. */
const truths: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'False', 'FALSE'].map((word) => [word, false] as const),
]);
const TEXT_PREFIX = 'ISTIO_META_';
const JSON_PREFIX = 'ISTIO_METAJSON_';
const usualDnsAddress = 'localhost:15053';
const labelsPath = '/etc/istio/pod/labels';
const statusPortAnnotation = 'status.sidecar.istio.io/port';
/** Metrics that are asked for there would be ours once more, or ask us again without end. */
const sidecarPorts: ReadonlySet<number> = new Set([
  15_000, 15_001, 15_004, 15_006, 15_008, 15_020, 15_021, 15_053, 15_090,
]);
const annotationsPath = '/etc/istio/pod/annotations';
const rootCertificates: ReadonlyMap<string, string> = new Map([
  ['istiod', '/var/run/secrets/istio/root-cert.pem'],
  ['kubernetes', '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'],
]);
