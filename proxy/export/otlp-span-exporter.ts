// Kept spans as OTLP: bytes of workers with their final `trace_state`, in requests of one resource.

import type { OpenTelemetryProvider } from '../../config/tracing.ts';
import { ExportQueue } from './export-queue.ts';
import { openSender } from './otlp-sender.ts';
import { textField } from './protobuf-field.ts';
import { leastQueuedSpans, type SpanExporter, type SpanExporterOptions, type SpanFate } from './span-exporter.ts';
import type { SpanRecord } from './span-record-reader.ts';
import { SpanReports } from './span-reports.ts';
import { spanFields, traceRequest, withAttribute } from './trace-request.ts';
import { traceStateText } from './trace-state-text.ts';

export class OtlpSpanExporter implements SpanExporter {
  readonly #queue: ExportQueue;

  constructor(provider: OpenTelemetryProvider, options: SpanExporterOptions) {
    const sender = openSender(provider.service, 'traces', options.sender);
    const resource = loadResource(provider, options);
    const scope = Buffer.concat([textField(1, 'outrigger'), textField(2, options.version)]);
    this.#queue = new ExportQueue({
      sender: {
        send: async (spans) => sender.send(traceRequest(await resource, scope, [spans])),
        close: () => sender.close(),
      },
      encode: (items) => Buffer.concat(items),
      maxItems: Math.max(provider.maxQueuedSpans, leastQueuedSpans),
      clock: options.sender.clock,
      events: new SpanReports(provider, { stats: options.stats, onWarning: options.sender.onWarning }),
    });
  }

  push({ spans, ot, otherState }: SpanRecord, { th, isRare, isError }: SpanFate): void {
    const told = isRare ? [withAttribute(spans[0]!, 'sampling.reason', 'rare'), ...spans.slice(1)] : spans;
    this.#queue.push(spanFields(told, traceStateText(th, ot, otherState)), spans.length, isError);
  }

  close(withinMs: number): Promise<void> {
    return this.#queue.close(withinMs);
  }
}

async function loadResource(
  { serviceName, resource }: OpenTelemetryProvider,
  { node, version }: SpanExporterOptions,
): Promise<Uint8Array> {
  const { processResource, resourceMessage } = await import('./telemetry-resource.ts');
  return resourceMessage(processResource({ serviceName, resource, node, version }));
}
