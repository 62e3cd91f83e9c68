// What go-control-plane serves, followed by our own client and decoded. Assignments are asked for by the clusters there
// are, as a sidecar does.

import type { Test } from 'tap';
import type { ControlPlane } from '../../bench/peers/go-control-plane.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
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
import type { WrittenListener } from '../../xds/decode/written-listener.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { clusterDecoder } from '../../xds/resource/cluster-resource.ts';
import { listenerDecoder } from '../../xds/resource/listener-resource.ts';
import { loadAssignmentDecoder } from '../../xds/resource/load-assignment-resource.ts';
import type { ResourceDecoder } from '../../xds/resource/resource-decoder.ts';
import { routeConfigurationDecoder } from '../../xds/resource/route-configuration-resource.ts';

export type Protocol = 'delta' | 'state-of-the-world';

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const methods = {
  delta: `${service}/DeltaAggregatedResources`,
  'state-of-the-world': `${service}/StreamAggregatedResources`,
} as const;

/** Nothing is given up: a test ends when what it waits for does not come. */
const forEver = 0;

export class FollowedMesh {
  readonly clusters: Followed<Cluster>;
  readonly assignments: Followed<LoadAssignment>;
  readonly listeners: Followed<WrittenListener>;
  readonly routes: Followed<RouteConfiguration>;
  /** Streams that the control plane has ended: it sends nothing on them any more. */
  endedStreams = 0;
  readonly #client: DiscoveryClient;
  #onChange = () => {};

  constructor(t: Test, controlPlane: ControlPlane, protocol: Protocol) {
    // A subscription in the middle of an answer would travel inside of it.
    const onUpdate = () => setImmediate(() => this.#follow());
    this.clusters = new Followed(clusterDecoder(undefined), onUpdate);
    this.assignments = new Followed(loadAssignmentDecoder, onUpdate);
    this.listeners = new Followed(
      listenerDecoder(() => new Map()),
      onUpdate,
    );
    this.routes = new Followed(routeConfigurationDecoder, onUpdate);
    const target = { kind: 'uri', uri: `127.0.0.1:${controlPlane.xdsPort}`, credentials: {} } as const;
    this.#client = new DiscoveryClient({
      name: 'ads',
      protocol,
      node: encodeMessage({ id: 'test' }, 'envoy.config.core.v3.Node'),
      setNodeOnFirstMessageOnly: true,
      transport: makeGrpcTransport({
        service: { target, initialMetadata: [] },
        clusters: new Map(),
        method: methods[protocol],
      }),
      consumers: [this.clusters, this.assignments, this.listeners, this.routes],
      clock: Date.now,
      random: () => 0,
      schedule: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
      defer: setImmediate,
      log: () => undefined,
      observer: {
        onFailure: () => {
          this.endedStreams++;
          this.#onChange();
        },
      },
    });
    t.teardown(() => this.#client.stop());
    for (const { type } of [this.clusters, this.listeners]) this.#client.subscribe(type.typeUrl, wildcard, forEver);
    this.#client.subscribe(this.routes.type.typeUrl, 'routes', forEver);
    this.#client.start();
  }

  /** Resolves when the condition holds, which is asked again after each response and each end of a stream. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onChange = resolve;
      await promise;
    }
  }

  #follow(): void {
    const { typeUrl } = this.assignments.type;
    for (const name of this.clusters.held.keys()) this.#client.subscribe(typeUrl, name, forEver);
    for (const name of this.assignments.held.keys()) {
      if (this.clusters.held.has(name)) continue;
      this.#client.unsubscribe(typeUrl, name);
      this.assignments.held.delete(name);
    }
    this.#onChange();
  }
}

/** The resources of one type, and what came of them. */
export class Followed<T> implements ResourceConsumer {
  readonly type: ResourceConsumer['type'];
  readonly held = new Map<string, { readonly value: T; readonly version: string }>();
  /** Names of each response, in the order in which responses came. */
  readonly responses: (readonly string[])[] = [];
  readonly #decoder: ResourceDecoder<T>;
  readonly #onUpdate: () => void;

  constructor(decoder: ResourceDecoder<T>, onUpdate: () => void) {
    this.type = decoder.type;
    this.#decoder = decoder;
    this.#onUpdate = onUpdate;
  }

  *heldVersions(): Iterable<readonly [name: string, version: string]> {
    for (const [name, { version }] of this.held) yield [name, version];
  }

  onUpdate({ resources, removed }: DiscoveryUpdate): readonly RefusedResource[] {
    const refused: RefusedResource[] = [];
    for (const { name, version, message } of resources) {
      const problems = new Problems();
      const value = message && this.#decoder.decode(message, problems);
      if (value === undefined || !problems.isEmpty) refused.push({ name, problems: problems.list });
      else this.held.set(name, { value, version });
    }
    for (const name of removed) this.held.delete(name);
    this.responses.push(resources.map(({ name }) => name));
    this.#onUpdate();
    return refused;
  }

  onAbsent(): void {
    this.#onUpdate();
  }
}
