// A listener that looks for TLS and HTTP in front of a TCP endpoint, with a client at one end and the test at the other: what
// speculation about servers that speak first is tried on.

import type { Test } from 'tap';
import type { Listener } from '../../config/listener.ts';
import { ServerFirstVerdicts } from '../../proxy/listener/server-first-verdicts.ts';
import type { Reactor } from '../../proxy/reactor/reactor.ts';
import { listenerStats } from '../../proxy/telemetry/listener-stats.ts';
import { serverFirstStats } from '../../proxy/telemetry/server-first-stats.ts';
import { answering, type ListenerBench, makeListenerBench } from './listener-fixtures.ts';
import { nextTurn, RawClient } from './raw-client.ts';
import { type Acceptor, listenOn, type RecordingHandler, startReactor } from './reactor-fixtures.ts';
import { clusterAt, tcpListener } from './tcp-proxy-fixtures.ts';

export interface Scene {
  readonly bench: ListenerBench;
  readonly listener: { drain(): void; closeConnections(): void; readonly openConnections: number };
  readonly client: RawClient;
  readonly acceptor: Acceptor;
  /** Lets so much time pass, and all happen that comes of it. */
  pass(ms: number): Promise<void>;
  settle(): Promise<void>;
  connect(): Promise<RawClient>;
  /** A connection has come to the endpoint. */
  endpoint(): Promise<RecordingHandler>;
  readonly classified: readonly string[];
}

export const [plainTcp] = tcpListener({ accessLogs: [] }).filterChains;
export const [http] = answering('http', 'http').filterChains;
/** As an inbound listener of a sidecar whose peers may or may not speak TLS. */
export const permissive: Partial<Listener> = {
  filterChains: [
    {
      ...http!,
      name: 'http',
      match: { ...http!.match, transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1'] },
    },
    { ...plainTcp!, name: 'tcp', match: { ...plainTcp!.match, transportProtocol: 'raw_buffer' } },
  ],
};

export async function open(t: Test, given: Partial<Listener> = permissive, { refuses = false } = {}): Promise<Scene> {
  // Stands still until the test says otherwise, however slow the machine is: Node's loop is visited in every turn.
  let nowMs = 0;
  const reactor = startReactor(t, { clock: () => nowMs, maxSleepMs: 0 });
  const bench = makeListenerBench(t, reactor);
  const classified: string[] = [];
  bench.context.serverFirst = new ServerFirstVerdicts({
    makeStats: () => bench.context.stats.block(serverFirstStats),
    onNewDestination: (destination) => classified.push(destination),
  });
  const acceptor = listenOn(t, reactor);
  const port = acceptor.address.kind === 'ip' ? acceptor.address.port : 0;
  if (refuses) acceptor.socket.close();
  const { clusters } = bench.context.http;
  clusters.apply({
    clusters: { set: [['app', clusterAt(port)]], removed: [] },
    assignments: { set: [], removed: [] },
  });
  const listening = bench.listen({
    ...answering('in', '', { statPrefix: 'in' }),
    listenerFilters: [
      { kind: 'tls-inspector', maxClientHelloBytes: 65_536, closesOnParsingErrors: false },
      { kind: 'http-inspector' },
    ],
    listenerFiltersTimeoutMs: 0,
    ...given,
  });
  const settle = () => settled(reactor);
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.open(listening.port);
    t.teardown(() => client.close());
    await settle();
    return client;
  };
  return {
    bench,
    listener: listening.listener,
    client: await connect(),
    acceptor,
    settle,
    connect,
    classified,
    pass: (ms) => {
      nowMs += ms;
      return settle();
    },
    endpoint: async () => {
      const endpoint = await acceptor.next();
      t.teardown(() => endpoint.stream.close());
      await settle();
      return endpoint;
    },
  };
}

/** All that follows from what was done, in the reactor and in Node's loop, which take turns. */
export async function settled(reactor: Reactor): Promise<void> {
  for (let turn = 0; turn < 8; turn++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    reactor.deferToNextTurn({ run: resolve });
    await promise;
    await nextTurn();
  }
}

/** Of speculations: what is not 0. */
export function counted({ bench }: Scene): Record<string, number> {
  const group = bench.store.get(serverFirstStats);
  const entries = Object.entries(serverFirstStats).filter(([, index]) => typeof index === 'number');
  const values = entries.map(([name, index]) => [name, group?.value(index as number) ?? 0] as const);
  return Object.fromEntries(values.filter(([, value]) => value > 0));
}

export function stat({ bench }: Scene, index: number): number {
  return bench.store.get(listenerStats, 'in')!.value(index);
}

export function assertNothingLeft(t: Test, { bench, listener }: Scene): void {
  const cluster = bench.context.http.clusters.get('app')!;
  t.equal(cluster.breakers.default.connections, 0, 'the circuit breaker has all back');
  t.equal(listener.openConnections, 0, 'no connection is open');
  t.equal(bench.context.http.reactor.timers.armedCount, 0, 'no timer is armed');
}
