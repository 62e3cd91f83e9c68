// A minute of updates under load: 100 changes a second of endpoints and routes that requests use, then the same with all
// of 10,000 clusters pushed anew in the middle, each in turn with the load alone. The load is open loop and checks every
// body: a request that fails, is lost or is answered by somebody else ends the run. Then wrk as fast as it can beside the same
// changes, as long as all turns of one kind: it looks at no body, but one failed status or socket ends the run.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { patternBody, SMALL_BODY_BYTES } from '../load/bodies.ts';
import { runWatchedClient, type WatchedOutcome } from '../load/undisturbed.ts';
import { ensureWrk, runWrk, type WrkOutcome } from '../load/wrk.ts';
import { describeMachine } from '../measure/machine.ts';
import { freePorts } from '../peers/free-ports.ts';
import { buildControlPlane, type ControlPlane, MEASURED, startControlPlane } from '../peers/go-control-plane.ts';
import { startOrigin } from '../peers/origin.ts';
import { type Peer, type PeerName, virtualHostDomain } from '../peers/peer.ts';
import { assembleRoster } from '../peers/roster.ts';
import type { RunningPeer } from '../peers/running-peer.ts';
import { type Minute, type MinuteTurn, renderMinute, withMinute } from '../report/xds-minute.ts';
import { measureFirstPush } from './xds-first-push.ts';
import { givingWay } from './xds-push-load.ts';

const RESULTS = join(import.meta.dirname, '..', 'RESULTS.md');
const CLUSTERS = 10_000;
// A change of a route is sent as its whole table: of 10,000 hosts nobody could send a hundred a second.
const HOSTS = 100;
const hosts = Array.from({ length: HOSTS }, (_, index) => virtualHostDomain(index));
const CONNECTIONS = 32;
const REQUESTS_PER_SECOND = 1_000;
const CHANGE_EVERY_MS = 10;
const TURN_SECONDS = 10;
const PUSH_AFTER_MS = 5_000;

export type XdsMinuteOptions = {
  // Six make a minute of each kind of load.
  readonly turns: number;
  readonly peers: readonly PeerName[];
  readonly write: boolean;
};

type Surroundings = {
  readonly controlPlane: ControlPlane;
  // Of origins that answer alike.
  readonly addresses: readonly string[];
  readonly originPort: number;
  readonly httpPort: number;
};

// Prints the report, and writes its part of RESULTS.md when asked. Rejects when a request was lost or a resource refused.
export async function runXdsMinute(options: XdsMinuteOptions): Promise<void> {
  buildControlPlane();
  ensureWrk();
  const { peers, absent } = assembleRoster(options.peers);
  for (const one of absent) console.log(`${one.name} takes no part: ${one.reason}`);
  const origins = [await startOrigin(), await startOrigin()];
  const originPort = origins[0]!.port;
  const [httpPort] = (await freePorts(1)) as [number];
  const controlPlane = await startControlPlane({
    clusters: CLUSTERS,
    hosts: HOSTS,
    listenerPorts: [httpPort],
    endpointPort: originPort,
    prefix: MEASURED,
  });
  const addresses = origins.map(({ port }) => `127.0.0.1:${port}`);
  const results = new Map<PeerName, Minute>();
  try {
    for (const peer of peers) {
      results.set(peer.name, await minuteOf(peer, { controlPlane, addresses, originPort, httpPort }, options.turns));
    }
    const [machine, table] = [describeMachine(), renderMinute(results)];
    console.log(machine.join('\n'));
    console.log(table);
    if (options.write) writeFileSync(RESULTS, withMinute(readFileSync(RESULTS, 'utf8'), machine, table));
  } finally {
    await controlPlane.stop();
    await Promise.all(origins.map((origin) => origin.stop()));
  }
}

async function minuteOf(peer: Peer, around: Surroundings, turns: number): Promise<Minute> {
  const { controlPlane } = around;
  const { running } = await measureFirstPush(peer, { ...around, clusters: HOSTS });
  const changes = new Changes(around);
  const done = await givingWay(controlPlane, () => turnsOf(running, { controlPlane, changes, turns }));
  const seconds = turns * TURN_SECONDS;
  const [fast, fastSent] = await Promise.all([runFast(running, seconds), changes.run(seconds)]);
  const refused = (await controlPlane.status()).responses.find(({ nack }) => nack !== undefined);
  if (refused !== undefined) throw new Error(`${peer.name} refused ${refused.type_url}: ${refused.nack}`);
  await running.stop();
  return { turns: done, fast, fastSent };
}

type Turns = { readonly controlPlane: ControlPlane; readonly changes: Changes; readonly turns: number };

async function turnsOf(running: RunningPeer, { controlPlane, changes, turns }: Turns): Promise<readonly MinuteTurn[]> {
  // Connections, and code that no request has run yet.
  await runClient(running);
  const done: MinuteTurn[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const quiet = await runClient(running);
    const [updates, updatesSent] = await during(running, changes, async () => undefined);
    const [push, pushSent] = await during(running, changes, async () => {
      await setTimeout(PUSH_AFTER_MS);
      await controlPlane.push({ zone: `${running.name}-${turn}`, connect_timeout_ms: `${1_000 + turn}` });
    });
    done.push({ quiet, updates, updatesSent, push, pushSent });
    console.log(`xds minute: ${running.name} turn ${turn + 1} of ${turns}`);
  }
  return done;
}

// The load beside changes, and how many of these there were.
async function during(
  running: RunningPeer,
  changes: Changes,
  also: () => Promise<void>,
): Promise<[WatchedOutcome, number]> {
  const load = runClient(running);
  const [outcome, sent] = await Promise.all([load, changes.run(TURN_SECONDS), also()]);
  return [outcome, sent];
}

class Changes {
  readonly #around: Surroundings;
  #next = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  // Resolves with how many were made.
  async run(seconds: number): Promise<number> {
    const startedAt = performance.now();
    let made = 0;
    for (let dueMs = 0; dueMs < seconds * 1_000; dueMs = made * CHANGE_EVERY_MS) {
      await setTimeout(Math.max(0, startedAt + dueMs - performance.now()));
      // A machine that is too busy makes fewer.
      if (performance.now() - startedAt > seconds * 1_000) break;
      await this.#change(this.#next);
      this.#next += 1;
      made += 1;
    }
    return made;
  }

  // Endpoints and routes in turn; each goes round all hosts, and then back to what it was.
  #change(number: number): Promise<void> {
    const { controlPlane, addresses } = this.#around;
    const host = Math.floor(number / 2) % HOSTS;
    const isBack = Math.floor(number / 2 / HOSTS) % 2;
    if (number % 2 === 0) return controlPlane.changeEndpoint(`service-${host}`, addresses[1 - isBack]!);
    return controlPlane.changeRoute(virtualHostDomain(host), `service-${(host + 1 - isBack) % HOSTS}`);
  }
}

function runFast(running: RunningPeer, seconds: number): Promise<WrkOutcome> {
  const { httpPort: port, authority, directory } = running;
  const request = { method: 'GET', path: '/', authority, authorities: hosts, headers: {}, body: '' } as const;
  return runWrk({ port, connections: CONNECTIONS, seconds, request, directory });
}

function runClient(running: RunningPeer): Promise<WatchedOutcome> {
  return runWatchedClient({
    port: running.httpPort,
    connections: CONNECTIONS,
    requestsPerSecond: REQUESTS_PER_SECOND,
    seconds: TURN_SECONDS,
    requests: hosts.map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
    rests: true,
    expectedBody: patternBody(SMALL_BODY_BYTES),
  });
}
