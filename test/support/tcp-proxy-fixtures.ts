// A tcp_proxy listener in front of an origin, and what it counted and logged.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { Cluster } from '../../config/cluster.ts';
import type { Listener, TcpProxy } from '../../config/listener.ts';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { tcpStats } from '../../proxy/telemetry/tcp-stats.ts';
import { clusterOf, type DataPlane, listenerOf, startDataPlane } from './data-plane.ts';

/** One line a connection: flags, bytes from and to the client, cluster, attempts. */
const LOG = '%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n';

/** Envoy's defaults, and a log. */
export function tcpProxyOf(overrides: Partial<TcpProxy> = {}): TcpProxy {
  return {
    statPrefix: 'tcp',
    clusters: [{ name: 'app', weight: 1 }],
    totalWeight: 1,
    idleTimeoutMs: 3_600_000,
    maxDownstreamConnectionDurationMs: 0,
    maxConnectAttempts: 1,
    accessLogs: [{ sink: { kind: 'stdout' }, format: { kind: 'text', format: LOG, omitEmptyValues: false } }],
    flushAccessLogOnConnected: false,
    accessLogFlushIntervalMs: 0,
    ...overrides,
  };
}

export function tcpListener(config: Partial<TcpProxy> = {}, overrides: Partial<Listener> = {}): Listener {
  const filter = { kind: 'tcp-proxy', name: 'envoy.filters.network.tcp_proxy', config: tcpProxyOf(config) } as const;
  return listenerOf('tcp', filter, overrides);
}

export interface TcpPlane {
  readonly plane: DataPlane;
  connect(): Promise<TcpClient>;
  /** The counters of a set that are not 0, by the end of their Envoy name. */
  cluster(name: string, stat: keyof typeof clusterStats): number;
  tcp(stat: keyof typeof tcpStats): number;
  /** Lines logged, once there are `count`. */
  lines(count: number): Promise<readonly string[]>;
}

/** Serves `config`, with clusters of endpoints by port, until the end of the test. */
export async function startTcpPlane(
  t: Test,
  config: Partial<TcpProxy>,
  clusters: readonly Cluster[],
  overrides: Partial<Listener> = {},
): Promise<TcpPlane> {
  const plane = await startDataPlane({ listeners: [tcpListener(config, overrides)], clusters });
  t.teardown(() => plane.stop());
  return {
    plane,
    connect: () => TcpClient.connect(t, plane.ports.get('tcp')!),
    cluster: (name, stat) => plane.stats.get(clusterStats, name)?.value(clusterStats[stat] as number) ?? 0,
    tcp: (stat) => plane.stats.get(tcpStats, 'tcp')?.value(tcpStats[stat] as number) ?? 0,
    lines: (count) => plane.logged(count),
  };
}

export function clusterAt(port: number, overrides: Partial<Cluster> = {}): Cluster {
  return clusterOf(overrides.name ?? 'app', [port], overrides);
}

/** A client that keeps what it receives, and how it ended. */
export class TcpClient {
  readonly socket: Socket;
  text = '';
  /** How the connection ended for the client. */
  readonly ended: Promise<'end' | 'reset'>;
  #changed = Promise.withResolvers<void>();

  static async connect(t: Test, port: number): Promise<TcpClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.teardown(() => socket.destroy());
    const client = new TcpClient(socket);
    await once(socket, 'connect');
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => {
      this.text += data.toString('latin1');
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
    const { promise, resolve } = Promise.withResolvers<'end' | 'reset'>();
    socket.on('end', () => resolve('end'));
    socket.on('error', () => resolve('reset'));
    this.ended = promise;
  }

  async received(length: number): Promise<string> {
    while (this.text.length < length) await this.#changed.promise;
    return this.text;
  }
}

/** Asks again after every turn of Node's loop. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise(setImmediate);
}
