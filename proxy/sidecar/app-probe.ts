// The application's own probes and lifecycle hooks, asked by us: the kubelet is not in the mesh, so the injector has it ask
// port 15020 of the sidecar, and gives the sidecar what was asked before (`ISTIO_KUBE_APP_PROBERS`).
// https://istio.io/latest/docs/ops/configuration/mesh/app-health-check/

import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import type { Problems } from '../../config/problems.ts';
import { longestTimerMs } from '../../config/timer-limit.ts';
import { checkGrpcHealth, SERVING } from './grpc-health.ts';
import { leavingFrom } from './probe-source.ts';

export type AppProbe = { readonly timeoutMs: number } & (
  | {
      readonly kind: 'http';
      readonly scheme: 'http' | 'https';
      readonly port: number;
      readonly path: string;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string }
);

/** `status` is what the kubelet is told; below 400 is healthy. */
export interface ProbeResult {
  readonly status: number;
  readonly text: string;
}

/** By path, such as `/app-health/shop/livez`. */
export function readAppProbes(
  written: Readonly<Record<string, unknown>>,
  problems: Problems,
): ReadonlyMap<string, AppProbe> {
  const found = new Map<string, AppProbe>();
  for (const [path, probe] of Object.entries(written)) {
    const place = problems.item(path);
    const read = readProbe(objectOf(probe), place);
    if (!PATH.test(path)) place.add('the path must be /app-health/… or /app-lifecycle/…');
    else if (read !== undefined) found.set(path, read);
  }
  return found;
}

function readProbe(probe: JsonObject, problems: Problems): AppProbe | undefined {
  const { httpGet, tcpSocket, grpc, timeoutSeconds } = probe;
  const isGiven = typeof timeoutSeconds === 'number' && timeoutSeconds > 0;
  const timeoutMs = isGiven ? Math.min(timeoutSeconds * 1000, longestTimerMs) : 1000;
  if (httpGet !== undefined) return readHttpProbe(objectOf(httpGet), timeoutMs, problems.at('httpGet'));
  const [kind, target] = tcpSocket === undefined ? (['grpc', grpc] as const) : (['tcp', tcpSocket] as const);
  const { port, service } = objectOf(target);
  const number = portOf(port, problems.at(kind === 'tcp' ? 'tcpSocket' : 'grpc'));
  if (number === undefined) return undefined;
  if (kind === 'tcp') return { kind, timeoutMs, port: number };
  return { kind, timeoutMs, port: number, service: typeof service === 'string' ? service : '' };
}

function readHttpProbe(target: JsonObject, timeoutMs: number, problems: Problems): AppProbe | undefined {
  const port = portOf(target['port'], problems);
  if (port === undefined) return undefined;
  const path = typeof target['path'] === 'string' ? target['path'] : '/';
  const headers = Array.isArray(target['httpHeaders']) ? target['httpHeaders'].map(objectOf) : [];
  return {
    kind: 'http',
    timeoutMs,
    port,
    scheme: target['scheme'] === 'HTTPS' ? 'https' : 'http',
    path: pathText(path.startsWith('/') ? path : `/${path}`),
    headers: headers.map(({ name, value }) => ({ name: String(name), value: String(value ?? '') })),
  };
}

/** Kubernetes takes any text for a path; what no request can have in it is encoded, as the kubelet does. */
function pathText(path: string): string {
  return path.toWellFormed().replaceAll(/[^!-~]/gu, encodeURIComponent);
}

/** The injector has resolved names of ports already. */
function portOf(port: unknown, problems: Problems): number | undefined {
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) return port;
  problems.at('port').add('must be a number from 1 to 65535');
  return undefined;
}

export interface ProbeTarget {
  /** The pod's own address: an application may listen on no other. */
  readonly host: string;
  /**
   * What is asked from; the kernel's choice when it is undefined. Rules of Istio's redirect what a sidecar sends to its own
   * pod into the sidecar again, where mutual TLS is asked for, unless it comes from here.
   */
  readonly source: string | undefined;
}

/** Never rejects: what fails is unhealthy, and says how, also where Node refuses to send it (a header with a line end). */
export async function askProbe(probe: AppProbe, target: ProbeTarget): Promise<ProbeResult> {
  try {
    return await ask(probe, target);
  } catch (error) {
    return failed((error as Error).message);
  }
}

function ask(probe: AppProbe, target: ProbeTarget): Promise<ProbeResult> {
  switch (probe.kind) {
    case 'http':
      return askHttp(probe, target);
    case 'tcp':
      return askTcp(probe, target);
    case 'grpc':
      return askGrpc(probe, target);
  }
}

/** As the kubelet asks: certificates are not verified, redirections are answers. */
function askHttp(probe: Extract<AppProbe, { kind: 'http' }>, { host, source }: ProbeTarget): Promise<ProbeResult> {
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const request = probe.scheme === 'https' ? requestHttps : requestHttp;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/outrigger' };
  for (const { name, value } of probe.headers) headers[name.toLowerCase()] = value;
  const signal = AbortSignal.timeout(probe.timeoutMs);
  const call = request({
    host,
    ...leavingFrom(source),
    port: probe.port,
    path: probe.path,
    headers,
    agent: false,
    rejectUnauthorized: false,
    signal,
  });
  call.on('response', (response) => {
    const status = response.statusCode ?? 500;
    response.destroy();
    resolve({ status, text: `the application answered ${status}` });
  });
  call.on('error', (error) => resolve(failed(signal.aborted ? late(probe.timeoutMs) : error.message)));
  call.end();
  return promise;
}

function askTcp(
  { port, timeoutMs }: Extract<AppProbe, { kind: 'tcp' }>,
  { host, source }: ProbeTarget,
): Promise<ProbeResult> {
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const socket = connect({ host, ...leavingFrom(source), port, timeout: timeoutMs });
  const end = (result: ProbeResult): void => {
    socket.destroy();
    resolve(result);
  };
  socket.once('connect', () => end({ status: 200, text: `port ${port} accepts connections` }));
  socket.once('timeout', () => end(failed(late(timeoutMs))));
  socket.once('error', (error) => end(failed(error.message)));
  return promise;
}

async function askGrpc(
  probe: Extract<AppProbe, { kind: 'grpc' }>,
  { host, source }: ProbeTarget,
): Promise<ProbeResult> {
  const { port, service, timeoutMs } = probe;
  const answer = await checkGrpcHealth({ host, source, port, service, timeoutMs });
  if (answer.kind === 'failed') return failed(answer.reason);
  if (answer.status === SERVING) return { status: 200, text: 'the application serves' };
  return { status: 500, text: `the application says that it does not serve (status ${answer.status})` };
}

function failed(reason: string): ProbeResult {
  return { status: 500, text: `the application cannot be asked: ${reason}` };
}

function late(timeoutMs: number): string {
  return `no answer within ${timeoutMs} ms`;
}

/** Hooks of a container's life are asked as its probes are (`prestopz`, `poststartz`). */
const PATH = /^\/app-(?:health|lifecycle)\//;

type JsonObject = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
