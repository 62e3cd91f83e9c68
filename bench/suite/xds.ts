// Dynamic configuration against Envoy: the same control plane, the same pushes, one proxy at a time.
import { join } from 'node:path';
import { describeMachine } from '../measure/machine.ts';
import { freePorts } from '../peers/free-ports.ts';
import { buildControlPlane, type ControlPlane, MEASURED, startControlPlane } from '../peers/go-control-plane.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer, PeerName } from '../peers/peer.ts';
import { assembleRoster } from '../peers/roster.ts';
import { writePart } from '../report/results-file.ts';
import { renderXdsResults, XDS_TITLE, type XdsReport, type XdsSample } from '../report/xds-results.ts';
import { measureChangedEndpoint, Witness } from './xds-changed-endpoint.ts';
import { measureFirstPush } from './xds-first-push.ts';
import { changesNeeded, measurePushLoad } from './xds-push-load.ts';

const RESULTS = join(import.meta.dirname, '..', 'RESULTS.md');
const CLUSTERS = 10_000;
// Counted early in a process and later. V8 has compiled what a change runs after some 300: medians of 100 changes in turn 7.5,
// 8.1, 6.5, 3.7 and then 3.2 to 4.1 ms, where Envoy has 3.0 to 3.6 throughout.
const CHANGES = 100;
const CHANGES_BETWEEN = 300;

export const XDS_PEER_NAMES: readonly PeerName[] = ['envoy', 'outrigger'];

export type XdsOptions = {
  readonly rounds: number;
  readonly peers: readonly PeerName[];
  readonly write: boolean;
};

// Prints the report; writes its part of RESULTS.md when asked. Rejects when a peer lost a request or refused a resource.
export async function runXds(options: XdsOptions): Promise<void> {
  buildControlPlane();
  const { peers, absent } = assembleRoster(options.peers);
  for (const one of absent) console.log(`${one.name} takes no part: ${one.reason}`);
  const origin = await startOrigin();
  const witness = new Witness();
  const witnessAddress = await witness.listen();
  const [httpPort] = (await freePorts(1)) as [number];
  const controlPlane = await startControlPlane({
    clusters: CLUSTERS,
    hosts: CLUSTERS,
    listenerPorts: [httpPort],
    endpointPort: origin.port,
    prefix: MEASURED,
  });
  try {
    const suite = new XdsSuite({ controlPlane, witness, witnessAddress, httpPort, originPort: origin.port });
    const report = await suite.run(peers, options.rounds);
    const results = renderXdsResults(report);
    console.log(results);
    if (options.write) writePart(RESULTS, XDS_TITLE, results);
  } finally {
    witness.close();
    await controlPlane.stop();
    await origin.stop();
  }
}

type Surroundings = {
  readonly controlPlane: ControlPlane;
  readonly witness: Witness;
  readonly witnessAddress: string;
  readonly httpPort: number;
  readonly originPort: number;
};

class XdsSuite {
  readonly #around: Surroundings;
  // A change to what is there already is not sent: every change takes a cluster that was never changed.
  #nextCluster = 0;
  #pushes = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  async run(peers: readonly Peer[], rounds: number): Promise<XdsReport> {
    const samples = new Map<PeerName, XdsSample[]>(peers.map((peer) => [peer.name, []]));
    // The control plane makes its bytes at the first push, and programs are read from disk; that is not what is compared.
    for (const peer of peers) await this.#warmUp(peer);
    for (let round = 0; round < rounds; round += 1) {
      for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
        const sample = await this.#sample(peer);
        samples.get(peer.name)!.push(sample);
        console.log(`xds: round ${round + 1}: ${peer.name} ${Math.round(sample.servingMs)} ms to serving`);
      }
    }
    return {
      machine: describeMachine(),
      versions: new Map(peers.map((peer) => [peer.name, peer.version()])),
      clusters: CLUSTERS,
      samples,
    };
  }

  async #warmUp(peer: Peer): Promise<void> {
    const { running } = await measureFirstPush(peer, { ...this.#around, clusters: CLUSTERS });
    await running.stop();
  }

  async #sample(peer: Peer): Promise<XdsSample> {
    const { controlPlane, witnessAddress } = this.#around;
    const { push, running } = await measureFirstPush(peer, { ...this.#around, clusters: CLUSTERS });
    const change = (count: number) =>
      measureChangedEndpoint(running, { ...this.#around, clusters: this.#clusters(count) });
    const earlyChanges = await change(CHANGES);
    await change(CHANGES_BETWEEN);
    const changes = await change(CHANGES);
    const load = await measurePushLoad(running, {
      controlPlane,
      changedAddress: witnessAddress,
      clusters: this.#clusters(changesNeeded),
      nextPush: () => this.#push(),
    });
    await running.stop();
    return { ...push, earlyChanges, changes, load };
  }

  #push(): Readonly<Record<string, string>> {
    this.#pushes += 1;
    return { zone: `zone-${this.#pushes}`, connect_timeout_ms: `${1_000 + this.#pushes}` };
  }

  #clusters(count: number): readonly number[] {
    const clusters = Array.from({ length: count }, (_, index) => this.#nextCluster + index);
    this.#nextCluster += count;
    // The load goes to the last one.
    if (this.#nextCluster >= CLUSTERS) throw new Error('no clusters are left to change: fewer rounds');
    return clusters;
  }
}
