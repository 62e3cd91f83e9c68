// The part of a mixed load that wrk cannot make: connections that close after one request, requests that the client
// aborts half way, at a steady rate until told to end. The rate is bounded so that TIME_WAIT does not use up the
// ephemeral ports (28,000 for 60 s).
import { connect } from 'node:net';

const TICK_MS = 20;
const CLOSES_A_TICK = 4;
const ABORTS_A_TICK = 2;

export type ChurnOutcome = { readonly closed: number; readonly aborted: number; readonly failed: number };

// Runs until `signal` is aborted and the last connection is gone.
export function runChurn(port: number, authority: string, signal: AbortSignal): Promise<ChurnOutcome> {
  return new Promise((resolve) => {
    const outcome = { closed: 0, aborted: 0, failed: 0 };
    let open = 0;
    const finish = () => {
      if (signal.aborted && open === 0) resolve(outcome);
    };
    const track = (kind: keyof ChurnOutcome) => {
      open -= 1;
      outcome[kind] += 1;
      finish();
    };
    const timer = setInterval(() => {
      if (signal.aborted) {
        clearInterval(timer);
        finish();
        return;
      }
      for (let count = 0; count < CLOSES_A_TICK; count += 1) closeAfterOne(port, authority, track);
      for (let count = 0; count < ABORTS_A_TICK; count += 1) abortHalfWay(port, authority, track);
      open += CLOSES_A_TICK + ABORTS_A_TICK;
    }, TICK_MS);
  });
}

type Track = (kind: keyof ChurnOutcome) => void;

function closeAfterOne(port: number, authority: string, track: Track): void {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let failed = false;
  socket.on('connect', () => socket.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`));
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
  });
  socket.on('error', () => {
    failed = true;
  });
  socket.on('close', () => track(failed || !received.startsWith('HTTP/1.1 200') ? 'failed' : 'closed'));
}

// Half of a body, then a reset: the proxy has an upstream request under way that can never be completed.
function abortHalfWay(port: number, authority: string, track: Track): void {
  const socket = connect(port, '127.0.0.1');
  let failed = false;
  const head = `POST /echo HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: 2000\r\n\r\n`;
  socket.on('connect', () => socket.write(head + 'x'.repeat(1000), () => socket.resetAndDestroy()));
  socket.on('error', () => {
    failed = true;
  });
  socket.on('close', () => track(failed ? 'failed' : 'aborted'));
}
