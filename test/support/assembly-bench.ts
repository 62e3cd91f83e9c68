// An assembler with a control plane that a test plays by hand: turns of the event loop, time, sockets and answers.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { ConfigSource } from '../../config/config-source.ts';
import { emptySnapshot, type MapDelta, type Snapshot, type SnapshotChange } from '../../config/snapshot.ts';
import { Assembler, type AssemblerOptions } from '../../xds/assembly/assembler.ts';
import type { ReceivedResource, RefusedResource, ResourceType } from '../../xds/client/discovery.ts';
import { LongTurns } from '../../xds/client/long-turns.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { messageOf } from './config-fixtures.ts';

const ads: ConfigSource = { kind: 'ads', initialFetchTimeoutMs: 15_000 };

const messageNames: { readonly [shortName: string]: string } = {
  cds: 'envoy.config.cluster.v3.Cluster',
  eds: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  lds: 'envoy.config.listener.v3.Listener',
  rds: 'envoy.config.route.v3.RouteConfiguration',
  rtds: 'envoy.service.runtime.v3.Runtime',
  sds: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  vhds: 'envoy.config.route.v3.VirtualHost',
  ecds: 'envoy.config.core.v3.TypedExtensionConfig',
};

/** YAML by resource name. */
export type Resources = { readonly [name: string]: string };

export class AssemblyBench {
  readonly assembler: Assembler;
  /** Every change, in order. */
  readonly changes: SnapshotChange[] = [];
  /** What the changes make, applied one by one. */
  snapshot: Snapshot = emptySnapshot;
  /** `lds *`, `eds a` …, as they are subscribed to now. */
  readonly subscriptions = new Set<string>();
  /** Every call: `+eds a`, `-eds a`. */
  readonly calls: string[] = [];
  /** Listeners with prepared sockets by name, by address. */
  readonly prepared = new Map<string, string>();
  readonly layers = new Map<string, ReadonlyMap<string, string | number | boolean>>();
  /** Ports that cannot be bound. */
  readonly takenPorts = new Set<number>();
  /** Why logs of a listener cannot be opened, by its name. */
  readonly unopenedLogs = new Map<string, string>();
  /** What an operator was told. */
  readonly logged: string[] = [];
  /** What is counted: `reload rds a`, `http-filter f`, `conflict http-filter f`, `key rotation a`. */
  readonly observed: string[] = [];
  /** Of requests that wait in vain: `cluster a absent for 0`, with the workers. */
  readonly refusedDemands: string[] = [];
  isReady = false;
  nowMs = 0;
  /** Stands still while something is done, so that all of it is one slice. */
  clock = (): number => this.nowMs;
  #version = 0;
  #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];
  #deferred: (() => void)[] = [];

  constructor(options: Partial<Bootstrap> & Partial<Pick<AssemblerOptions, 'drainTimeMs'>> = {}) {
    const { drainTimeMs = 600_000, ...bootstrap } = options;
    this.assembler = new Assembler({
      bootstrap: {
        clusters: [],
        grpcClusters: new Map(),
        secrets: new Map(),
        listeners: [],
        runtimeLayers: [],
        dynamicResources: { clusters: ads, listeners: ads },
        ...bootstrap,
      },
      drainTimeMs,
      sources: {
        problemWith: (source) => (source.kind === 'grpc' ? 'there is no static cluster "x" for gRPC' : undefined),
        nameOf: (source) => (source.kind === 'path' ? source.path : source.kind),
        subscriptions: () => this.#subscriptions,
      },
      observer: {
        onReload: (typeUrl, name) => this.observed.push(`reload ${this.#type(typeUrl).shortName} ${name}`),
        onDiscoveredFilter: (place, name) => this.observed.push(`${place} ${name}`),
        onFilterConflict: (place, name) => this.observed.push(`conflict ${place} ${name}`),
        onKeyRotationFailed: (secret) => this.observed.push(`key rotation ${secret}`),
      },
      sockets: {
        prepare: ({ name, address }) => {
          if (address.kind === 'ip' && this.takenPorts.has(address.port)) return `port ${address.port} is taken`;
          this.prepared.set(name, address.kind === 'ip' ? `${address.ip}:${address.port}` : address.path);
          return undefined;
        },
        discard: (name) => this.prepared.delete(name),
        openLogs: ({ name }) => this.unopenedLogs.get(name),
      },
      schedule: (delayMs, callback) => {
        const timer = { dueMs: this.nowMs + delayMs, callback };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((each) => each !== timer);
        };
      },
      turns: new LongTurns((callback) => this.#deferred.push(callback)),
      clock: () => this.clock(),
      log: (_level, text, facts) => this.logged.push(`${text}: ${Object.values(facts).join(': ')}`),
      runtime: () => new Map(),
      onRefusedDemand: (asked, workers, why) => {
        const name = asked.kind === 'cluster' ? asked.name : `${asked.routeConfiguration}/${asked.host}`;
        this.refusedDemands.push(`${asked.kind} ${name} ${why} for ${[...workers].join(' ')}`);
      },
      onRuntimeLayer: (name, values) => this.layers.set(name, values),
      onChange: (change) => {
        this.changes.push(change);
        this.snapshot = applied(this.snapshot, change);
      },
      onReady: () => {
        this.isReady = true;
      },
    });
  }

  readonly #subscriptions = {
    subscribe: (typeUrl: string, name: string) => {
      const text = `${this.#type(typeUrl).shortName} ${name}`;
      this.subscriptions.add(text);
      this.calls.push(`+${text}`);
    },
    unsubscribe: (typeUrl: string, name: string) => {
      const text = `${this.#type(typeUrl).shortName} ${name}`;
      this.subscriptions.delete(text);
      this.calls.push(`-${text}`);
    },
  };

  /** Starts, and is answered with no clusters and no listeners. */
  startEmpty(): this {
    this.assembler.start();
    this.turn();
    this.push('cds', {});
    this.turn();
    this.push('lds', {});
    this.turn();
    return this;
  }

  /** The end of a turn of the event loop, and of all that a long one takes. */
  turn(): void {
    while (this.#deferred.length > 0) this.slice();
  }

  /** The next of the turns that a long one takes. */
  slice(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }

  /** Time goes by; each timer has a turn of its own. */
  pass(delayMs: number): void {
    const endMs = this.nowMs + delayMs;
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = next.dueMs;
      next.callback();
      this.turn();
    }
    this.nowMs = endMs;
  }

  /** One response, in the turn of now. */
  push(shortName: string, resources: Resources, removed: readonly string[] = []): readonly RefusedResource[] {
    const version = `${++this.#version}`;
    const received = Object.entries(resources).map(([name, yaml]) => receivedOf(shortName, name, { yaml, version }));
    return this.consumer(shortName).onUpdate({ version, resources: received, removed });
  }

  /** One response in a turn of its own; `name: path: message` for each problem. */
  respond(shortName: string, resources: Resources, removed: readonly string[] = []): readonly string[] {
    const refused = this.push(shortName, resources, removed);
    this.turn();
    return refused.flatMap(({ name, problems }) => problems.map(({ path, message }) => `${name}: ${path}: ${message}`));
  }

  /** It did not come within its time. */
  absent(shortName: string, name: string): void {
    this.consumer(shortName).onAbsent(name);
    this.turn();
  }

  consumer(shortName: string, sourceName = 'ads') {
    return this.assembler.consumer(this.#typeNamed(shortName), sourceName);
  }

  held(shortName: string): readonly string[] {
    return [...this.consumer(shortName).heldVersions()].map(([name]) => name);
  }

  /** `name state`, sorted. */
  states(shortName: string): readonly string[] {
    const statuses = this.assembler.resources(this.#typeNamed(shortName).typeUrl);
    return statuses.map(({ name, state }) => `${name} ${state}`).sort();
  }

  #typeNamed(shortName: string): ResourceType {
    return this.assembler.types.find((type) => type.shortName === shortName)!;
  }

  #type(typeUrl: string): ResourceType {
    return this.assembler.types.find((type) => type.typeUrl === typeUrl)!;
  }
}

export function receivedOf(
  shortName: string,
  name: string,
  { yaml, version }: { readonly yaml: string; readonly version: string },
): ReceivedResource {
  return { name, version, aliases: [], message: encodedOf(messageNames[shortName]!, yaml) };
}

export function encodedOf(typeName: string, yaml: string): Uint8Array {
  return encodeMessage(messageOf(typeName, yaml), typeName);
}

export function edsCluster(name: string, { service = name, fields = '' } = {}): string {
  return `{name: ${name}, type: EDS, eds_cluster_config: {service_name: ${service}, eds_config: {ads: {}}}${fields}}`;
}

export function staticCluster(name: string, port: number): string {
  return `{name: ${name}, load_assignment: ${assignment(name, port)}}`;
}

/** One endpoint on this machine for each port. */
export function assignment(name: string, ...ports: readonly number[]): string {
  const endpoints = ports.map(
    (port) => `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}}`,
  );
  return `{cluster_name: ${name}, endpoints: [{lb_endpoints: [${endpoints.join(', ')}]}]}`;
}

export function routeTable(name: string, ...clusters: readonly string[]): string {
  const hosts = clusters.map(
    (cluster, index) =>
      `{name: h${index}, domains: [${cluster}.example], routes: [{match: {prefix: /}, route: {cluster: ${cluster}}}]}`,
  );
  return `{name: ${name}, virtual_hosts: [${hosts.join(', ')}]}`;
}

/** An HTTP listener for each set of route names: by RDS. */
export function rdsListener(name: string, port: number, ...routes: readonly string[]): string {
  const managers = routes.map((route) => `rds: {route_config_name: ${route}, config_source: {ads: {}}}`);
  return httpListener(name, port, managers);
}

export function inlineListener(name: string, port: number, ...clusters: readonly string[]): string {
  return httpListener(name, port, [`route_config: ${routeTable(name, ...clusters)}`]);
}

export function tcpListener(name: string, port: number, cluster: string): string {
  const type = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  const filter = `{name: tcp, typed_config: {"@type": ${type}, stat_prefix: tcp, cluster: ${cluster}}}`;
  return `{name: ${name}, address: ${socketAddress(port)}, filter_chains: [{filters: [${filter}]}]}`;
}

/** A listener without routes whose spans are sent to a cluster. Without a name for it: to the bootstrap's. */
export function tracedListener(name: string, port: number, collector?: string): string {
  const type = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const router =
    '{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}';
  const provider = `provider: {name: own, typed_config: {"@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig, grpc_service: {envoy_grpc: {cluster_name: ${collector}}}}}`;
  const tracing = collector === undefined ? '' : provider;
  const manager = `{name: http, typed_config: {"@type": ${type}, stat_prefix: s, route_config: {}, http_filters: [${router}], tracing: {${tracing}}}}`;
  return `{name: ${name}, address: ${socketAddress(port)}, filter_chains: [{filters: [${manager}]}]}`;
}

/** A listener with routes in place and, ahead of the router, filters that it discovers: `ALPN` may come unless `fields` say other. */
export function discoveringListener(name: string, port: number, filters: { readonly [name: string]: string }): string {
  const discovered = Object.entries(filters).map(([filter, fields]) => `{name: ${filter}, ${discovery(fields)}}`);
  return inlineListener(name, port).replace('http_filters: [', `http_filters: [${discovered.join(', ')}, `);
}

export function discovery(fields = ''): string {
  const types = fields.includes('type_urls') ? '' : `type_urls: ["t/${alpnType}"], `;
  return `config_discovery: {${types}${fields.includes('config_source') ? '' : 'config_source: {ads: {}}, '}${fields}}`;
}

/** A filter that offers this protocol in handshakes with endpoints. */
export function alpnConfig(protocol: string): string {
  return `{"@type": t/${alpnType}, alpn_override: [{upstream_protocol: HTTP11, alpn_override: [${protocol}]}]}`;
}

export function extensionConfig(name: string, config: string): string {
  return `{name: ${name}, typed_config: ${config}}`;
}

const alpnType = 'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig';

/** Ports served by the cluster in the snapshot; undefined without members. */
export function portsOf({ assignments }: Snapshot, cluster: string): readonly number[] | undefined {
  const found = assignments.get(cluster);
  return found?.localities.flatMap(({ endpoints }) =>
    endpoints.map(({ address }) => (address.kind === 'pipe' ? 0 : address.port)),
  );
}

function httpListener(name: string, port: number, managers: readonly string[]): string {
  const router = '{name: r, typed_config: {"@type": t/envoy.extensions.filters.http.router.v3.Router}}';
  const type = 't/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const chains = managers.map((manager, index) => {
    const filter = `{name: http, typed_config: {"@type": ${type}, stat_prefix: p, http_filters: [${router}], ${manager}}}`;
    return `{filter_chain_match: {destination_port: ${index + 1}}, filters: [${filter}]}`;
  });
  return `{name: ${name}, address: ${socketAddress(port)}, filter_chains: [${chains.join(', ')}]}`;
}

function socketAddress(port: number): string {
  return `{socket_address: {address: 127.0.0.1, port_value: ${port}}}`;
}

export function applied(snapshot: Snapshot, change: SnapshotChange): Snapshot {
  return {
    generation: snapshot.generation + 1,
    listeners: appliedMap(snapshot.listeners, change.listeners),
    clusters: appliedMap(snapshot.clusters, change.clusters),
    assignments: appliedMap(snapshot.assignments, change.assignments),
    routes: appliedMap(snapshot.routes, change.routes),
    secrets: appliedMap(snapshot.secrets, change.secrets),
    runtime: change.runtime ?? snapshot.runtime,
  };
}

export function appliedMap<T>(map: ReadonlyMap<string, T>, { set, removed }: MapDelta<T>): ReadonlyMap<string, T> {
  const after = new Map(map);
  for (const name of removed) after.delete(name);
  for (const [name, value] of set) after.set(name, value);
  return after;
}
