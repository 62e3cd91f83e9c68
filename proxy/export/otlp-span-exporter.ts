// Kept spans as OTLP: bytes of workers with their final `trace_state`, in requests of one resource.

import type { OpenTelemetryProvider } from '../../config/tracing.ts';
import { ExportQueue } from './export-queue.ts';
import { openSender } from './otlp-sender.ts';
import { textField } from './protobuf-field.ts';
import type { Sender, SendOutcome } from './sender.ts';
import { leastQueuedSpans, type SpanExporter, type SpanExporterOptions, type SpanFate } from './span-exporter.ts';
import type { SpanRecord } from './span-record-reader.ts';
import { SpanReports } from './span-reports.ts';
import { type RequestSpans, requestBytes, TraceRequest, traceStateField, withAttribute } from './trace-request.ts';
import { traceStateText } from './trace-state-text.ts';

/** The spans of a record as they stand in a request: one object, refilled for each. */
interface Entry {
  spans: RequestSpans;
  state: Uint8Array;
  items: number;
  bytes: number;
}

/** Requests that were sent, kept to write the next ones into: with 1 MiB each more than are filled at a time help nothing. */
const mostSpare = 2;

export class OtlpSpanExporter implements SpanExporter {
  readonly #queue: ExportQueue<Entry, Batch>;
  readonly #sender: Sender;
  readonly #resource: Promise<Uint8Array>;
  readonly #scope: Uint8Array;
  readonly #entry: Entry = { spans: noSpans, state: new Uint8Array(), items: 0, bytes: 0 };
  /** Mapped and given back for each request of half a megabyte, memory cost more than all that is written into it. */
  readonly #spare: Buffer[] = [];
  /** What the state of the record before was made of: of a share of all traces there is one. */
  #lastTh: string | null = null;
  #lastOt = '';
  #lastOther = '';

  constructor(provider: OpenTelemetryProvider, options: SpanExporterOptions) {
    this.#sender = openSender(provider.service, 'traces', options.sender);
    this.#resource = loadResource(provider, options);
    this.#scope = Buffer.concat([textField(1, 'outrigger'), textField(2, options.version)]);
    this.#queue = new ExportQueue({
      sender: { send: (batch: Batch) => this.#send(batch), close: () => this.#sender.close() },
      open: () => new Batch(new TraceRequest(this.#spare.pop())),
      maxItems: Math.max(provider.maxQueuedSpans, leastQueuedSpans),
      clock: options.sender.clock,
      events: new SpanReports(provider, { stats: options.stats, onWarning: options.sender.onWarning }),
    });
  }

  push(record: SpanRecord, { th, isRare, isError }: SpanFate): void {
    const entry = this.#entry;
    entry.spans = isRare ? rareSpans(record) : record;
    entry.state = this.#stateOf(record, th);
    entry.items = record.spanCount;
    entry.bytes = requestBytes(entry.spans, entry.state.length);
    this.#queue.push(entry, entry, isError);
    // So that the batch of the record can go.
    entry.spans = noSpans;
  }

  close(withinMs: number): Promise<void> {
    return this.#queue.close(withinMs);
  }

  async #send({ request }: Batch): Promise<SendOutcome> {
    const outcome = await this.#sender.send(request.finish(await this.#resource, this.#scope));
    // Of what was not taken some may still be read by the connection that it was written to.
    if (outcome.kind === 'sent' && this.#spare.length < mostSpare) this.#spare.push(request.memory);
    return outcome;
  }

  #stateOf(record: SpanRecord, th: string | null): Uint8Array {
    const { ot, otherState } = record;
    if (th === this.#lastTh && ot === this.#lastOt && otherState === this.#lastOther) return this.#entry.state;
    this.#lastTh = th;
    this.#lastOt = ot;
    this.#lastOther = otherState;
    return traceStateField(traceStateText(th, ot, otherState));
  }
}

class Batch {
  readonly request: TraceRequest;

  constructor(request: TraceRequest) {
    this.request = request;
  }

  push({ spans, state, bytes }: Entry): void {
    this.request.add(spans, state, bytes);
  }
}

const noSpans: RequestSpans = { bytes: Buffer.alloc(0), spansStart: 0, end: 0 };

// The first says why it was kept; few are.
function rareSpans({ spans }: SpanRecord): RequestSpans {
  const told = [withAttribute(spans[0]!, 'sampling.reason', 'rare'), ...spans.slice(1)];
  const parts = told.flatMap((span) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(span.length);
    return [length, span];
  });
  const bytes = Buffer.concat(parts);
  return { bytes, spansStart: 0, end: bytes.length };
}

async function loadResource(
  { serviceName, resource }: OpenTelemetryProvider,
  { node, version }: SpanExporterOptions,
): Promise<Uint8Array> {
  const { processResource, resourceMessage } = await import('./telemetry-resource.ts');
  return resourceMessage(processResource({ serviceName, resource, node, version }));
}
