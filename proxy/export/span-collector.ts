// Records of kept requests from all workers, on their way to collectors: stage 2 of sampling holds them for a second and says which
// leave, and with which threshold.
//
// Without a sampling file Envoy's percentages are the whole of what was asked for, so that what they chose has no cap and leaves
// at once; errors and the other outcomes have theirs in either case.

import type { TraceProvider } from '../../config/tracing.ts';
import { type CappedRecord, ExportCap, type OfferedReason } from '../../sampler/export-cap.ts';
import type { SamplingSettings } from '../../sampler/settings.ts';
import { never, type Threshold, writeThreshold } from '../../sampler/threshold.ts';
import { ReachedStratum } from '../tracing/sampling-memory.ts';
import { SamplingReason, samplingReasonNames } from '../tracing/sampling-reason.ts';
import type { TracingMessage } from '../tracing/tracing-message.ts';
import { ByteSlab } from './byte-slab.ts';
import { LatestErrors } from './latest-errors.ts';
import type { SamplingService } from './sampling-service.ts';
import type { SpanExporter } from './span-exporter.ts';
import { readSpanRecords, type SpanRecord } from './span-record-reader.ts';
import { readSpan, type SpanView } from './span-view.ts';

export interface SpanCollectorOptions {
  readonly settings: SamplingSettings;
  /** There is a sampling file. */
  readonly hasBudget: boolean;
  readonly sampling: Pick<SamplingService, 'keyIdAt' | 'takeWindow' | 'takePassed' | 'setReached' | 'tracesPerSecond'>;
  readonly open: (provider: TraceProvider) => SpanExporter;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  /** Of some of the kept traces: of those that were chosen the first of each key and second. */
  readonly onKept?: (kept: KeptTrace) => void;
}

/** A trace that can be looked for. */
export interface KeptTrace {
  /** As `keyId` writes it. */
  readonly key: string;
  /** The span of the request. */
  readonly span: SpanView;
}

export type SpanAnnouncement = Extract<TracingMessage, { readonly kind: 'trace-provider' | 'spans' }>;

export class SpanCollector {
  readonly errors = new LatestErrors();
  readonly #options: SpanCollectorOptions;
  readonly #cap: ExportCap<WaitingRecord>;
  /** Of records that wait for the end of their window. */
  readonly #slab = new ByteSlab();
  /** By what the provider says: workers announce equal ones each for themselves. */
  readonly #destinations = new Map<string, Destination>();
  /** By worker, then by the index that its records have. */
  readonly #announced = new Map<number, Map<number, Destination>>();
  #settings: SamplingSettings;
  #looksLeft = mostLooks;
  #looksFromMs: number;
  /** Keys of which a chosen trace was looked into in this second. */
  readonly #lookedAt = new Set<string>();
  #usedFromMs: number;
  /** As `th` it is the last text, too: most records of a second have the same. */
  #lastThreshold: Threshold | null = null;
  #lastWritten: string | null = null;

  constructor(options: SpanCollectorOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#looksFromMs = options.clock();
    this.#usedFromMs = this.#looksFromMs;
    this.#cap = new ExportCap(options.settings, this.#tracesPerSecond);
  }

  /** What a worker (any number, one for each) says, in the order in which it does. */
  accept(worker: number, message: SpanAnnouncement): void {
    if (message.kind === 'trace-provider') {
      this.#announce(worker, message.index, message.provider);
      return;
    }
    for (const record of readSpanRecords(message.bytes)) this.#take(worker, record);
    this.#tellReached();
  }

  /** The sampling file has changed. */
  configure(settings: SamplingSettings): void {
    this.#settings = settings;
  }

  /** To be called every second, and up to ten times as often (`sampling-beat.ts`). */
  tick(): void {
    const nowMs = this.#options.clock();
    if (nowMs - this.#looksFromMs >= looksMs) {
      this.#looksFromMs = nowMs;
      this.#looksLeft = mostLooks;
      this.#lookedAt.clear();
    }
    this.#closeWindow(false);
    if (nowMs - this.#usedFromMs < unusedMs) return;
    this.#usedFromMs = nowMs;
    this.#closeUnused();
  }

  /** Lets go what waits; what no collector takes within `withinMs` is given up. */
  async close(withinMs: number): Promise<void> {
    this.#closeWindow(true);
    await Promise.all([...this.#destinations.values()].map(({ exporter }) => exporter?.close(withinMs)));
  }

  #announce(worker: number, index: number, provider: TraceProvider): void {
    const key = JSON.stringify(provider);
    let destination = this.#destinations.get(key);
    if (destination === undefined) {
      destination = { provider, exporter: null, isUsed: false };
      this.#destinations.set(key, destination);
    }
    const ofWorker = this.#announced.get(worker) ?? new Map<number, Destination>();
    ofWorker.set(index, destination);
    this.#announced.set(worker, ofWorker);
  }

  #take(worker: number, record: SpanRecord): void {
    const { sampling, hasBudget } = this.#options;
    const destination = this.#announced.get(worker)?.get(record.provider);
    if (destination === undefined) throw new Error(`worker ${worker} has not announced provider ${record.provider}`);
    const key = sampling.keyIdAt(worker, record.keySlot);
    if (!isChosen(record.reason) || hasBudget) {
      const own = record.copyTo(this.#slab.take(record.end - record.start));
      this.#cap.offer({ ...cappedRecord(own, key), pending: { record: own, destination } });
      return;
    }
    sampling.takePassed(key, record.reason as SamplingReason, record);
    this.#release(record, destination, { key, threshold: record.threshold, reason: record.reason });
  }

  #closeWindow(isFinal: boolean): void {
    const { sampling, clock } = this.#options;
    this.#cap.configure(this.#settings, this.#tracesPerSecond);
    const { kept, suppressed } = this.#cap.close(clock(), isFinal);
    for (const { record, threshold, reason } of kept) {
      const { pending, key } = record;
      this.#release(pending.record, pending.destination, { key, threshold, reason: SamplingReason[reason] });
    }
    sampling.takeWindow({ kept, suppressed });
    this.#tellReached();
  }

  #release(record: SpanRecord, destination: Destination, fate: Fate): void {
    const { threshold, reason } = fate;
    const isRare = reason === SamplingReason.rare;
    const isError = isRare || reason === SamplingReason.error;
    const th = this.#written(threshold);
    destination.isUsed = true;
    destination.exporter ??= this.#options.open(destination.provider);
    destination.exporter.push(record, { th, isRare, isError });
    this.#look(record, fate, isError);
  }

  #written(threshold: Threshold | null): string | null {
    if (threshold !== this.#lastThreshold) {
      this.#lastThreshold = threshold;
      this.#lastWritten = threshold === null ? null : (writeThreshold(threshold) ?? null);
    }
    return this.#lastWritten;
  }

  // A look takes longer than all the rest: at 1 % of 20,000 requests a second, 4 % of a core when each trace got one. So what was
  // chosen gets one a key and second. Outcomes have caps of their own.
  #look(record: SpanRecord, { key, reason }: Fate, isError: boolean): void {
    if (!isError && (this.#looksLeft <= 0 || this.#options.onKept === undefined)) return;
    if (isChosen(reason)) {
      if (this.#lookedAt.has(key)) return;
      this.#lookedAt.add(key);
    }
    this.#looksLeft--;
    const span = readSpan(record.spans[0]!);
    if (span === null) throw new RangeError('a worker wrote a span that cannot be read');
    if (isError) this.errors.add(span, key);
    this.#options.onKept?.({ key, span });
  }

  #tellReached(): void {
    const { sampling, hasBudget } = this.#options;
    if (hasBudget) sampling.setReached(ReachedStratum.head, this.#cap.reached('head'));
    for (const outcome of outcomes) sampling.setReached(ReachedStratum[outcome], this.#cap.reached(outcome));
  }

  // Nobody says which providers a new configuration has no more. One that is used again is opened again; one whose number has
  // another meaning in every worker is forgotten, as its headers may be secrets that changed.
  #closeUnused(): void {
    const announced = new Set([...this.#announced.values()].flatMap((ofWorker) => [...ofWorker.values()]));
    for (const [key, destination] of this.#destinations) {
      if (!destination.isUsed) {
        void destination.exporter?.close(0);
        destination.exporter = null;
        if (!announced.has(destination)) this.#destinations.delete(key);
      }
      destination.isUsed = false;
    }
  }

  get #tracesPerSecond(): number {
    return this.#options.hasBudget ? this.#options.sampling.tracesPerSecond : unlimited;
  }
}

/** Strata of what is kept whatever the head decided: of a slow hour, too, workers write no more than may leave. */
const outcomes = ['error', 'slow', 'retry'] as const;

/** Spans that are looked into, of a second; a beat may be a little early. */
const mostLooks = 32;
const looksMs = 980;
const unusedMs = 10 * 60_000;
/** More than can come in a second, and a number that can be counted with. */
const unlimited = 1_000_000;

function isChosen(reason: number): boolean {
  return reason === SamplingReason.head || reason === SamplingReason.parent;
}

interface Destination {
  readonly provider: TraceProvider;
  /** Opened with the first record. */
  exporter: SpanExporter | null;
  isUsed: boolean;
}

interface PendingRecord {
  readonly record: SpanRecord;
  readonly destination: Destination;
}

interface Fate {
  readonly key: string;
  readonly threshold: string | null;
  readonly reason: number;
}

interface WaitingRecord extends CappedRecord {
  readonly pending: PendingRecord;
}

function cappedRecord(record: SpanRecord, key: string): CappedRecord {
  const { random, threshold, isHeadKept, reason, signature } = record;
  return {
    key,
    random,
    // Of what the head chose without a threshold nothing is known.
    threshold: isHeadKept ? threshold : never,
    ...(!isHeadKept && threshold !== null && { passed: threshold }),
    headKept: isHeadKept,
    reason: samplingReasonNames[reason] as OfferedReason,
    signature,
    sizeBytes: record.end - record.start,
  };
}
