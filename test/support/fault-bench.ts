// A proxy between a client and an origin that misbehave, with a witness beside them: a good client whose every request
// is unique and who checks every answer. A fault may cost the one who commits it; the witness must never notice.

import type { Test } from 'tap';
import type { Cluster } from '../../config/cluster.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../proxy/telemetry/http-stats.ts';
import {
  clusterOf,
  type DataPlane,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from './data-plane.ts';
import { nextTurn, RawClient } from './raw-client.ts';
import { type OriginConnection, onEachRequest, RawOrigin } from './raw-origin.ts';
import { type ReferenceMessage, readResponse } from './reference-parser.ts';

export interface FaultBenchOptions {
  readonly manager?: Partial<HttpConnectionManager>;
  readonly cluster?: Partial<Cluster>;
  readonly upstream?: 'reactor' | 'undici';
}

/** So few that a request or a connection which is never given back is missed a few faults later. */
const limits = { maxConnections: 6, maxPendingRequests: 6, maxRequests: 6, maxRetries: 1, trackRemaining: false };
const witnessPrefix = '/witness-';

export class FaultBench {
  readonly origin: RawOrigin;
  readonly plane: DataPlane;
  readonly port: number;
  /** What the origin does with a request that is not the witness's. */
  onRequest: (request: ReferenceMessage, connection: OriginConnection) => void = () => undefined;
  #witnessed = 0;

  private constructor(origin: RawOrigin, plane: DataPlane) {
    this.origin = origin;
    this.plane = plane;
    this.port = plane.ports.get('http')!;
  }

  /** Runs until the end of the test. */
  static async start(t: Test, options: FaultBenchOptions = {}): Promise<FaultBench> {
    const origin = await RawOrigin.start(t, () => undefined);
    const routes = [virtualHostOf([routeOf('/', forwardTo('app', { timeoutMs: 0, upgrades: { websocket: true } }))])];
    const plane = await startDataPlane({
      listeners: [httpListener('http', managerOf(routes, options.manager))],
      clusters: [
        clusterOf('app', [origin.port], { circuitBreakers: { default: limits, high: limits }, ...options.cluster }),
      ],
      upstream: options.upstream ?? 'reactor',
    });
    t.teardown(() => plane.stop());
    const bench = new FaultBench(origin, plane);
    origin.onConnection = (connection) =>
      onEachRequest(connection, (request) => {
        const target = request.firstLine[1];
        if (target.startsWith(witnessPrefix)) connection.write(witnessAnswer(target));
        else bench.onRequest(request, connection);
      });
    return bench;
  }

  client(): Promise<RawClient> {
    return RawClient.open(this.port);
  }

  /** Runs `fault` while the witness works, and checks afterwards that nothing is left of it. */
  async during(t: Test, fault: () => Promise<void>): Promise<void> {
    const running = { isOver: false };
    const witness = this.#witness(running);
    await fault();
    running.isOver = true;
    t.same(await witness, [], 'the witness got its own answers all the time');
    await this.#askOnce(t);
    await this.#settled();
  }

  /** Asks one thing after the other over one connection; returns what was wrong. */
  async #witness(running: { readonly isOver: boolean }): Promise<string[]> {
    const faults: string[] = [];
    const client = await this.client();
    do {
      const target = this.#nextTarget();
      const seen = client.text.length;
      await client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const read = (text: string) => readResponse(text.slice(seen), { requestMethod: 'GET', isEnd: false });
      const answer = read(await client.until((text) => typeof read(text) !== 'string'));
      if (typeof answer === 'string') return [...faults, `${target}: ${answer}, ${client.outcome}`];
      if (answer.body !== witnessBody(target) || client.text.length - seen !== answer.length) {
        faults.push(`${target}: ${client.text.slice(seen)}`);
      }
    } while (!running.isOver);
    client.close();
    return faults;
  }

  /** The next client, on a connection of its own. */
  async #askOnce(t: Test): Promise<void> {
    const target = this.#nextTarget();
    const client = await this.client();
    await client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const text = await client.ended();
    const answer = readResponse(text, { requestMethod: 'GET', isEnd: true });
    const isOwn = typeof answer !== 'string' && answer.body === witnessBody(target) && answer.length === text.length;
    t.ok(isOwn, 'the next client gets its own answer');
    client.close();
  }

  #nextTarget(): string {
    return `${witnessPrefix}${++this.#witnessed}`;
  }

  /** Resolves when nothing is counted as open any more but idle upstream connections; the test's timeout is the bound. */
  async #settled(): Promise<void> {
    const cluster = this.plane.stats.get(clusterStats, 'app')!;
    const http = this.plane.stats.get(httpStats, 'test')!;
    const open = () =>
      cluster.value(clusterStats.upstreamRqActive) +
      cluster.value(clusterStats.upstreamRqPendingActive) +
      http.value(httpStats.downstreamRqActive) +
      http.value(httpStats.downstreamCxActive) +
      Math.abs(cluster.value(clusterStats.upstreamCxActive) - this.openUpstreamConnections);
    while (open() !== 0) await nextTurn();
  }

  get openUpstreamConnections(): number {
    return this.origin.connections.filter(({ outcome }) => outcome === undefined).length;
  }

  /** A counter of the cluster. */
  counted(index: number): number {
    return this.plane.stats.get(clusterStats, 'app')!.value(index);
  }
}

/** Long enough that a part of somebody else's answer cannot be taken for it. */
function witnessBody(target: string): string {
  return `[${target}]`.repeat(20);
}

function witnessAnswer(target: string): string {
  const body = witnessBody(target);
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
