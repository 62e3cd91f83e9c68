// What senders and queues of telemetry are given in tests: clusters of one snapshot, and a clock that a test moves.

import type { Address, HostAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { GrpcCluster } from '../../config/config-source.ts';
import type { Endpoint, HealthStatus } from '../../config/endpoint.ts';
import type { Secret } from '../../config/secret.ts';
import type { CollectorClusters, CollectorEndpoint } from '../../proxy/export/collector-address.ts';
import type { SenderContext } from '../../proxy/export/otlp-sender.ts';
import type { ExportClock } from '../../proxy/export/sender.ts';

export const loopback = (port: number): Address => ({ kind: 'ip', ip: '127.0.0.1', port });

/** In clear text. */
export const plainly = (port: number): CollectorEndpoint => ({ address: loopback(port) });

export interface Member {
  readonly address: Address;
  /** Name of the endpoint. */
  readonly hostname?: string;
  readonly health?: HealthStatus;
  readonly priority?: number;
  /** Of its metadata `envoy.transport_socket_match`. */
  readonly labels?: { readonly [key: string]: string };
}

interface ClusterShape extends Partial<Pick<Cluster, 'transport' | 'transportMatches'>> {
  readonly kind?: 'static' | 'original-dst';
  readonly protocol?: 'http1' | 'http2';
}

/** Clusters that a test changes while they are used. */
export class FakeClusters implements CollectorClusters {
  readonly grpcClusters = new Map<string, GrpcCluster>();
  /** By their key. */
  readonly secrets = new Map<string, Secret>();
  #clusters = new Map<string, Cluster>();
  #members = new Map<string, readonly Member[]>();

  set(name: string, members: readonly Member[], shape: ClusterShape = {}): this {
    const { kind = 'static', protocol = 'http1', transport = { kind: 'plain' }, transportMatches = [] } = shape;
    const parts = { discovery: { kind }, upstreamHttp: { protocol }, transport, transportMatches };
    const cluster = { name, connectTimeoutMs: 1000, ...parts };
    this.#clusters.set(name, cluster as Cluster);
    this.#members.set(name, members);
    return this;
  }

  setGrpc(name: string, endpoints: readonly (Address | HostAddress)[], more: Partial<GrpcCluster> = {}): this {
    this.grpcClusters.set(name, { name, endpoints, connectTimeoutMs: 1000, ...more });
    return this;
  }

  remove(name: string): void {
    this.#clusters.delete(name);
    this.#members.delete(name);
  }

  readonly snapshot = () => ({
    clusters: this.#clusters,
    secrets: this.secrets,
    assignments: new Map([...this.#members].map(([name, members]) => [name, assignmentOf(members)])),
  });
}

function assignmentOf(members: readonly Member[]) {
  const locality = { region: '', zone: '', subZone: '' };
  return {
    overprovisioningFactorPercent: 140,
    localities: members.map(({ address, hostname = '', health = 'unknown', priority = 0, labels = {} }) => {
      const metadata = { 'envoy.transport_socket_match': labels };
      const endpoint: Endpoint = { address, hostname, weight: 1, health, metadata };
      return { locality, priority, weight: 1, endpoints: [endpoint] };
    }),
  };
}

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time stands still until a test moves it. */
export class FakeExportClock implements ExportClock {
  #nowMs = 1000;
  #timers: Timer[] = [];
  #onSchedule: (() => void)[] = [];

  readonly nowMs = (): number => this.#nowMs;

  readonly schedule = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    for (const resolve of this.#onSchedule.splice(0)) resolve();
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  };

  /** Delays of what is scheduled, soonest first. */
  get delays(): readonly number[] {
    return this.#timers.map(({ atMs }) => atMs - this.#nowMs).sort((left, right) => left - right);
  }

  /** Resolves when something is scheduled, now or later. */
  async scheduled(): Promise<void> {
    if (this.#timers.length === 0) await new Promise<void>((resolve) => this.#onSchedule.push(resolve));
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { callback } of due) callback();
  }
}

/** Real time, without waits between attempts. */
export const hastyClock: ExportClock = {
  nowMs: () => performance.now(),
  schedule: (_delayMs, callback) => {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  },
};

/** With the time that there is, and no wait between attempts. */
export function patientContext(clusters: CollectorClusters, warnings: string[] = []): SenderContext {
  const schedule = (delayMs: number, callback: () => void): (() => void) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  };
  return { ...senderContext(clusters, warnings), clock: { nowMs: hastyClock.nowMs, schedule }, random: () => 0 };
}

export function senderContext(clusters: CollectorClusters, warnings: string[] = []): SenderContext {
  return {
    clusters,
    clock: hastyClock,
    wallClock: Date.now,
    random: () => 0.5,
    onWarning: (text) => warnings.push(text),
  };
}
