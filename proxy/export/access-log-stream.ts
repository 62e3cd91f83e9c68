// The stream to an access log service: messages in, nothing back but its end. What waits is bounded; when the stream ends it
// is opened again after a back-off, and what it may not have taken is sent once more.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/accesslog/v3/als.proto

import { type Client, type ClientWritableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { asBuffer } from '../../config/grpc-client.ts';
import type { Random } from '../../config/random.ts';
import type { TelemetryService } from '../../config/telemetry-service.ts';
import type { Collector } from './collector-address.ts';
import type { EntryEvents } from './entry-events.ts';
import { openClient } from './grpc-transport.ts';
import type { ExportClock } from './sender.ts';

export interface AccessLogStreamOptions {
  readonly service: Extract<TelemetryService, { readonly kind: 'grpc' }>;
  /** Asked for every stream. */
  readonly find: () => Collector;
  /** The bytes of a message with these entries; the first of a stream tells who we are. */
  readonly message: (entries: readonly Uint8Array[], isFirst: boolean) => Uint8Array;
  readonly clock: ExportClock;
  readonly random: Random;
  readonly events: EntryEvents;
  /** The stream cannot be had, or is there again. */
  readonly onWarning: (text: string) => void;
  /** Of entries that wait or are on their way; default 8 MiB. */
  readonly queueLimitBytes?: number;
}

interface Batch {
  readonly entries: readonly Uint8Array[];
  readonly bytes: number;
}

interface OpenStream {
  readonly client: Client;
  readonly call: ClientWritableStream<Uint8Array>;
  readonly openedAtMs: number;
  /** Messages that the network has not taken yet, from the oldest on. */
  readonly unwritten: Batch[];
  hasIdentifier: boolean;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'open'; readonly stream: OpenStream }
  /** Until the back-off is over. */
  | { readonly kind: 'waiting'; readonly stop: () => void }
  | { readonly kind: 'closed' };

const method = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
const defaultQueueLimitBytes = 8 * 1024 * 1024;
/** What the library may hold of us: the rest waits here, where it is counted. */
const maxUnwrittenBytes = 1024 * 1024;
const firstBackOffMs = 500;
const maxBackOffMs = 30_000;
/** A stream that lasted so long begins the back-off anew. */
const steadyMs = 10_000;

export class AccessLogStream {
  readonly #options: AccessLogStreamOptions;
  #state: State = { kind: 'idle' };
  #waiting: Batch[] = [];
  #waitingBytes = 0;
  #unwrittenBytes = 0;
  #failures = 0;
  #hasWarned = false;
  #onEmpty: (() => void)[] = [];

  constructor(options: AccessLogStreamOptions) {
    this.#options = options;
  }

  /** One message. The newest are refused when there is no room, as of everything that is exported. */
  send(entries: readonly Uint8Array[]): void {
    const { events, queueLimitBytes = defaultQueueLimitBytes } = this.#options;
    let bytes = 0;
    for (const entry of entries) bytes += entry.length;
    if (this.#state.kind === 'closed' || this.#waitingBytes + this.#unwrittenBytes + bytes > queueLimitBytes) {
      events.onDrop(entries.length);
      return;
    }
    this.#waiting.push({ entries, bytes });
    this.#waitingBytes += bytes;
    this.#work();
  }

  /** Sends what waits, and ends. What is not taken within `withinMs` is given up. */
  async close(withinMs: number): Promise<void> {
    if (this.#state.kind === 'waiting') {
      this.#state.stop();
      this.#state = { kind: 'idle' };
    }
    this.#work();
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.#options.clock.schedule(withinMs, resolve);
    this.#onEmpty.push(resolve);
    this.#tellIfEmpty();
    await promise;
    stop();
    this.#end();
  }

  #work(): void {
    if (this.#state.kind === 'idle' && this.#waiting.length > 0) this.#open();
    if (this.#state.kind === 'open') this.#write(this.#state.stream);
  }

  #open(): void {
    const { service, find, clock } = this.#options;
    const collector = find();
    if (collector.kind !== 'found') {
      this.#fail(collector.reason);
      return;
    }
    const { endpoints } = collector;
    const client = openClient(endpoints[this.#failures % endpoints.length]!, {
      authority: service.authority || service.cluster,
      usesGzip: false,
    });
    const metadata = new Metadata();
    for (const [key, value] of service.metadata) {
      metadata.add(key, key.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
    }
    const onEnd = (error: ServiceError | null): void => this.#onEnd(stream, error);
    const call = client.makeClientStreamRequest(method, asBuffer, nothing, metadata, {}, onEnd);
    const stream: OpenStream = { client, call, openedAtMs: clock.nowMs(), unwritten: [], hasIdentifier: false };
    // It is told by the callback, too.
    call.on('error', () => undefined);
    this.#state = { kind: 'open', stream };
  }

  #write(stream: OpenStream): void {
    while (this.#waiting.length > 0 && this.#unwrittenBytes < maxUnwrittenBytes) {
      const batch = this.#waiting.shift()!;
      this.#waitingBytes -= batch.bytes;
      this.#unwrittenBytes += batch.bytes;
      stream.unwritten.push(batch);
      const message = this.#options.message(batch.entries, !stream.hasIdentifier);
      stream.hasIdentifier = true;
      stream.call.write(message, (error?: Error | null) => {
        if (error === undefined || error === null) this.#onWritten(stream);
      });
    }
  }

  // In the order in which they were given.
  #onWritten(stream: OpenStream): void {
    if (this.#state.kind !== 'open' || this.#state.stream !== stream) return;
    const batch = stream.unwritten.shift();
    if (batch === undefined) return;
    this.#unwrittenBytes -= batch.bytes;
    this.#options.events.onFlush(batch.entries.length);
    if (this.#hasWarned) {
      this.#hasWarned = false;
      this.#options.onWarning(`access logs are taken by cluster ${this.#options.service.cluster} again`);
    }
    this.#write(stream);
    this.#tellIfEmpty();
  }

  #onEnd(stream: OpenStream, error: ServiceError | null): void {
    stream.client.close();
    if (this.#state.kind !== 'open' || this.#state.stream !== stream) return;
    for (const batch of stream.unwritten) this.#options.events.onFlushFail(batch.entries.length);
    this.#waiting.unshift(...stream.unwritten);
    this.#waitingBytes += this.#unwrittenBytes;
    this.#unwrittenBytes = 0;
    if (this.#options.clock.nowMs() - stream.openedAtMs >= steadyMs) this.#failures = 0;
    this.#fail(error === null ? 'the stream was ended' : error.message);
  }

  #fail(reason: string): void {
    const { clock, random, onWarning, service } = this.#options;
    const limitMs = Math.min(firstBackOffMs * 2 ** this.#failures, maxBackOffMs);
    this.#failures++;
    const stop = clock.schedule(limitMs * (0.5 + random() / 2), () => {
      this.#state = { kind: 'idle' };
      this.#work();
    });
    this.#state = { kind: 'waiting', stop };
    // A service may end a stream for its own reasons: nothing is wrong while nothing waits.
    if (this.#hasWarned || this.#waiting.length === 0) return;
    this.#hasWarned = true;
    onWarning(
      `access logs wait for cluster ${service.cluster}, and the newest are dropped when too many do: ${reason}`,
    );
  }

  #tellIfEmpty(): void {
    if (this.#waiting.length > 0 || this.#unwrittenBytes > 0) return;
    const resolvers = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of resolvers) resolve();
  }

  #end(): void {
    const { events } = this.#options;
    const state = this.#state;
    this.#state = { kind: 'closed' };
    const lost = this.#waiting;
    if (state.kind === 'open') {
      lost.push(...state.stream.unwritten);
      // A stream that took all is ended in order; the service may still be reading.
      if (lost.length === 0) state.stream.call.end();
      else state.stream.call.cancel();
    }
    if (state.kind === 'waiting') state.stop();
    for (const batch of lost) events.onDrop(batch.entries.length);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

/** The answer is an empty message. */
function nothing(): null {
  return null;
}
