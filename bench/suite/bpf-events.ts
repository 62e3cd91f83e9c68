// Reading events in place against copying each for a callback, as `perf` and its libraries do; and whether any is lost at a
// steady 200,000 a second.
//
// A reader's rate is that of emptying a full buffer, so that nothing of the making of events is in it: both buffers have
// 1 MiB, and events of 128 bytes are made by hand in between. The steady load has the ring and the turns of the product. Each
// reader checks the number of every event.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEFAULT_RING_BYTES } from '../../bpf/events/events.ts';
import { type ConnectionEvent, type ConnectionEventView, readConnectionEvent } from '../../bpf/generated/events.ts';
import { programInfo } from '../../native/bpf-info.ts';
import type { EmitterOptions, EmitterOutcome } from '../events/emitter.ts';
import { compileEventSource, EventSource, makeEvents, RECORDS_A_RUN } from '../events/event-source.ts';
import { LiveReader } from '../events/live-reader.ts';
import { PerfRing } from '../events/perf-ring.ts';
import { RingDrain } from '../events/ring-drain.ts';
import { spreadOf } from '../measure/spread.ts';
import { LOAD_CORE, PROXY_CORE } from '../peers/pinned-process.ts';

export type EventsResult = {
  // Events a second of one core, by round.
  readonly ring: readonly number[];
  readonly copiedAndDecoded: readonly number[];
  readonly copied: readonly number[];
  readonly live: LiveRun & {
    readonly readerCpuMs: number;
    // For how long the reader's thread was away from the ring at most, and for how long the ring has room at that rate.
    readonly longestAwayMs: number;
    readonly roomMs: number;
  };
  readonly stopped: LiveRun;
};

type LiveRun = { readonly made: number; readonly read: number; readonly lost: number; readonly seconds: number };

const EMITTER = join(import.meta.dirname, '..', 'events', 'emitter.ts');
const BUFFER_BYTES = 1024 * 1024;
// What fits into 1 MiB with the headers of both: 8 bytes in the ring, 16 in perf's buffer.
const RUNS_A_FILL = Math.floor(BUFFER_BYTES / 144 / RECORDS_A_RUN);
const FILLS_A_ROUND = 100;
const LIVE_PER_SECOND = 200_000;
const LIVE_SECONDS = 5;
const STOPPED_SECONDS = 1;
// With the header of the ring.
const EVENT_BYTES = 136;

export async function measureEvents(rounds: number): Promise<EventsResult> {
  const program = compileEventSource();
  const source = new EventSource(program, BUFFER_BYTES);
  const ring = RingDrain.open(source.mapFd('ring'), BUFFER_BYTES);
  // The bench is bound to this core, and so is what it makes by hand.
  const perf = PerfRing.open(source.mapFd('copied'), LOAD_CORE, BUFFER_BYTES);
  const tally = new Tally();
  const readers = {
    ring: () => ring.drain((event) => tally.addView(event)),
    copiedAndDecoded: () => perf.drain((record) => tally.add(decoded(record))),
    copied: () => perf.drain((record) => tally.addRecord(record)),
  };
  const result = { ring: [] as number[], copiedAndDecoded: [] as number[], copied: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    for (const name of ['ring', 'copiedAndDecoded', 'copied'] as const) {
      const perSecond = drainRate(readers[name], () => {
        makeEvents(source.programFd(name === 'ring' ? 'ring' : 'copied'), RUNS_A_FILL);
      });
      tally.forget();
      // The first round warms up.
      if (round > 0) result[name].push(perSecond);
    }
    console.log(`events: ${Object.entries(result).map(([name, all]) => `${name} ${(all.at(-1) ?? 0).toFixed(0)}/s`)}`);
  }
  if (tally.gaps > 0 || perf.lost > 0) throw new Error(`${tally.gaps} events were not where they should be`);
  ring.close();
  perf.close();
  source.close();
  return { ...result, ...(await measureSteady(program, tally)) };
}

async function measureSteady(program: Uint8Array, tally: Tally): Promise<Pick<EventsResult, 'live' | 'stopped'>> {
  const source = new EventSource(program, DEFAULT_RING_BYTES);
  tally.forget();
  const live = await readLive(source, tally);
  const stopped = await readAfterwards(source, tally);
  source.close();
  if (tally.gaps > 0 && live.lost === 0)
    throw new Error(`${tally.gaps} events are missing, and none was counted as lost`);
  return { live, stopped };
}

// Of the median of many fills: a core that is taken away for a moment spoils one of them.
function drainRate(drain: () => number, fill: () => void): number {
  const micros: number[] = [];
  for (let index = 0; index < FILLS_A_ROUND; index++) {
    fill();
    const startedAt = performance.now();
    const count = drain();
    micros.push((performance.now() - startedAt) * 1000);
    if (count !== RUNS_A_FILL * RECORDS_A_RUN) throw new Error(`${count} events of ${RUNS_A_FILL * RECORDS_A_RUN}`);
  }
  return (RUNS_A_FILL * RECORDS_A_RUN * 1e6) / spreadOf(micros).median;
}

async function readLive(source: EventSource, tally: Tally): Promise<EventsResult['live']> {
  const before = source.totals();
  const cpuBefore = process.cpuUsage();
  const reader = LiveReader.start(source, (event) => tally.addView(event));
  const { seconds } = await emit(source, LIVE_SECONDS);
  reader.stop();
  const { user, system } = process.cpuUsage(cpuBefore);
  const { read, longestAwayMs } = reader;
  const roomMs = (source.ringBytes / EVENT_BYTES / LIVE_PER_SECOND) * 1000;
  return { ...since(source, before), read, seconds, readerCpuMs: (user + system) / 1000, longestAwayMs, roomMs };
}

async function readAfterwards(source: EventSource, tally: Tally): Promise<LiveRun> {
  const before = source.totals();
  const { seconds } = await emit(source, STOPPED_SECONDS);
  const reader = LiveReader.start(source, (event) => tally.addView(event));
  reader.stop();
  return { ...since(source, before), read: reader.read, seconds };
}

function since(source: EventSource, before: { readonly made: number; readonly refused: number }) {
  const { made, refused } = source.totals();
  return { made: made - before.made, lost: refused - before.refused };
}

async function emit(source: EventSource, seconds: number): Promise<EmitterOutcome> {
  const program = programInfo(source.programFd('ring'));
  if (typeof program === 'number') throw new Error('the program of the bench cannot be looked up');
  const options: EmitterOptions = { programId: program.id, perSecond: LIVE_PER_SECOND, seconds };
  const command = ['-c', String(PROXY_CORE), process.execPath, EMITTER, JSON.stringify(options)];
  const { stdout } = await promisify(execFile)('taskset', command);
  return JSON.parse(stdout) as EmitterOutcome;
}

function decoded(record: Buffer): ConnectionEvent {
  return readConnectionEvent(new DataView(record.buffer, record.byteOffset, record.length), 0);
}

// What every reader does with an event: adds its bytes up, and sees that it is the next.
class Tally {
  gaps = 0;
  bytes = 0;
  #last = -1;

  add({ cookie, bytesReceived, bytesAcked }: ConnectionEvent): void {
    this.#count(Number(cookie), Number(bytesReceived) + Number(bytesAcked));
  }

  addView(event: ConnectionEventView): void {
    this.#count(event.cookie, event.bytesReceived + event.bytesAcked);
  }

  addRecord(record: Buffer): void {
    const low = record.readUInt32LE(16);
    const cookie = record.readUInt32LE(20) * 2 ** 32 + low;
    this.#count(cookie, record.readUInt32LE(40) + record.readUInt32LE(48));
  }

  // What comes next begins anew: another reader had what was between.
  forget(): void {
    this.#last = -1;
  }

  #count(number: number, bytes: number): void {
    if (this.#last >= 0 && number !== this.#last + 1) this.gaps++;
    this.#last = number;
    this.bytes += bytes;
  }
}
