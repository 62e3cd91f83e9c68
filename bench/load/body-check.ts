// wrk counts responses and never looks at their bodies. While it runs, this sends the same request now and then over
// a connection of its own and compares status and body: a fast wrong answer is no answer.
import { Agent, request as httpRequest } from 'node:http';
import { sha256 } from './bodies.ts';
import type { LoadRequest } from './wrk.ts';

const INTERVAL_MS = 20;

export type BodyCheck = {
  readonly port: number;
  readonly request: LoadRequest;
  readonly expectedSha256: string;
};

export type CheckedRun<Outcome> = { readonly outcome: Outcome; readonly checkedRequests: number };

// Runs `load` and checks bodies until it is done, at least one. Rejects on the first wrong answer.
export async function checkBodiesDuring<Outcome>(
  check: BodyCheck,
  load: () => Promise<Outcome>,
): Promise<CheckedRun<Outcome>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    await checkOnce(check, agent);
    let checkedRequests = 1;
    let loading = true;
    const outcome = load().finally(() => {
      loading = false;
    });
    const checking = (async () => {
      while (loading) {
        await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
        await checkOnce(check, agent);
        checkedRequests += 1;
      }
    })();
    // Both are awaited even when one fails: the load must be over before the next measurement starts.
    const [loaded, checked] = await Promise.allSettled([outcome, checking]);
    if (loaded.status === 'rejected') throw loaded.reason;
    if (checked.status === 'rejected') throw checked.reason;
    return { outcome: loaded.value, checkedRequests };
  } finally {
    agent.destroy();
  }
}

function checkOnce(check: BodyCheck, agent: Agent): Promise<void> {
  const { method, path, authority, headers, body } = check.request;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { agent, port: check.port, host: '127.0.0.1', method, path, headers: { ...headers, host: authority } },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => {
          const received = Buffer.concat(pieces);
          if (response.statusCode === 200 && sha256(received) === check.expectedSha256) resolve();
          else reject(new Error(`wrong answer to ${method} ${path}: ${response.statusCode}, ${received.length} bytes`));
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
