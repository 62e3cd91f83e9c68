// Nanoseconds that reading, making and telling the ids of a trace cost a request: `node --expose-gc
// bench/micro/propagation.ts [--seconds N]`. CPU of one thread; the best of several rounds, because on a shared machine
// every disturbance only adds. Bytes are what the heap grew by a request.

import { randomFillSync } from 'node:crypto';
import { parseArgs } from 'node:util';
import { HeaderTable } from '../../proxy/http/header-table.ts';
import { beginIds, extract, inject, renewSpanId } from '../../proxy/tracing/propagation.ts';
import { RandomDigits } from '../../proxy/tracing/random-digits.ts';
import { TraceContext, TraceFormat } from '../../proxy/tracing/trace-context.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' } } });
const rounds = 10;
const requestsPerBatch = 20_000;

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const plain = ['Host: shop.example', 'User-Agent: curl/8.5.0', 'Accept: */*', 'X-Request-Id: 1'];
const w3c = `traceparent: 00-${traceId}-${spanId}-01`;

interface Case {
  readonly name: string;
  readonly lines: readonly string[];
  readonly formats: number;
  readonly renews?: boolean;
}

const cases: readonly Case[] = [
  { name: 'nothing arrives', lines: [], formats: TraceFormat.w3c },
  { name: 'traceparent', lines: [w3c], formats: TraceFormat.w3c },
  { name: 'traceparent, an attempt of its own', lines: [w3c], formats: TraceFormat.w3c, renews: true },
  { name: 'traceparent and tracestate', lines: [w3c, 'tracestate: ot=th:0,a=1'], formats: TraceFormat.w3c },
  { name: 'b3', lines: [`b3: ${traceId}-${spanId}-1`], formats: TraceFormat.b3 },
  {
    name: 'x-b3-…',
    lines: [`x-b3-traceid: ${traceId}`, `x-b3-spanid: ${spanId}`, 'x-b3-sampled: 1'],
    formats: TraceFormat.b3Multi,
  },
];

for (const each of cases) {
  const request = requestOf(each);
  // A request that only arrives: what the table costs, and no part of what is measured.
  const idle = requestOf({ ...each, formats: -1 });
  const ns = nanoseconds(request) - nanoseconds(idle);
  console.log(`${each.name.padEnd(36)} ${ns.toFixed(0).padStart(5)} ns ${heapBytes(request).toFixed(1).padStart(7)} B`);
}

/** One request: a head arrives in the connection's table, and goes through. */
function requestOf({ lines, formats, renews }: Case): () => void {
  const headers = new HeaderTable();
  const context = new TraceContext();
  const random = new RandomDigits(randomFillSync);
  const text = Buffer.from([...plain, ...lines].map((line) => `${line}\r\n`).join(''), 'latin1');
  const received = new HeaderTable();
  for (const line of [...plain, ...lines]) received.append(...(line.split(': ') as [string, string]));
  return () => {
    headers.clear();
    headers.reserve(text.length);
    text.copy(headers.bytes);
    headers.used = text.length;
    for (let row = 0; row < received.rowCount; row++) {
      headers.addIdentifiedRow(
        received.id(row),
        received.lineStart(row),
        received.nameEnd(row),
        received.valueStart(row),
        received.valueEnd(row),
        received.lineEnd(row),
      );
    }
    if (formats < 0) return;
    extract(headers, context, formats);
    beginIds(context, random);
    inject(context, headers, formats);
    if (renews === true) renewSpanId(context, headers, random);
  };
}

function nanoseconds(request: () => void): number {
  const untilMs = performance.now() + (Number(values.seconds) * 1000) / (cases.length * 2);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds || performance.now() < untilMs; round++) {
    const before = process.threadCpuUsage();
    for (let count = 0; count < requestsPerBatch; count++) request();
    const { user, system } = process.threadCpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / requestsPerBatch);
  }
  return best;
}

function heapBytes(request: () => void): number {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < requestsPerBatch; count++) request();
  return Math.max(0, process.memoryUsage().heapUsed - before) / requestsPerBatch;
}
