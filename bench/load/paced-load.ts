// The open-loop load for latency: request k is due at k / rate, whatever became of the ones before it, and its latency
// counts from that moment (no coordinated omission: a proxy that stalls is charged for everything that came due).
// Requests go round the connections; one that finds its connection busy waits there and its clock runs.
//
// It spins on setImmediate instead of sleeping, because timers of 1 ms would hide what is measured here; the process
// runs with SCHED_IDLE (see suite/latency.ts), so the origin on the same core takes the core back at once.
import { connect, type Socket } from 'node:net';
import { monotonicMs } from '../measure/monotonic-clock.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { ResponseReader } from './response-reader.ts';

export type PacedOptions = {
  readonly port: number;
  readonly connections: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  // Requests' bytes, sent as they are, in turn.
  readonly requests: readonly string[];
  // Rests 1 ms between two looks at the schedule instead of spinning: for when others need the core as well.
  readonly rests?: boolean;
  // Every response's body is compared with this.
  readonly expectedBody: string;
  // Tells each request's times as well, for those who know when the machine itself stood still.
  readonly keepsTimes?: boolean;
};

export type PacedOutcome = {
  readonly requests: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  // How late the generator itself was: due time to the moment it looked at the schedule. The floor of what it can see.
  readonly lagP99Micros: number;
  // When requests were due and answered, in the order of the answers; milliseconds as of measure/monotonic-clock.ts.
  readonly times?: { readonly dueMs: readonly number[]; readonly answeredMs: readonly number[] };
};

// `due` has the numbers of the requests that wait on it; the first is on its way.
type Lane = { readonly socket: Socket; readonly reader: ResponseReader; readonly due: number[] };

// Rejects on a wrong or failed response, and when a connection closes.
export async function runPacedLoad(options: PacedOptions): Promise<PacedOutcome> {
  const latencies = new LatencyHistogram();
  const lags = new LatencyHistogram();
  const times = { dueMs: [] as number[], answeredMs: [] as number[] };
  const total = Math.floor(options.requestsPerSecond * options.seconds);
  const gapMicros = 1e6 / options.requestsPerSecond;
  const lanes = await Promise.all(Array.from({ length: options.connections }, () => openLane(options)));
  let over = false;
  await new Promise<void>((resolve, reject) => {
    const startedAt = nowMicros();
    const dueMicros = (number: number): number => startedAt + number * gapMicros;
    const textOf = (number: number): string => options.requests[number % options.requests.length]!;
    const rest = options.rests ? (turn: () => void) => setTimeout(turn, 1) : setImmediate;
    let next = 0;
    for (const lane of lanes) {
      lane.socket.on('error', reject);
      lane.socket.on('close', () => reject(new Error('the proxy closed a connection')));
      lane.socket.on('data', (bytes) => {
        const problem = lane.reader.read(bytes);
        if (problem !== '') return reject(new Error(problem));
        if (!lane.reader.complete) return;
        const [answeredMicros, due] = [nowMicros(), dueMicros(lane.due.shift()!)];
        latencies.record(Math.max(0, answeredMicros - due));
        if (options.keepsTimes) {
          times.dueMs.push(monotonicMs(due / 1_000));
          times.answeredMs.push(monotonicMs(answeredMicros / 1_000));
        }
        lane.reader.reset();
        if (lane.due.length > 0) lane.socket.write(textOf(lane.due[0]!));
        else if (latencies.total === total) resolve();
      });
    }
    const turn = () => {
      const now = nowMicros();
      for (let due = dueMicros(next); next < total && due <= now; due = dueMicros(next)) {
        const lane = lanes[next % lanes.length]!;
        lags.record(now - due);
        if (lane.due.push(next) === 1) lane.socket.write(textOf(next));
        next += 1;
      }
      if (next < total && !over) rest(turn);
    };
    turn();
  }).finally(() => {
    over = true;
    closeAll(lanes);
  });
  return {
    requests: latencies.total,
    p50Micros: latencies.quantile(0.5),
    p99Micros: latencies.quantile(0.99),
    lagP99Micros: lags.quantile(0.99),
    ...(options.keepsTimes && { times }),
  };
}

function openLane(options: PacedOptions): Promise<Lane> {
  return new Promise((resolve, reject) => {
    const socket = connect(options.port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve({ socket, reader: new ResponseReader(options.expectedBody), due: [] });
    });
  });
}

function closeAll(lanes: readonly Lane[]): void {
  for (const lane of lanes) {
    lane.socket.removeAllListeners('close');
    lane.socket.destroy();
  }
}

function nowMicros(): number {
  return performance.now() * 1000;
}
