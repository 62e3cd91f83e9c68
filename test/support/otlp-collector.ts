// A stand-in for an OpenTelemetry Collector: takes OTLP over HTTP/protobuf and over gRPC, decodes it with the official messages
// and keeps it, and can behave as badly as a test wants.

import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type handleUnaryCall, Metadata, Server, ServerCredentials, type StatusObject, status } from '@grpc/grpc-js';
import type { Test } from 'tap';
import { attributesOf, decodeOtlp, encodeOtlp, type KeyValue } from './otlp-messages.ts';

export type OtlpSignal = 'traces' | 'metrics' | 'logs';

/** How requests are answered from now on. What is refused or cut is received, and not kept. */
export type CollectorBehaviour =
  | { readonly kind: 'accept' }
  /** Takes all, and says that it took all but `rejected`. */
  | { readonly kind: 'partial'; readonly rejected: number; readonly message: string }
  /** `retryAfter` is a `Retry-After` header, or seconds of a `RetryInfo`. */
  | { readonly kind: 'refuse'; readonly http: number; readonly grpc: number; readonly retryAfter?: string }
  /** Says nothing. */
  | { readonly kind: 'silent' }
  /** Takes it and answers bytes that are no OTLP. */
  | { readonly kind: 'nonsense' }
  /** Closes the connection in the place of an answer (HTTP). */
  | { readonly kind: 'cut' };

export interface CollectedRequest {
  readonly signal: OtlpSignal;
  readonly protocol: 'http' | 'grpc';
  /** Header fields or metadata, lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  /** `Export…ServiceRequest` as `decodeOtlp` gives it. */
  readonly message: Record<string, unknown>;
}

export interface CollectedSpan {
  /** Ids in hex; `parentSpanId` is empty for a root. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** Such as `SPAN_KIND_SERVER`. */
  readonly kind: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly flags: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly timeNs: bigint;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  /** Such as `STATUS_CODE_ERROR`. */
  readonly status: { readonly code: string; readonly message: string };
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
}

/** PEM. A client must show a certificate of `clientRoots`. */
export interface CollectorTerms {
  readonly cert: string;
  readonly key: string;
  readonly clientRoots: string;
}

/** Both ports are on 127.0.0.1, and gone with the test. With `terms` both speak TLS. */
export async function startOtlpCollector(
  t: Test,
  behaviour: CollectorBehaviour = { kind: 'accept' },
  terms?: CollectorTerms,
): Promise<OtlpCollector> {
  const collector = new OtlpCollector(behaviour, terms);
  await collector.start();
  t.teardown(() => collector.stop());
  return collector;
}

const requestTypes: Readonly<Record<OtlpSignal, string>> = {
  traces: 'ExportTraceServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
  logs: 'ExportLogsServiceRequest',
};
const services: Readonly<Record<OtlpSignal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};
const signals: readonly OtlpSignal[] = ['traces', 'metrics', 'logs'];

export class OtlpCollector {
  behaviour: CollectorBehaviour;
  httpPort = 0;
  grpcPort = 0;
  /** What was taken, oldest first. */
  readonly requests: CollectedRequest[] = [];
  /** Of all requests, those included that were not taken. */
  received = 0;
  /** Connections of HTTP/1.1 that were accepted. */
  connections = 0;
  readonly #http: HttpServer;
  readonly #credentials: ServerCredentials;
  readonly #grpc = new Server({ 'grpc.max_receive_message_length': -1 });
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  constructor(behaviour: CollectorBehaviour, terms?: CollectorTerms) {
    this.behaviour = behaviour;
    const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#onHttp(request, response);
    if (terms === undefined) {
      this.#http = createServer(onRequest);
      this.#credentials = ServerCredentials.createInsecure();
      return;
    }
    const { cert, key, clientRoots } = terms;
    const client = { ca: clientRoots, requestCert: true, rejectUnauthorized: true };
    this.#http = createHttpsServer({ cert, key, ...client }, onRequest);
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    this.#credentials = ServerCredentials.createSsl(Buffer.from(clientRoots), [pair], true);
  }

  async start(): Promise<void> {
    for (const signal of signals) this.#serve(signal);
    this.#http.on('connection', () => this.connections++);
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    this.httpPort = (this.#http.address() as AddressInfo).port;
    this.grpcPort = await new Promise((resolve, reject) => {
      this.#grpc.bindAsync('127.0.0.1:0', this.#credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  }

  stop(): void {
    this.#http.close();
    this.#http.closeAllConnections();
    this.#grpc.forceShutdown();
  }

  /** Resolves when the condition holds, now or after some request. */
  until(isMet: (collector: this) => boolean): Promise<void> {
    if (isMet(this)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isMet: () => isMet(this), resolve }));
  }

  /** All spans taken, once there are `count` at least. */
  async spansAfter(count: number): Promise<readonly CollectedSpan[]> {
    await this.until(() => this.spans().length >= count);
    return this.spans();
  }

  spans(): readonly CollectedSpan[] {
    return this.requests
      .filter(({ signal }) => signal === 'traces')
      .flatMap(({ message }) => spansOf(message as never));
  }

  async #onHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const whole = Buffer.concat(chunks);
    const { behaviour } = this;
    const path = request.url ?? '';
    const signal = signals.find((each) => path.includes(each)) ?? 'traces';
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const body = headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole;
    this.#take({ signal, protocol: 'http', headers, path, body });
    switch (behaviour.kind) {
      case 'silent':
        return;
      case 'cut':
        request.socket.destroy();
        return;
      case 'refuse':
        response.writeHead(
          behaviour.http,
          behaviour.retryAfter === undefined ? {} : { 'retry-after': behaviour.retryAfter },
        );
        response.end();
        return;
      default:
        response.setHeader('content-type', 'application/x-protobuf');
        response.end(answerOf(behaviour));
    }
  }

  #serve(signal: OtlpSignal): void {
    const path = services[signal];
    const definition = {
      export: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    };
    const take: handleUnaryCall<Buffer, Uint8Array> = (call, answer) => {
      const fields = Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]);
      const headers = { ...Object.fromEntries(fields), ':authority': call.getHost() };
      const { behaviour } = this;
      this.#take({ signal, protocol: 'grpc', headers, path, body: call.request });
      if (behaviour.kind === 'silent') return;
      if (behaviour.kind === 'refuse' || behaviour.kind === 'cut') answer(refusalOf(behaviour));
      else answer(null, answerOf(behaviour));
    };
    this.#grpc.addService(definition, { export: take });
  }

  #take({ body, ...facts }: Omit<CollectedRequest, 'message'> & { readonly body: Buffer }): void {
    this.received++;
    const { kind } = this.behaviour;
    const isTaken = kind === 'accept' || kind === 'partial' || kind === 'nonsense';
    if (isTaken) this.requests.push({ ...facts, message: decodeOtlp(requestTypes[facts.signal], body) });
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((each) => !met.includes(each));
    for (const { resolve } of met) resolve();
  }
}

function answerOf(behaviour: CollectorBehaviour): Uint8Array {
  // A bytes field of 127 bytes, of which there is one.
  if (behaviour.kind === 'nonsense') return Buffer.from([0x0a, 0x7f, 0x00]);
  if (behaviour.kind !== 'partial') return new Uint8Array();
  const { rejected, message } = behaviour;
  return encodeOtlp('ExportResponse', { partialSuccess: { rejected, errorMessage: message } });
}

function refusalOf(behaviour: CollectorBehaviour): StatusObject {
  const metadata = new Metadata();
  if (behaviour.kind !== 'refuse') return { code: status.UNAVAILABLE, details: 'cut', metadata };
  if (behaviour.retryAfter !== undefined)
    metadata.set('grpc-status-details-bin', retryInfo(Number(behaviour.retryAfter)));
  return { code: behaviour.grpc, details: 'refused by the test', metadata };
}

/** A `google.rpc.Status` whose only detail is a `RetryInfo` of less than 128 seconds. */
function retryInfo(seconds: number): Buffer {
  const type = Buffer.from('type.googleapis.com/google.rpc.RetryInfo');
  const delay = Buffer.from([0x0a, 0x02, 0x08, seconds]);
  const any = Buffer.concat([Buffer.from([0x0a, type.length]), type, Buffer.from([0x12, delay.length]), delay]);
  return Buffer.concat([Buffer.from([0x1a, any.length]), any]);
}

interface TraceRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string } | null;
      readonly spans: readonly RawSpan[];
    }[];
  }[];
}

interface RawSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly traceState: string;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly flags: number;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly {
    readonly name: string;
    readonly timeUnixNano: string;
    readonly attributes: readonly KeyValue[];
  }[];
  readonly status: { readonly code: string; readonly message: string } | null;
}

function spansOf(request: TraceRequest): readonly CollectedSpan[] {
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const resourceAttributes = attributesOf(resource?.attributes ?? []);
    return scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => plainSpan(span, resourceAttributes, scope?.name ?? '')),
    );
  });
}

function plainSpan(span: RawSpan, resource: Record<string, unknown>, scope: string): CollectedSpan {
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentSpanId: span.parentSpanId.toString('hex'),
    traceState: span.traceState,
    name: span.name,
    kind: span.kind,
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    flags: span.flags,
    attributes: attributesOf(span.attributes),
    events: span.events.map(({ name, timeUnixNano, attributes }) => ({
      name,
      timeNs: BigInt(timeUnixNano),
      attributes: attributesOf(attributes),
    })),
    status: { code: span.status?.code ?? 'STATUS_CODE_UNSET', message: span.status?.message ?? '' },
    resource,
    scope,
  };
}
