// What a kept span costs the main thread until it is the bytes of a request: as a span of OpenTelemetry's SDK, of which its
// serializer makes bytes, and as bytes that the worker wrote. Prints CPU time and memory a span, the best of some rounds.
// Run: node bench/micro/span-export.ts

import { deserialize, serialize } from 'node:v8';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { readSpanRecords } from '../../proxy/export/span-record-reader.ts';
import { requestBytes, TraceRequest, traceStateField } from '../../proxy/export/trace-request.ts';
import { traceStateText } from '../../proxy/export/trace-state-text.ts';
import { attributeKey, SpanWriter } from '../../proxy/tracing/span-writer.ts';

const batch = 512;
const batches = 40;
const rounds = 12;

/** Attributes of a span of an HTTP request as the worker writes them. */
const texts: readonly (readonly [string, string])[] = [
  ['http.request.method', 'GET'],
  ['url.scheme', 'http'],
  ['url.path', '/api/v1/reviews/1234'],
  ['server.address', 'reviews.default.svc.cluster.local'],
  ['network.protocol.version', '1.1'],
  ['user_agent.original', 'Go-http-client/1.1'],
  ['client.address', '10.0.12.34'],
  ['guid:x-request-id', '6d2d3f0e-1a7c-9f4b-8f34-d5c1b27f0a11'],
  ['component', 'proxy'],
  ['node_id', 'sidecar~10.0.12.35~reviews-v1-5b7d6f9c4-abcde.default~default.svc.cluster.local'],
  ['zone', 'eu-central-1a'],
  ['http.route', '/api/v1/reviews/'],
  ['upstream_cluster', 'inbound|9080||'],
  ['upstream_cluster.name', 'inbound|9080||;'],
  ['sampling.reason', 'head'],
  ['response_flags', '-'],
];
const numbers: readonly (readonly [string, number])[] = [
  ['http.response.status_code', 200],
  ['server.port', 9080],
  ['http.request.body.size', 0],
  ['http.response.body.size', 295],
];
const traceId = '0123456789abcdef0123456789abcdef';
const spanId = '0123456789abcdef';
const state = 'ot=th:fd70a4';

function measure(name: string, run: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    for (let count = 0; count < batches; count++) bytes = run();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / (batches * batch));
  }
  console.log(`${name.padEnd(50)} ${best.toFixed(2).padStart(7)} us a span, ${(bytes / batch).toFixed(0)} bytes`);
}

// What of a span travels to the main thread when it is to be an object there.
interface SpanFacts {
  readonly startMs: number;
  readonly endMs: number;
  readonly texts: readonly (readonly [string, string])[];
  readonly numbers: readonly (readonly [string, number])[];
}

const resource = {
  attributes: { 'service.name': 'reviews.default' },
  merge: () => resource,
  asyncAttributesPending: false,
};
const scope = { name: 'outrigger', version: '1' };
const noTraceState = {
  get: () => undefined,
  set: () => noTraceState,
  unset: () => noTraceState,
  serialize: () => state,
};

function sdkSpan({ startMs, endMs, texts, numbers }: SpanFacts): object {
  const attributes: Record<string, string | number> = {};
  for (const [key, value] of texts) attributes[key] = value;
  for (const [key, value] of numbers) attributes[key] = value;
  return {
    name: 'GET /api/v1/reviews/',
    kind: 1,
    spanContext: () => ({ traceId, spanId, traceFlags: 1, traceState: noTraceState }),
    parentSpanContext: { traceId, spanId, traceFlags: 1, isRemote: true },
    startTime: [Math.floor(startMs / 1000), (startMs % 1000) * 1e6],
    endTime: [Math.floor(endMs / 1000), (endMs % 1000) * 1e6],
    status: { code: 0 },
    attributes,
    links: [],
    events: [],
    duration: [0, (endMs - startMs) * 1e6],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function writtenBatch(): Uint8Array {
  const keys = new Map([...texts, ...numbers].map(([key]) => [key, attributeKey(key)]));
  const writer = new SpanWriter(1024);
  const digits = Buffer.from(traceId);
  for (let count = 0; count < batch; count++) {
    const record = writer.beginLength32();
    for (const byte of [0, 1, 3, 1]) writer.byte(byte);
    writer.uint32(0);
    writer.uint32(0);
    writer.raw(digits, 0, 14);
    writer.raw(digits, 0, 14);
    writer.uint16(1);
    writer.byte(0x0a);
    const span = writer.beginLength32();
    writer.hex(1, digits, 0, 32);
    writer.hex(2, digits, 0, 16);
    writer.hex(4, digits, 0, 16);
    writer.text(5, 'GET /api/v1/reviews/');
    writer.integer(6, 2);
    writer.time(7, 1.76e12);
    writer.time(8, 1.76e12 + 12);
    for (const [key, value] of texts) writer.textAttribute(9, keys.get(key)!, value);
    for (const [key, value] of numbers) writer.integerAttribute(9, keys.get(key)!, value);
    writer.endLength32(span);
    writer.endLength32(record);
  }
  return writer.bytes.subarray(0, writer.used);
}

const facts: readonly SpanFacts[] = Array.from({ length: batch }, () => ({
  startMs: 1.76e12,
  endMs: 1.76e12 + 12,
  // Objects of their own: what is one object travels once.
  texts: texts.map(([key, value]) => [key, value] as const),
  numbers: numbers.map(([key, value]) => [key, value] as const),
}));
const written = writtenBatch();
const described = new Uint8Array(64);

const cloned = serialize(facts);

measure('taking what a worker sent as plain objects', () => {
  const taken = deserialize(cloned) as readonly SpanFacts[];
  return taken.length;
});
measure('objects of the SDK of them, and its serializer', () => {
  const spans = facts.map(sdkSpan);
  return ProtobufTraceSerializer.serializeRequest(spans as never)!.length;
});
let memory: Buffer | undefined;
// Made anew only when it changes.
const field = traceStateField(traceStateText('fd70a4', '', ''));
measure('bytes of the worker, with trace_state', () => {
  const request = new TraceRequest(memory);
  for (const record of readSpanRecords(written)) {
    if (record.ot !== '' || record.otherState !== '') throw new Error('the state of a record is not empty');
    request.add(record, field, requestBytes(record, field.length));
  }
  // As an exporter does when the collector has it.
  memory = request.memory;
  return request.finish(described, described).length;
});
