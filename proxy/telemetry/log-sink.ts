// Log files and streams as the main thread writes them: asynchronous, one writer for each path, bounded.
//
// What cannot be written waits, and when too much waits the oldest batches are dropped whole. A full disk, a directory
// without permission or a reader that stands still costs lines, never the process and never a request. One warning
// tells when a sink begins to fail, and one when it works again.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/stats

import { setTimeout as delay } from 'node:timers/promises';
import type { AccessLogSink } from '../../config/access-log.ts';
import type { LogBatch } from './access-log.ts';
import { type LogWriter, openLog, openLogNow } from './log-writer.ts';
import { filesystemStats } from './server-stats.ts';
import type { StatBlock } from './stats.ts';
import type { WorkerStats } from './worker-stats.ts';

export interface LogSinksOptions {
  readonly stats: WorkerStats;
  /** A sink began to fail, or works again after it lost lines. */
  readonly onWarning: (text: string) => void;
  /** Bytes that may wait for one sink; default 8 MiB. */
  readonly queueLimitBytes?: number;
  readonly open?: (sink: AccessLogSink) => Promise<LogWriter>;
  /** Runs `task` after `delayMs`, unless the process ends before. */
  readonly schedule?: (task: () => void, delayMs: number) => void;
  /** Resolves after `delayMs`. */
  readonly pause?: (delayMs: number) => Promise<unknown>;
}

/** Between two attempts at a pipe that is full. */
const fullPipeMs = 10;
/** At the end of the process, a pipe that took nothing so often in a row is given up: 1 s. */
const patience = 100;
/** Time between two attempts at a sink that failed. */
const retryMs = 1000;
const defaultQueueLimitBytes = 8 * 1024 * 1024;

/** All sinks of the process; one that nobody has opened is opened when its first line comes. */
export class LogSinks {
  readonly #context: SinkContext;
  readonly #sinks = new Map<string, LogSink>();

  constructor(options: LogSinksOptions) {
    this.#context = {
      block: options.stats.block(filesystemStats),
      onWarning: options.onWarning,
      queueLimitBytes: options.queueLimitBytes ?? defaultQueueLimitBytes,
      open: options.open ?? openLog,
      schedule: options.schedule ?? ((task, delayMs) => setTimeout(task, delayMs).unref()),
      pause: options.pause ?? delay,
    };
  }

  /**
   * Opens the file of a sink that is to be configured; the system's reason when it cannot be. One that was open before
   * stays as it is, as in Envoy.
   */
  open(sink: AccessLogSink): string | undefined {
    const name = nameOf(sink);
    const known = this.#sinks.get(name);
    if (known !== undefined) {
      known.isWanted = true;
      return undefined;
    }
    try {
      this.#sinks.set(name, new LogSink(name, sink, { context: this.#context, writer: openLogNow(sink) }));
      return undefined;
    } catch (error) {
      // Without the path, which the caller names.
      return (error as Error).message.replace(/, open '.*'$/s, '');
    }
  }

  /** Takes a batch; it is written when the sink gets to it. Never waits, never throws. */
  write(batch: LogBatch): void {
    const name = nameOf(batch.sink);
    let sink = this.#sinks.get(name);
    if (sink === undefined) {
      sink = new LogSink(name, batch.sink, { context: this.#context, writer: null });
      this.#sinks.set(name, sink);
    }
    sink.push(batch);
  }

  /**
   * Closes the files that no configuration names, but for those that were opened or written to since the last call: a
   * listener may be on its way to serve, or its connections to their end. One that gets a line again is opened again.
   */
  closeUnnamed(isNamed: (path: string) => boolean): void {
    for (const [name, sink] of this.#sinks) {
      if (!sink.mayBeClosed || isNamed(name)) continue;
      if (sink.isWanted) {
        sink.isWanted = false;
        continue;
      }
      this.#sinks.delete(name);
      void sink.close();
    }
  }

  /** Opens every file anew, behind what waits already: log rotation moved the old ones away. */
  reopen(): void {
    for (const sink of this.#sinks.values()) sink.reopen();
  }

  /** Resolves when everything is written, or cannot be. A sink that failed gets one more attempt. */
  async close(): Promise<void> {
    await Promise.all([...this.#sinks.values()].map((sink) => sink.close()));
  }
}

function nameOf(sink: AccessLogSink): string {
  return sink.kind === 'file' ? sink.path : sink.kind;
}

interface SinkContext {
  readonly block: StatBlock;
  readonly onWarning: (text: string) => void;
  readonly queueLimitBytes: number;
  readonly open: (sink: AccessLogSink) => Promise<LogWriter>;
  readonly schedule: (task: () => void, delayMs: number) => void;
  readonly pause: (delayMs: number) => Promise<unknown>;
}

/**
 * idle: nothing waits · writing: the loop runs · failing: the loop ended with an error and begins again by the clock.
 */
type State = 'idle' | 'writing' | 'failing';

/** A place in the queue: bytes to write, or the moment at which the file is opened anew. */
type Entry =
  | { readonly kind: 'batch'; readonly bytes: Uint8Array; readonly lines: number }
  | { readonly kind: 'reopen' };

class LogSink {
  readonly #name: string;
  readonly #sink: AccessLogSink;
  readonly #context: SinkContext;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  /** Bytes of the first batch that are written already; that batch is not dropped any more. */
  #written = 0;
  #writer: LogWriter | null;
  #state: State = 'idle';
  #isClosing = false;
  #lostLines = 0;
  #running: Promise<void> = Promise.resolve();
  /** Opened, or written to, since somebody looked. */
  isWanted = true;

  constructor(name: string, sink: AccessLogSink, parts: { context: SinkContext; writer: LogWriter | null }) {
    this.#name = name;
    this.#sink = sink;
    this.#context = parts.context;
    this.#writer = parts.writer;
  }

  /** A file that nothing waits for. */
  get mayBeClosed(): boolean {
    return this.#sink.kind === 'file' && this.#state === 'idle' && this.#queue.length === 0;
  }

  push({ bytes, lines, cause }: LogBatch): void {
    this.isWanted = true;
    const { block } = this.#context;
    block.add(filesystemStats.writeBuffered, lines);
    block.add(filesystemStats.writeTotalBuffered, bytes.length);
    if (cause === 'interval') block.inc(filesystemStats.flushedByTimer);
    this.#queue.push({ kind: 'batch', bytes, lines });
    this.#queuedBytes += bytes.length;
    this.#dropOldest();
    this.#wake();
  }

  reopen(): void {
    if (this.#sink.kind !== 'file') return;
    this.#queue.push({ kind: 'reopen' });
    this.#wake();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#state === 'failing') this.#start();
    await this.#running;
    if (this.#writer !== null) await this.#closeWriter(this.#writer);
    this.#writer = null;
    this.#isClosing = false;
  }

  // Network file systems tell of what they could not write when a file is closed. It is closed nevertheless (close(2)).
  async #closeWriter(writer: LogWriter): Promise<void> {
    try {
      await writer.close();
    } catch (error) {
      const reason = (error as Error).message;
      this.#context.onWarning(`log ${this.#name} was closed, and what was written last may be lost: ${reason}`);
    }
  }

  // The batch being written stays, so that no line is torn.
  #dropOldest(): void {
    const { block, queueLimitBytes, onWarning } = this.#context;
    const hadLost = this.#lostLines > 0;
    let first = this.#state === 'writing' || this.#written > 0 ? 1 : 0;
    while (this.#queuedBytes > queueLimitBytes && first < this.#queue.length - 1) {
      const entry = this.#queue[first]!;
      if (entry.kind === 'reopen') {
        first++;
        continue;
      }
      this.#queue.splice(first, 1);
      this.#forget(entry.bytes.length);
      this.#lostLines += entry.lines;
      block.inc(filesystemStats.writeFailed);
    }
    // A sink that fails has said so already.
    if (this.#lostLines > 0 && !hadLost && this.#state === 'writing') {
      onWarning(`log ${this.#name} is not read fast enough: the oldest lines are dropped`);
    }
  }

  #forget(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#context.block.add(filesystemStats.writeTotalBuffered, -bytes);
  }

  #wake(): void {
    if (this.#state === 'idle') this.#start();
  }

  #start(): void {
    const wasFailing = this.#state === 'failing';
    this.#state = 'writing';
    this.#running = this.#writeAll().then(
      () => {
        this.#state = 'idle';
        if (wasFailing || this.#lostLines > 0) this.#reportRecovery();
      },
      (error: Error) => this.#onFailure(error, wasFailing),
    );
  }

  async #writeAll(): Promise<void> {
    for (let entry = this.#queue[0]; entry !== undefined; entry = this.#queue[0]) {
      if (entry.kind === 'reopen') {
        this.#queue.shift();
        await this.#reopenFile();
        continue;
      }
      this.#writer ??= await this.#context.open(this.#sink);
      await this.#writeBatch(this.#writer, entry.bytes);
      this.#queue.shift();
      this.#written = 0;
      this.#forget(entry.bytes.length);
      this.#context.block.inc(filesystemStats.writeCompleted);
    }
  }

  async #writeBatch(writer: LogWriter, bytes: Uint8Array): Promise<void> {
    let refusals = 0;
    while (this.#written < bytes.length) {
      const written = await writer.write(bytes.subarray(this.#written));
      this.#written += written;
      refusals = written === 0 ? refusals + 1 : 0;
      if (this.#isClosing && refusals > patience) throw new Error('its reader stands still');
      if (written === 0) await this.#context.pause(fullPipeMs);
    }
  }

  // The old file is kept when the new one cannot be opened: lines in the wrong file are better than none.
  async #reopenFile(): Promise<void> {
    if (this.#writer === null) return;
    const old = this.#writer;
    try {
      this.#writer = await this.#context.open(this.#sink);
    } catch (error) {
      this.#context.block.inc(filesystemStats.reopenFailed);
      this.#context.onWarning(
        `log ${this.#name} cannot be reopened, the old file is kept: ${(error as Error).message}`,
      );
      return;
    }
    await this.#closeWriter(old);
  }

  #onFailure(error: Error, wasFailing: boolean): void {
    this.#state = 'failing';
    const { block, onWarning, schedule } = this.#context;
    block.inc(filesystemStats.writeFailed);
    if (!wasFailing)
      onWarning(`log ${this.#name} cannot be written, lines wait and the oldest are dropped: ${error.message}`);
    schedule(() => {
      if (this.#state === 'failing') this.#start();
    }, retryMs);
  }

  #reportRecovery(): void {
    this.#context.onWarning(`log ${this.#name} is written again; ${this.#lostLines} lines were lost`);
    this.#lostLines = 0;
  }
}
