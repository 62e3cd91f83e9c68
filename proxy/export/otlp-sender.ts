// Senders of OTLP: a service of the configuration, and the environment where that leaves things open.
// https://opentelemetry.io/docs/specs/otlp/
//
// What gRPC and OpenTelemetry bring is loaded with the first request: a proxy without telemetry never reads it.

import { promisify } from 'node:util';
import { gzip as gzipWithCallback } from 'node:zlib';
import type { Random } from '../../config/random.ts';
import type { TelemetryService } from '../../config/telemetry-service.ts';
import { type CollectorClusters, findCollector } from './collector-address.ts';
import type { OtlpSettings } from './otlp-settings.ts';
import { readPartialSuccess } from './partial-success.ts';
import { RetryingSender } from './retrying-sender.ts';
import { type Headers, sendableHeaders } from './sendable-headers.ts';
import type { ExportClock, Sender, SendOutcome, Signal } from './sender.ts';
import { splitUri } from './telemetry-uri.ts';
import type { Transport } from './transport.ts';

export interface SenderContext {
  readonly clusters: CollectorClusters;
  readonly clock: ExportClock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly random: Random;
  /** A collector that refuses part of what it is given, or answers something else than OTLP; said once a sender. */
  readonly onWarning: (text: string) => void;
}

/** A sender of `Export…ServiceRequest`s. Nothing is opened before the first. */
export function openSender(service: TelemetryService, signal: Signal, context: SenderContext): Sender {
  return new OtlpSender(service, signal, context);
}

const gzip = promisify(gzipWithCallback);

const methods: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};

interface OpenedSender {
  readonly sender: RetryingSender;
  /** gRPC compresses its messages itself. */
  readonly compresses: boolean;
}

class OtlpSender implements Sender {
  readonly #service: TelemetryService;
  readonly #signal: Signal;
  readonly #context: SenderContext;
  #opened: Promise<OpenedSender> | null = null;
  #isClosed = false;
  #hasWarned = false;

  constructor(service: TelemetryService, signal: Signal, context: SenderContext) {
    this.#service = service;
    this.#signal = signal;
    this.#context = context;
  }

  async send(request: Uint8Array): Promise<SendOutcome> {
    if (this.#isClosed) return { kind: 'failed', reason: 'the process ends' };
    this.#opened ??= this.#open();
    const { sender, compresses } = await this.#opened;
    return sender.send(compresses ? await gzip(request) : request);
  }

  close(): void {
    this.#isClosed = true;
    void this.#opened?.then(({ sender }) => sender.close());
  }

  async #open(): Promise<OpenedSender> {
    const { clusters, clock, random } = this.#context;
    const { readOtlpSettings } = await import('./otlp-settings.ts');
    const settings = await readOtlpSettings(this.#signal);
    const sender = new RetryingSender({
      find: () => findCollector(this.#service, clusters),
      transport: await this.#transport(settings),
      timeoutMs: this.#service.timeoutMs || settings.timeoutMs,
      rejectedBy: (answer) => this.#rejectedBy(answer),
      clock,
      random,
    });
    return { sender, compresses: settings.usesGzip && this.#service.kind === 'http' };
  }

  async #transport({ headers, usesGzip }: OtlpSettings): Promise<Transport> {
    const service = this.#service;
    if (service.kind === 'grpc') {
      const { GrpcTransport } = await import('./grpc-transport.ts');
      const authority = service.authority || service.cluster;
      return new GrpcTransport({
        method: methods[this.#signal],
        authority,
        metadata: this.#sendable([...service.metadata, ...othersThan(service.metadata, headers)]),
        usesGzip,
      });
    }
    const { HttpTransport } = await import('./http-transport.ts');
    const { authority, path } = splitUri(service.uri, service.cluster);
    return new HttpTransport({
      path,
      headers: {
        'user-agent': 'outrigger',
        ...Object.fromEntries(this.#sendable([['host', authority], ...headers, ...service.headers])),
        'content-type': 'application/x-protobuf',
        ...(usesGzip && { 'content-encoding': 'gzip' }),
      },
      wallClock: this.#context.wallClock,
    });
  }

  #rejectedBy(answer: Uint8Array): number {
    const partial = readPartialSuccess(answer);
    const { cluster } = this.#service;
    if (partial === null) {
      this.#warnOnce(`collector ${cluster} took ${this.#signal} and answered what is not OTLP`);
      return 0;
    }
    if (partial.rejected > 0 || partial.message !== '') {
      const why = partial.message === '' ? 'without a reason' : JSON.stringify(partial.message.slice(0, 200));
      this.#warnOnce(`collector ${cluster} refused ${partial.rejected} of the ${this.#signal} of a request: ${why}`);
    }
    return partial.rejected;
  }

  #sendable(headers: Headers): Headers {
    return sendableHeaders(headers, this.#service.kind, this.#context.onWarning);
  }

  #warnOnce(text: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#context.onWarning(text);
  }
}

/** What the configuration says of a name stands alone. */
function othersThan(given: Headers, others: Headers): Headers {
  const names = new Set(given.map(([name]) => name));
  return others.filter(([name]) => !names.has(name));
}
