// Access logs that go to collectors, on the main thread: entries of all workers are gathered by collector, made messages,
// and sent. A collector that is slow or gone costs bounded memory here and nothing elsewhere.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/grpc/v3/als.proto

import type { LogCollector, LogDelivery, OpenTelemetryLogRecords } from '../../config/access-log.ts';
import type { EntryBatch } from '../telemetry/access-log.ts';
import type { EntryFacts } from '../telemetry/access-log-entry.ts';
import type { RecordFacts } from '../telemetry/access-log-record.ts';
import { envoyLogStats, namedOpenTelemetryLogStats, openTelemetryLogStats } from '../telemetry/access-log-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { writeEntry, writeIdentifier, writeMessage } from './access-log-message.ts';
import { writeLogsRequest, writeRecord } from './access-log-otlp.ts';
import { findCollector } from './collector-address.ts';
import type { EntryEvents } from './entry-events.ts';
import { ExportQueue } from './export-queue.ts';
import { openSender, type SenderContext } from './otlp-sender.ts';
import type { SendOutcome } from './sender.ts';
import { isSignalOff } from './signal-switches.ts';

export interface AccessLogExportOptions extends SenderContext {
  readonly stats: WorkerStats;
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly zone: string;
    /** An encoded `core.v3.Node`. */
    readonly wire: () => Uint8Array;
  };
}

/** Where the entries of one collector go. */
interface Destination {
  /** Bytes of entries: as `writeEntry` or `writeRecord` makes them. */
  send(entries: readonly Uint8Array[]): void;
  close(withinMs: number): Promise<void>;
}

/** A longer line is no entry of a real request: fields and path together have 8 MiB at most where somebody allowed it. */
const maxLineBytes = 512 * 1024;
/** Records that wait or are on their way. */
const maxRecords = 16 * 1024;
/** A collector without entries for so long is left. */
const unusedMs = 10 * 60_000;

/** All collectors of the process, each opened with its first entry. */
export class AccessLogExport {
  readonly #options: AccessLogExportOptions;
  readonly #gatherings = new Map<string, Gathering>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: AccessLogExportOptions) {
    this.#options = options;
  }

  /** Takes a batch of a worker. Never waits, never throws. */
  write({ key, collector, bytes }: EntryBatch): void {
    this.#closeUnused();
    let gathering = this.#gatherings.get(key);
    if (gathering === undefined) {
      gathering = new Gathering(collector, this.#options);
      this.#gatherings.set(key, gathering);
    }
    gathering.take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).latin1Slice());
  }

  // Nobody says which logs a new configuration has no more. One that comes back is opened again.
  #closeUnused(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#lookedAtMs < unusedMs) return;
    this.#lookedAtMs = nowMs;
    for (const [key, gathering] of this.#gatherings) {
      if (nowMs - gathering.usedAtMs < unusedMs) continue;
      this.#gatherings.delete(key);
      void gathering.close(0);
    }
  }

  /** Sends what waits; what is not taken within `withinMs` is given up. */
  async close(withinMs: number): Promise<void> {
    const gatherings = [...this.#gatherings.values()];
    this.#gatherings.clear();
    await Promise.all(gatherings.map((gathering) => gathering.close(withinMs)));
  }
}

/** The entries of one collector, until there are enough or the oldest has waited long enough. */
class Gathering {
  readonly #collector: LogCollector;
  readonly #options: AccessLogExportOptions;
  readonly #block: StatBlock;
  readonly #encode: (line: string) => Uint8Array;
  /** Opening loads what it needs. */
  readonly #destination: Promise<Destination>;
  usedAtMs = 0;
  #entries: Uint8Array[] = [];
  #bytes = 0;
  #stopTimer: (() => void) | null = null;

  constructor(collector: LogCollector, options: AccessLogExportOptions) {
    this.#collector = collector;
    this.#options = options;
    this.#block = blockOf(collector, options.stats);
    this.#encode =
      collector.kind === 'opentelemetry'
        ? (line) => writeRecord(JSON.parse(line) as RecordFacts, collector)
        : (line) => writeEntry(JSON.parse(line) as EntryFacts, collector);
    const events = eventsOf(this.#block);
    this.#destination =
      collector.kind === 'opentelemetry'
        ? openRecords(collector, options, events)
        : openEntries(collector, options, events);
  }

  take(text: string): void {
    this.usedAtMs = this.#options.clock.nowMs();
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf('\n', start);
      if (end - start > maxLineBytes) this.#block.inc(envoyLogStats.logsDropped);
      else this.#add(this.#encode(text.slice(start, end)));
      start = end + 1;
    }
  }

  async close(withinMs: number): Promise<void> {
    this.#flush();
    const destination = await this.#destination;
    await destination.close(withinMs);
  }

  #add(entry: Uint8Array): void {
    const { bufferSizeBytes, flushIntervalMs } = this.#collector;
    this.#block.inc(envoyLogStats.logsWritten);
    this.#entries.push(entry);
    this.#bytes += entry.length;
    if (this.#bytes >= bufferSizeBytes) this.#flush();
    else this.#stopTimer ??= this.#options.clock.schedule(flushIntervalMs, () => this.#flush());
  }

  #flush(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    void this.#destination.then((destination) => destination.send(entries));
  }
}

// The sets have the same stats in the same order.
function blockOf(collector: LogCollector, stats: WorkerStats): StatBlock {
  if (collector.kind !== 'opentelemetry') return stats.block(envoyLogStats);
  const prefix = collector.statPrefix.replace(/\.$/, '');
  return prefix === '' ? stats.block(openTelemetryLogStats) : stats.block(namedOpenTelemetryLogStats, prefix);
}

function eventsOf(block: StatBlock): EntryEvents {
  return {
    onFlush: (entries) => block.add(envoyLogStats.entriesFlushed, entries),
    onFlushFail: (entries) => block.add(envoyLogStats.entriesFlushFailed, entries),
    onDrop: (entries) => block.add(envoyLogStats.logsDropped, entries),
  };
}

async function openEntries(
  collector: Exclude<LogCollector, OpenTelemetryLogRecords>,
  { node, clusters, clock, random, onWarning }: AccessLogExportOptions,
  events: EntryEvents,
): Promise<Destination> {
  const { AccessLogStream } = await import('./access-log-stream.ts');
  const { service, kind, logName } = collector;
  if (service.kind !== 'grpc') throw new Error('an access log service is called by gRPC');
  const identifier = writeIdentifier(node.wire(), logName);
  const nobody = new Uint8Array();
  return new AccessLogStream({
    service,
    find: () => findCollector(service, clusters),
    message: (entries, isFirst) => writeMessage(isFirst ? identifier : nobody, kind, entries),
    clock,
    random,
    events,
    onWarning,
  });
}

async function openRecords(
  collector: LogDelivery & OpenTelemetryLogRecords,
  options: AccessLogExportOptions,
  { onFlush, onFlushFail, onDrop }: EntryEvents,
): Promise<Destination> {
  if (isSignalOff(process.env, 'logs')) return { send: ({ length }) => onDrop(length), close: async () => undefined };
  const { resourceAttributes, resourceMessage } = await import('./telemetry-resource.ts');
  const { hasBuiltinLabels, logName, service } = collector;
  const outage = new Outage(service.cluster, options.onWarning);
  const { id, cluster, zone } = options.node;
  const labels = { log_name: logName, zone_name: zone, cluster_name: cluster, node_name: id };
  const resource = resourceMessage(
    new Map([...(hasBuiltinLabels ? Object.entries(labels) : []), ...resourceAttributes(collector.resource)]),
  );
  const sender = openSender(collector.service, 'logs', options);
  const queue = new ExportQueue<Uint8Array, Uint8Array[]>({
    sender: {
      send: (records) => sender.send(writeLogsRequest(resource, records)),
      close: () => sender.close(),
    },
    open: () => [],
    maxItems: maxRecords,
    clock: options.clock,
    events: {
      onSend: () => undefined,
      onOutcome: (outcome, items) => {
        outage.note(outcome);
        const rejected = outcome.kind === 'sent' ? outcome.rejected : items;
        onFlush(items - rejected);
        if (outcome.kind !== 'sent') onFlushFail(items);
        onDrop(rejected);
      },
      onDrop,
    },
  });
  return {
    send: (records) => {
      for (const record of records) queue.push(record, { items: 1, bytes: record.length });
      // They have waited as long as the configuration says.
      queue.hurry();
    },
    close: (withinMs) => queue.close(withinMs),
  };
}

/** Says once that records are lost, and once that they are taken again. */
class Outage {
  readonly #cluster: string;
  readonly #onWarning: (text: string) => void;
  #isNow = false;

  constructor(cluster: string, onWarning: (text: string) => void) {
    this.#cluster = cluster;
    this.#onWarning = onWarning;
  }

  note(outcome: SendOutcome): void {
    const isNow = outcome.kind !== 'sent';
    if (isNow === this.#isNow) return;
    this.#isNow = isNow;
    this.#onWarning(
      isNow
        ? `access logs cannot be sent to cluster ${this.#cluster}, and are dropped: ${outcome.reason}`
        : `access logs are taken by cluster ${this.#cluster} again`,
    );
  }
}
