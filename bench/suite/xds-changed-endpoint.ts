// One cluster of many is given another endpoint, again and again. From the control plane's send to the arrival of the
// first request at that endpoint, which is this process, while one connection asks for the cluster without a pause.
import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { watchingHost } from '../measure/host-pauses.ts';
import { monotonicMs } from '../measure/monotonic-clock.ts';
import type { Span } from '../measure/pause-log.ts';
import { wallMicros } from '../measure/wall-clock.ts';
import type { ControlPlane } from '../peers/go-control-plane.ts';
import { virtualHostDomain } from '../peers/peer.ts';
import { LOAD_CORE, PROXY_CORE } from '../peers/pinned-process.ts';
import type { RunningPeer } from '../peers/running-peer.ts';

const ARRIVAL_DEADLINE_MS = 30_000;

// The endpoint that clusters are moved to.
export class Witness {
  readonly #server: Server;
  #arrivedAtMs = Number.NaN;

  constructor() {
    this.#server = createServer((_, response) => {
      if (Number.isNaN(this.#arrivedAtMs)) this.#arrivedAtMs = performance.now();
      response.end('witness');
    });
    this.#server.keepAliveTimeout = 0;
  }

  // Resolves with its address.
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  // performance.now() of the first request since the last reset; NaN before it.
  get arrivedAtMs(): number {
    return this.#arrivedAtMs;
  }

  reset(): void {
    this.#arrivedAtMs = Number.NaN;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

export type ChangedEndpointOptions = {
  readonly controlPlane: ControlPlane;
  readonly witness: Witness;
  readonly witnessAddress: string;
  // Numbers of the clusters to change, none of them changed before.
  readonly clusters: readonly number[];
};

export type Change = {
  readonly ms: number;
  // The host took a core away meanwhile.
  readonly disturbed: boolean;
};

// In their order.
export async function measureChangedEndpoint(
  running: RunningPeer,
  options: ChangedEndpointOptions,
): Promise<readonly Change[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { result, pauses } = await watchingHost([PROXY_CORE, LOAD_CORE], async () => {
    const spans: Span[] = [];
    for (const cluster of options.clusters) spans.push(await sample(running, agent, { ...options, cluster }));
    return spans;
  });
  agent.destroy();
  return result.map((span) => ({ ms: span.toMs - span.fromMs, disturbed: pauses.disturbed(span) }));
}

async function sample(
  running: RunningPeer,
  agent: Agent,
  options: ChangedEndpointOptions & { readonly cluster: number },
): Promise<Span> {
  const { controlPlane, witness, witnessAddress, cluster } = options;
  // A cluster that was never asked for is made ready by its first request; that is not what is measured.
  await ask(running.httpPort, virtualHostDomain(cluster), agent);
  witness.reset();
  const deadline = performance.now() + ARRIVAL_DEADLINE_MS;
  const changed = controlPlane.changeEndpoint(`service-${cluster}`, witnessAddress);
  while (Number.isNaN(witness.arrivedAtMs)) {
    if (performance.now() > deadline) throw new Error(`${running.name} never sent a request to the changed endpoint`);
    await ask(running.httpPort, virtualHostDomain(cluster), agent);
  }
  const arrivedAt = wallMicros(witness.arrivedAtMs);
  const toMs = monotonicMs(witness.arrivedAtMs);
  await changed;
  const { responses } = await controlPlane.status('eds', 1);
  return { fromMs: toMs - (arrivedAt - responses[0]!.sent_at_us) / 1000, toMs };
}

// Rejects on any status but 200: no request may be lost to a change.
function ask(port: number, authority: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', agent, headers: { host: authority } }, (response) => {
      response.resume();
      response.once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${response.statusCode} for ${authority}`));
      });
    });
    asked.once('error', reject);
    asked.end();
  });
}
