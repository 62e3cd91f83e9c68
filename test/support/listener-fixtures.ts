// A listener at work on a reactor of the test's thread, without a worker around it.

import type { Test } from 'tap';
import type { Address } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { ClusterTable } from '../../proxy/cluster/cluster-table.ts';
import { Http1Connector } from '../../proxy/cluster/http1-connector.ts';
import { RawConnector } from '../../proxy/cluster/raw-connector.ts';
import { encodeLine } from '../../proxy/http/header-table.ts';
import { OutputBuffer } from '../../proxy/http/http1/output-buffer.ts';
import { OnDemandWaits } from '../../proxy/http/on-demand.ts';
import { RequestCounter } from '../../proxy/http/request-counter.ts';
import { WorkerIstio } from '../../proxy/istio/worker-istio.ts';
import { DescriptorReserve } from '../../proxy/listener/descriptor-reserve.ts';
import { openListener } from '../../proxy/listener/listener-opening.ts';
import { type ListenerContext, ListenerRuntime, type ListenerSockets } from '../../proxy/listener/listener-runtime.ts';
import { ServerFirstVerdicts } from '../../proxy/listener/server-first-verdicts.ts';
import type { Reactor } from '../../proxy/reactor/reactor.ts';
import { RouteTables } from '../../proxy/route/route-tables.ts';
import { AccessLogs } from '../../proxy/telemetry/access-log.ts';
import { routeStats } from '../../proxy/telemetry/cluster-stats.ts';
import { http1Stats } from '../../proxy/telemetry/http-stats.ts';
import { RequestMetrics } from '../../proxy/telemetry/request-metrics.ts';
import { serverFirstStats } from '../../proxy/telemetry/server-first-stats.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';
import { TlsContexts } from '../../proxy/tls/tls-contexts.ts';
import { WorkerTracing } from '../../proxy/tracing/worker-tracing.ts';
import { makeContext, makeStatsSource, noTls } from './cluster-fixtures.ts';
import { httpListener, managerOf, routeOf, virtualHostOf } from './data-plane.ts';
import { startReactor } from './reactor-fixtures.ts';

/** A listener that answers every request itself with this body. */
export function answering(name: string, body: string, given: Partial<Listener> = {}): Listener {
  const action = { kind: 'direct-response', status: 200, body: Buffer.from(body) } as const;
  return { ...httpListener(name, managerOf([virtualHostOf([routeOf('/', action)])])), ...given };
}

export interface ListenerBench {
  /** Replace what a test is about; read when a listener is made or a connection arrives. */
  readonly context: { -readonly [K in keyof ListenerContext]: ListenerContext[K] };
  readonly store: StatsStore;
  /** Lines of access logs that have left. */
  readonly lines: string[];
  flushLogs(): void;
  /** Opens it on the reactor; `limit` is the shared one. Returns the port too. */
  listen(config: Listener, sockets?: Omit<ListenerSockets, 'descriptors'>): { listener: ListenerRuntime; port: number };
}

function makeTracing({ timers }: Reactor): WorkerTracing {
  const fillRandom = (bytes: Uint8Array): unknown => bytes.fill(7);
  return new WorkerTracing({ timers, wallOffsetMs: 0, fillRandom, publish: () => undefined });
}

export function makeListenerBench(t: Test, reactor: Reactor = startReactor(t)): ListenerBench {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const lines: string[] = [];
  const random = () => 0.5;
  const runtime = new Map();
  const publish = ({ bytes }: { readonly bytes: Uint8Array }) =>
    lines.push(...Buffer.from(bytes).toString('latin1').trimEnd().split('\n'));
  const logs = new AccessLogs({
    random,
    runtime,
    flushSizeBytes: 65_536,
    publish,
    publishEntries: () => undefined,
    onEntries: () => undefined,
  });
  const noAddress = (): Address | undefined => undefined;
  const output = new OutputBuffer();
  const context: ListenerBench['context'] = {
    http: {
      reactor,
      output,
      connector: new Http1Connector(reactor, output),
      rawConnector: new RawConnector(reactor, output),
      clusters: makeClusterTable(random),
      onDemand: new OnDemandWaits({ ask: () => undefined, leave: () => undefined }),
      routeTables: new RouteTables(),
      random,
      matchContext: { random, runtime },
      chooseContext: makeContext(),
      wallOffsetMs: 0,
      localIp: '192.0.2.1',
      dateLine: { current: encodeLine('date', 'now') },
      http1: stats.block(http1Stats),
      routeBlock: (virtualHost, statPrefix) => stats.block(routeStats, virtualHost, statPrefix),
    },
    stats,
    compileAccessLogs: (configs) => logs.compile(configs),
    tls: new TlsContexts({ stats, wallClock: Date.now }),
    tracing: makeTracing(reactor),
    istio: new WorkerIstio({ stats, maxSeries: 100 }),
    requestCounter: new RequestCounter(new RequestMetrics({ stats, maxSeries: 100 })),
    countsAllRequests: false,
    workerIndex: 3,
    reserve: new DescriptorReserve({ reactor, limit: 1_048_576, onChange: () => undefined }),
    originalDestination: noAddress,
    findListener: () => null,
    onAcceptError: () => undefined,
    onIdle: () => undefined,
    globalLimit: null,
    serverFirst: new ServerFirstVerdicts({
      makeStats: () => stats.block(serverFirstStats),
      onNewDestination: () => undefined,
    }),
    nextConnectionId: 1,
  };
  const listen: ListenerBench['listen'] = (config, sockets = {}) => {
    const opened = openListener(config, 1);
    if ('reason' in opened) throw new Error(opened.reason);
    const listener = new ListenerRuntime(config, { descriptors: opened.descriptors[0]!, ...sockets }, context);
    t.teardown(() => listener.stopAccepting());
    return { listener, port: Number(opened.addresses[0]?.split(':').at(-1)) };
  };
  return { context, store, lines, flushLogs: () => logs.flush(), listen };
}

function makeClusterTable(random: () => number): ClusterTable {
  return new ClusterTable({
    random,
    clock: () => 0,
    statsSource: makeStatsSource(),
    tls: noTls,
  });
}
