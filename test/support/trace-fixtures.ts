// Connection managers that trace, and what was recorded of their requests, decoded.

import type { OpenTelemetryProvider, RouteTracing, Tracing } from '../../config/tracing.ts';
import { readSpanRecords } from '../../proxy/export/span-record-reader.ts';
import type { RequestHead } from '../../proxy/http/message.ts';
import { SamplingMemory } from '../../proxy/tracing/sampling-memory.ts';
import type { TracingMessage } from '../../proxy/tracing/tracing-message.ts';
import type { CertificateFacts, TlsFacts } from '../../proxy/transport/tls-facts.ts';
import { Scene, type SceneOptions } from './http-fixtures.ts';
import { attributesOf, decodeOtlp, type KeyValue } from './otlp-messages.ts';
import { factsOf, type ReadFacts } from './span-fixtures.ts';

export const someProvider: OpenTelemetryProvider = {
  kind: 'opentelemetry',
  name: 'envoy.tracers.opentelemetry',
  service: { kind: 'grpc', cluster: 'collector', authority: '', timeoutMs: 0, metadata: [] },
  serviceName: '',
  resource: { fromEnvironment: false, attributes: [] },
  maxQueuedSpans: 1024,
};

/** Keeps every request that asks for nothing else. */
export function tracingOf(fields: Partial<Tracing> = {}, sampling: Partial<Tracing['sampling']> = {}): Tracing {
  return {
    sampling: {
      clientPercent: 100,
      randomPerTenThousand: 10_000,
      overallPerTenThousand: 10_000,
      usesRequestId: true,
      marksIds: true,
      ...sampling,
    },
    provider: someProvider,
    customTags: [],
    maxPathTagLength: 256,
    verbose: false,
    spawnUpstreamSpan: false,
    operation: '',
    upstreamOperation: '',
    noContextPropagation: false,
    ...fields,
  };
}

/** What a route asks for that says nothing of its percentages. */
export const allOfRoute: RouteTracing = {
  clientPerTenThousand: 10_000,
  randomPerTenThousand: 10_000,
  overallPerTenThousand: 10_000,
  customTags: [],
  operation: '',
  upstreamOperation: '',
};

/** A scene whose percentage keeps nothing, unless it is told otherwise. */
export function tracedScene(sampling: Partial<Tracing['sampling']> = {}, options: SceneOptions = {}): Scene {
  const none = { randomPerTenThousand: 0, ...sampling };
  return new Scene({ ...options, manager: { tracing: tracingOf({}, none), ...options.manager } });
}

export const callerTrace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' } as const;

/** Makes a request one of `callerTrace`, with these flags and other fields. */
export function withParent(flags: string, ...more: readonly (readonly [string, string])[]) {
  return ({ headers }: RequestHead): void => {
    headers.append('traceparent', `00-${callerTrace.traceId}-${callerTrace.spanId}-${flags}`);
    for (const [name, value] of more) headers.append(name, value);
  };
}

export function certificateOf(name: string): CertificateFacts {
  const hash = Buffer.from(name.padEnd(32, '.')).toString('hex');
  const names = { dnsNames: [], ipAddresses: [], emails: [], uris: [`spiffe://mesh.test/sa/${name}`] };
  const dates = { notBeforeMs: 0, notAfterMs: 0 };
  return { subject: '', issuer: 'O=mesh', serial: '1', sha256: hash, sha1: '', ...names, ...dates, chain: [] };
}

/** A connection of `own` with `peer`, whose names are those of service accounts. */
export function mutual(own: string, peer: string): TlsFacts {
  return {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    group: 'X25519',
    alpn: '',
    serverName: '',
    isResumed: false,
    peer: certificateOf(peer),
    isPeerVerified: true,
    own: certificateOf(own),
  };
}

export interface RecordedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code: string; readonly message: string } | null;
  readonly flags: number;
}

export interface RecordedRequest extends Omit<ReadFacts, 'spans'> {
  readonly spans: readonly RecordedSpan[];
}

/** Records of all batches so far, oldest first. */
export function recordsOf(messages: readonly TracingMessage[]): readonly RecordedRequest[] {
  return messages.flatMap((message) =>
    message.kind === 'spans'
      ? readSpanRecords(message.bytes).map((record) => ({ ...factsOf(record), spans: record.spans.map(decodeSpan) }))
      : [],
  );
}

function decodeSpan(bytes: Uint8Array): RecordedSpan {
  const span = decodeOtlp('Span', bytes) as unknown as WireSpan;
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: span.name,
    kind: ['', '', 'SPAN_KIND_SERVER', 'SPAN_KIND_CLIENT'].indexOf(span.kind),
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
    status: span.status,
    flags: span.flags,
  };
}

interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly KeyValue[] }[];
  readonly status: { readonly code: string; readonly message: string } | null;
  readonly flags: number;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What a scene has recorded so far. */
export function recordsIn(scene: Scene): readonly RecordedRequest[] {
  scene.tracing.flush();
  return recordsOf(scene.tracingMessages);
}

/** The memory of counters and thresholds that the worker of a scene shares. */
export function memoryOf(scene: Scene): SamplingMemory {
  const message = scene.tracingMessages.find(({ kind }) => kind === 'sampling-memory');
  if (message?.kind !== 'sampling-memory') throw new Error('no memory was announced');
  return new SamplingMemory(message.memory);
}

/** The value of a field in a head as `FakeConnection` keeps it. */
export function sentField(requestHead: string, name: string): string | undefined {
  const line = requestHead.split('\n').find((each) => each.toLowerCase().startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}
