// What all traces of a worker share: settings, keys and their memory, the batch of records, the pool. Nothing of it is made
// before the first connection manager with a provider is compiled.

import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { TimerWheel } from '../reactor/timer-wheel.ts';
import { ErrorSignatures } from './error-signatures.ts';
import { RandomDigits } from './random-digits.ts';
import { CompiledRecording, type RecordingSettings, shippedRecording } from './recording-settings.ts';
import { TracePool } from './request-trace.ts';
import { RequestTracer } from './request-tracer.ts';
import { SamplingKeys } from './sampling-keys.ts';
import { SamplingMemory } from './sampling-memory.ts';
import { SpanBatch } from './span-batch.ts';
import { SpanRecorder, type TracedNode } from './span-recorder.ts';
import { TraceProviders } from './trace-providers.ts';
import type { TracingMessage } from './tracing-message.ts';

export interface WorkerTracingOptions {
  readonly timers: TimerWheel;
  /** Wall clock minus the reactor's clock, ms. */
  readonly wallOffsetMs: number;
  /** Overwrites all bytes with random ones. */
  readonly fillRandom: (bytes: Uint8Array) => unknown;
  /** The buffer of a batch of records may be taken over. */
  readonly publish: (message: TracingMessage) => void;
}

/** What tracers use together. */
export interface TracingParts {
  settings: CompiledRecording;
  readonly memory: SamplingMemory;
  readonly keys: SamplingKeys;
  readonly batch: SpanBatch;
  readonly providers: TraceProviders;
  readonly signatures: ErrorSignatures;
  readonly pool: TracePool;
  readonly random: RandomDigits;
}

export class WorkerTracing {
  readonly #options: WorkerTracingOptions;
  #node: TracedNode = { id: '', zone: '' };
  #settings = new CompiledRecording(shippedRecording);
  #parts: TracingParts | null = null;

  constructor(options: WorkerTracingOptions) {
    this.#options = options;
  }

  /** Null for a connection manager without a provider. */
  compile({ tracing }: HttpConnectionManager, isOutbound: boolean): RequestTracer | null {
    if (tracing?.provider === undefined) return null;
    const { wallOffsetMs } = this.#options;
    const node = this.#node;
    const parts = this.#parts ?? this.#open();
    return new RequestTracer({
      tracing,
      provider: parts.providers.announce(tracing.provider),
      isOutbound,
      parts,
      recorder: new SpanRecorder({ tracing, writer: parts.batch.writer, isOutbound, node, wallOffsetMs }),
    });
  }

  /** Before the first connection manager is compiled. */
  identify(node: TracedNode): void {
    this.#node = node;
  }

  set(settings: RecordingSettings): void {
    this.#settings = new CompiledRecording(settings);
    if (this.#parts === null) return;
    this.#parts.settings = this.#settings;
    this.#parts.keys.settings = this.#settings;
  }

  /** The main thread took a batch. */
  onTaken(): void {
    this.#parts?.batch.onTaken();
  }

  /** Records leave now. */
  flush(): void {
    this.#parts?.batch.flush();
  }

  /** The worker ends: what waits leaves, however far behind the main thread is. */
  finish(): void {
    this.#parts?.batch.finish();
  }

  /** To be called about once a second. */
  keepHouse(nowMs: number): void {
    this.#parts?.keys.age(nowMs);
  }

  #open(): TracingParts {
    const { timers, publish, fillRandom } = this.#options;
    const memory = new SamplingMemory();
    publish({ kind: 'sampling-memory', memory: memory.buffer });
    const batch = new SpanBatch({ timers, publish: (bytes, count) => publish({ kind: 'spans', bytes, count }) });
    this.#parts = {
      settings: this.#settings,
      memory,
      keys: new SamplingKeys(this.#settings, memory, (message) => {
        // Records that have the slot leave while it is still their key's.
        if (message.kind === 'sampling-key' && message.key === null) batch.finish();
        publish(message);
      }),
      batch,
      providers: new TraceProviders({ publish, onReuse: () => batch.finish() }),
      signatures: new ErrorSignatures(),
      pool: new TracePool(),
      random: new RandomDigits(fillRandom),
    };
    return this.#parts;
  }
}
