// Kept spans as Zipkin has them, posted to its collector. Like Envoy's tracer, and unlike it again where that helps.

import type { ZipkinProvider } from '../../config/tracing.ts';
import { findCollector } from './collector-address.ts';
import { ExportQueue } from './export-queue.ts';
import { HttpTransport } from './http-transport.ts';
import { RetryingSender } from './retrying-sender.ts';
import { sendableHeaders } from './sendable-headers.ts';
import { leastQueuedSpans, type SpanExporter, type SpanExporterOptions, type SpanFate } from './span-exporter.ts';
import type { SpanRecord } from './span-record-reader.ts';
import { SpanReports } from './span-reports.ts';
import { readSpan } from './span-view.ts';
import { splitUri } from './telemetry-uri.ts';
import { zipkinSpanField } from './zipkin-protobuf.ts';
import { type ZipkinEndpoint, type ZipkinSpan, zipkinEndpoint, zipkinSpan } from './zipkin-span.ts';

/** Envoy's `tracing.zipkin.request_timeout`. */
const defaultTimeoutMs = 5000;

export class ZipkinSpanExporter implements SpanExporter {
  readonly #queue: ExportQueue<Uint8Array, Uint8Array[]>;
  readonly #localEndpoint: ZipkinEndpoint;
  readonly #encode: (span: ZipkinSpan) => Uint8Array;

  constructor(provider: ZipkinProvider, options: SpanExporterOptions) {
    const { node, localIp, stats, sender } = options;
    const isJson = provider.encoding === 'json';
    this.#localEndpoint = zipkinEndpoint(node.cluster, localIp, 0);
    this.#encode = isJson ? (span) => Buffer.from(JSON.stringify(span)) : zipkinSpanField;
    const opened = openSender(provider, options);
    this.#queue = new ExportQueue<Uint8Array, Uint8Array[]>({
      sender: {
        send: (spans) => opened.send(isJson ? jsonList(spans) : Buffer.concat(spans)),
        close: () => opened.close(),
      },
      open: () => [],
      maxItems: leastQueuedSpans,
      clock: sender.clock,
      events: new SpanReports(provider, { stats, onWarning: sender.onWarning }),
    });
  }

  push({ spans, sharesSpanId }: SpanRecord, { isRare, isError }: SpanFate): void {
    spans.forEach((bytes, index) => {
      const view = readSpan(bytes);
      if (view === null) throw new RangeError('a worker wrote a span that cannot be read');
      const isFirst = index === 0;
      const attributes =
        isRare && isFirst ? new Map([...view.attributes, ['sampling.reason', 'rare']]) : view.attributes;
      const span = zipkinSpan({ ...view, attributes }, this.#localEndpoint, isFirst && sharesSpanId);
      const encoded = this.#encode(span);
      this.#queue.push(encoded, { items: 1, bytes: encoded.length }, isError);
    });
  }

  close(withinMs: number): Promise<void> {
    return this.#queue.close(withinMs);
  }
}

function openSender({ service, encoding }: ZipkinProvider, { sender }: SpanExporterOptions): RetryingSender {
  const { clusters, clock, random, wallClock, onWarning } = sender;
  if (service.kind !== 'http') throw new TypeError('Zipkin is spoken over HTTP');
  const { authority, path } = splitUri(service.uri, service.cluster);
  return new RetryingSender({
    find: () => findCollector(service, clusters),
    transport: new HttpTransport({
      path,
      headers: {
        'user-agent': 'outrigger',
        'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
        ...Object.fromEntries(sendableHeaders([['host', authority], ...service.headers], 'http', onWarning)),
      },
      wallClock,
    }),
    timeoutMs: service.timeoutMs || defaultTimeoutMs,
    rejectedBy: () => 0,
    clock,
    random,
  });
}

function jsonList(items: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const item of items) parts.push(parts.length === 0 ? open : comma, item);
  return Buffer.concat([...parts, close]);
}

const open = Buffer.from('[');
const comma = Buffer.from(',');
const close = Buffer.from(']');
