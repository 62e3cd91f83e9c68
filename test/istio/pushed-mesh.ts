// What Istio pushes to one sidecar: received by our own client, decoded, and kept with the problems of each resource.
// Nothing of it is served. References are followed as far as names go: assignments of clusters, routes of listeners.

import type { Test } from 'tap';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Listener } from '../../config/listener.ts';
import { Problems } from '../../config/problems.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import {
  type DiscoveryUpdate,
  type RefusedResource,
  type ResourceConsumer,
  wildcard,
} from '../../xds/client/discovery.ts';
import { DiscoveryClient } from '../../xds/client/discovery-client.ts';
import { makeGrpcTransport } from '../../xds/client/grpc-transport.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { clusterDecoder } from '../../xds/resource/cluster-resource.ts';
import { listenerDecoder } from '../../xds/resource/listener-resource.ts';
import { loadAssignmentDecoder } from '../../xds/resource/load-assignment-resource.ts';
import type { ResourceDecoder } from '../../xds/resource/resource-decoder.ts';
import { routeConfigurationDecoder } from '../../xds/resource/route-configuration-resource.ts';
import { istioNode, type SidecarIdentity } from './sidecar-identity.ts';

const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
/** Nothing is given up: a test ends when what it waits for does not come. */
const forEver = 0;

export class PushedMesh {
  readonly clusters: Received<Cluster>;
  readonly assignments: Received<LoadAssignment>;
  readonly listeners: Received<Listener>;
  readonly routes: Received<RouteConfiguration>;
  readonly #client: DiscoveryClient;
  readonly #waiting = new Set<() => void>();

  constructor(t: Test, xdsAddress: string, identity: SidecarIdentity) {
    const onChange = () => this.#onChange();
    this.clusters = new Received(clusterDecoder(undefined), onChange);
    this.assignments = new Received(loadAssignmentDecoder, onChange);
    const { type, isSentUnderOwnName, decode } = listenerDecoder(() => new Map());
    const decodeWhole = (bytes: Uint8Array, problems: Problems) => decode(bytes, problems)?.listener;
    this.listeners = new Received({ type, isSentUnderOwnName, decode: decodeWhole }, onChange);
    this.routes = new Received(routeConfigurationDecoder, onChange);
    const target = { kind: 'uri', uri: xdsAddress, credentials: {} } as const;
    this.#client = new DiscoveryClient({
      name: 'ads',
      protocol: 'delta',
      node: encodeMessage(istioNode(identity), 'envoy.config.core.v3.Node'),
      setNodeOnFirstMessageOnly: true,
      transport: makeGrpcTransport({ service: { target, initialMetadata: [] }, clusters: new Map(), method }),
      consumers: [this.clusters, this.assignments, this.listeners, this.routes],
      clock: Date.now,
      random: Math.random,
      schedule: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
      defer: setImmediate,
      log: () => undefined,
    });
    t.teardown(() => this.#client.stop());
    this.#client.subscribe(this.clusters.type.typeUrl, wildcard, forEver);
    this.#client.subscribe(this.listeners.type.typeUrl, wildcard, forEver);
    this.#client.start();
  }

  /** Every problem there is now, `type "name": path: message`, in order. */
  get problems(): readonly string[] {
    return [this.clusters, this.assignments, this.listeners, this.routes]
      .flatMap((received) => received.problems())
      .sort();
  }

  /** Resolves when the condition holds, which is asked again after each push. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const ask = () => {
        if (!condition()) return;
        this.#waiting.delete(ask);
        resolve();
      };
      this.#waiting.add(ask);
    });
  }

  #onChange(): void {
    for (const name of assignmentNames(this.clusters.values())) this.#subscribe(this.assignments, name);
    for (const name of routeNames(this.listeners.values())) this.#subscribe(this.routes, name);
    for (const ask of [...this.#waiting]) ask();
  }

  #subscribe(received: ResourceConsumer, name: string): void {
    this.#client.subscribe(received.type.typeUrl, name, forEver);
  }
}

function assignmentNames(clusters: readonly Cluster[]): readonly string[] {
  return clusters.flatMap(({ discovery }) => (discovery.kind === 'eds' ? [discovery.serviceName] : []));
}

function routeNames(listeners: readonly Listener[]): readonly string[] {
  const names: string[] = [];
  for (const { filterChains, defaultFilterChain } of listeners) {
    for (const { filters } of [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])]) {
      for (const filter of filters) {
        if (filter.kind !== 'http-connection-manager' || filter.config.routes.kind !== 'rds') continue;
        names.push(filter.config.routes.name);
      }
    }
  }
  return names;
}

/** The resources of one type: what they say, as far as it could be read, and what is wrong with them. */
class Received<T> implements ResourceConsumer {
  readonly type: ResourceConsumer['type'];
  readonly #decoder: ResourceDecoder<T>;
  readonly #onChange: () => void;
  readonly #resources = new Map<string, { readonly value: T | undefined; readonly problems: readonly string[] }>();

  constructor(decoder: ResourceDecoder<T>, onChange: () => void) {
    this.type = decoder.type;
    this.#decoder = decoder;
    this.#onChange = onChange;
  }

  get names(): readonly string[] {
    return [...this.#resources.keys()].sort();
  }

  get(name: string): T | undefined {
    return this.#resources.get(name)?.value;
  }

  values(): readonly T[] {
    return [...this.#resources.values()].flatMap(({ value }) => (value === undefined ? [] : [value]));
  }

  problems(): readonly string[] {
    const { shortName } = this.type;
    return [...this.#resources].flatMap(([name, { problems }]) =>
      problems.map((text) => `${shortName} "${name}": ${text}`),
    );
  }

  *heldVersions(): Iterable<readonly [name: string, version: string]> {
    for (const name of this.#resources.keys()) yield [name, ''];
  }

  onUpdate({ resources, removed }: DiscoveryUpdate): readonly RefusedResource[] {
    const refused: RefusedResource[] = [];
    for (const { name, message } of resources) {
      if (message === undefined) continue;
      const problems = new Problems();
      const value = this.#decoder.decode(message, problems);
      const lines = problems.list.map(({ path, message: text }) => `${path}: ${text}`);
      this.#resources.set(name, { value, problems: lines });
      if (!problems.isEmpty) refused.push({ name, problems: problems.list });
    }
    for (const name of removed) this.#resources.delete(name);
    // A subscription in the middle of an answer would travel inside of it.
    setImmediate(this.#onChange);
    return refused;
  }

  onAbsent(): void {
    this.#onChange();
  }
}
