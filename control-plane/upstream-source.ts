// Another control plane as a source: followed as a data plane would, but kept as bytes. Its last state is served on while
// it is away, until its time to live is over; how long that is, is counted and not read from a clock.

import type { SourceStatus } from '../config/dynamic-state.ts';
import type { Random } from '../config/random.ts';
import { type DiscoveryLog, type Schedule, wildcard } from '../xds/client/discovery.ts';
import { DiscoveryClient } from '../xds/client/discovery-client.ts';
import type { DiscoveryTransport } from '../xds/client/transport.ts';
import { encodeMessage } from '../xds/message/wire-message.ts';
import { HeldResources, initialFetchTimeoutMs } from './held-resources.ts';
import type { SourceStatement, StatedResource, StatedType } from './resource-union.ts';
import type { ResourceReferences } from './served-snapshot.ts';
import { assignmentType, clusterType, listenerType, routeType, type ServedType } from './served-type.ts';
import { vectorFeature } from './stated-version.ts';

export interface UpstreamSourceOptions {
  /** For people, and in the version vectors of what it sends. */
  readonly name: string;
  readonly nodeId: string;
  /** Of this run alone: changes of control planes that do not count them are counted here. */
  readonly origin: string;
  readonly transport: DiscoveryTransport;
  /** 0 is for ever. */
  readonly timeToLiveMs: number;
  readonly clock: () => number;
  readonly random: Random;
  readonly schedule: Schedule;
  readonly defer: (callback: () => void) => void;
  readonly log: DiscoveryLog;
  /** What it states changed, or it is known to state nothing. */
  readonly onChange: () => void;
}

/**
 * Nothing is served before each source answered or had this long: what it has would be taken from clients that had it from
 * an earlier run. No longer, because two control planes that follow each other and start together wait for each other.
 */
const firstAnswerMs = 5_000;

export class UpstreamSource {
  readonly #options: UpstreamSourceOptions;
  readonly #client: DiscoveryClient;
  readonly #clusters: HeldResources;
  readonly #assignments: HeldResources;
  readonly #listeners: HeldResources;
  readonly #routes: HeldResources;
  #servedBy = '';
  #cancelForgetting: (() => void) | undefined;
  #isChangeDue = false;
  #isAwaited = true;
  #cancelWaiting: () => void = () => {};

  constructor(options: UpstreamSourceOptions) {
    this.#options = options;
    const onServedBy = (run: string) => {
      this.#servedBy = run;
    };
    const origin = options.origin;
    const held = (type: ServedType, onChange: () => void) =>
      new HeldResources({ type, origin, place: options.name, onChange, onServedBy });
    // At once, so that what they need is awaited before anybody can take it for over.
    this.#clusters = held(clusterType, () => {
      this.#assignments.subscribeTo(namesIn(this.#clusters, assignmentOf), this.#client);
      this.#onChange();
    });
    this.#assignments = held(assignmentType, () => this.#onChange());
    this.#listeners = held(listenerType, () => {
      this.#routes.subscribeTo(namesIn(this.#listeners, routesOf), this.#client);
      this.#onChange();
    });
    this.#routes = held(routeType, () => this.#onChange());
    const node = { id: options.nodeId, userAgentName: 'outrigger control-plane', clientFeatures: [vectorFeature] };
    this.#client = new DiscoveryClient({
      ...options,
      protocol: 'delta',
      node: encodeMessage(node, 'envoy.config.core.v3.Node'),
      setNodeOnFirstMessageOnly: true,
      consumers: this.#all(),
      observer: { onConnection: (connection) => this.#onConnection(connection.kind) },
    });
  }

  start(): void {
    this.#cancelWaiting = this.#options.schedule(firstAnswerMs, () => this.#stopWaiting());
    this.#client.subscribe(clusterType.typeUrl, wildcard, initialFetchTimeoutMs);
    this.#client.subscribe(listenerType.typeUrl, wildcard, initialFetchTimeoutMs);
    this.#client.start();
  }

  stop(): void {
    this.#cancelForgetting?.();
    this.#cancelWaiting();
    this.#client.stop();
  }

  /** For people. */
  get name(): string {
    return this.#options.name;
  }

  /** Its first answer is waited for: of what it has nothing may be said yet. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  statement(): SourceStatement {
    const clusters = completeOf(this.#clusters, this.#assignments, assignmentOf);
    const listeners = completeOf(this.#listeners, this.#routes, routesOf);
    return {
      types: new Map<string, StatedType>([
        [clusterType.typeUrl, clusters],
        [assignmentType.typeUrl, askedOf(this.#assignments, this.#clusters, clusters, assignmentOf)],
        [listenerType.typeUrl, listeners],
        [routeType.typeUrl, askedOf(this.#routes, this.#listeners, listeners, routesOf)],
      ]),
    };
  }

  status(): SourceStatus {
    return this.#client.status();
  }

  #stopWaiting(): void {
    this.#isAwaited = false;
    this.#onChange();
  }

  /** The run that answered last; empty before it said so. */
  get servedBy(): string {
    return this.#servedBy;
  }

  /** Several types change in one turn of the event loop. */
  #onChange(): void {
    if (this.#isChangeDue) return;
    this.#isChangeDue = true;
    this.#options.defer(() => {
      this.#isChangeDue = false;
      if (!this.#assignments.isAwaiting) for (const held of [this.#clusters, this.#assignments]) held.settle();
      if (!this.#routes.isAwaiting) for (const held of [this.#listeners, this.#routes]) held.settle();
      if (this.#isAwaited && this.#hasAnswered()) {
        this.#isAwaited = false;
        this.#cancelWaiting();
      }
      this.#options.onChange();
    });
  }

  #hasAnswered(): boolean {
    const hasRoots = this.#clusters.hasAnswered && this.#listeners.hasAnswered;
    return hasRoots && !this.#assignments.isAwaiting && !this.#routes.isAwaiting;
  }

  #onConnection(kind: SourceStatus['connection']['kind']): void {
    const { timeToLiveMs, schedule } = this.#options;
    if (kind === 'connected') {
      this.#cancelForgetting?.();
      this.#cancelForgetting = undefined;
    } else if (this.#cancelForgetting === undefined && timeToLiveMs > 0) {
      this.#cancelForgetting = schedule(timeToLiveMs, () => this.#forget());
    }
  }

  #forget(): void {
    this.#options.log('warning', 'away for longer than --source-ttl: what it sent is not served any more', {
      upstream: this.#options.name,
    });
    for (const held of this.#all()) held.forget();
  }

  #all(): readonly HeldResources[] {
    return [this.#clusters, this.#assignments, this.#listeners, this.#routes];
  }
}

const assignmentOf = ({ assignment }: ResourceReferences) => (assignment === undefined ? [] : [assignment]);
const routesOf = ({ routes }: ResourceReferences) => routes;

type NamesOf = (references: ResourceReferences) => readonly string[];

function namesIn({ byName }: HeldResources, namesOf: NamesOf): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { references } of byName.values()) for (const name of namesOf(references)) names.add(name);
  return names;
}

/**
 * What is stated of resources that need others: not before those arrived, because clients would get a new cluster without
 * endpoints, or a listener without routes.
 */
function completeOf(held: HeldResources, needed: HeldResources, namesOf: NamesOf): StatedType {
  const isComplete = ({ references }: StatedResource) => !namesOf(references).some((name) => needed.awaits(name));
  const byName = new Map([...held.byName].filter(([, resource]) => isComplete(resource)));
  const awaits = (name: string) => held.awaits(name) || (held.byName.has(name) && !byName.has(name));
  const { seen, told, hops } = held;
  // Both only grow.
  return { seen, told, hops, byName, awaits, revision: held.revision + needed.revision };
}

/** What is stated of resources that others need, which are asked for by their names. */
function askedOf(needed: HeldResources, held: HeldResources, by: StatedType, namesOf: NamesOf): StatedType {
  const { seen, told, hops, byName } = needed;
  let index: Map<string, StatedResource[]> | undefined;
  const needing = (name: string) => {
    // Rarely looked into.
    index ??= indexOf(held.byName.values(), namesOf);
    return index.get(name) ?? [];
  };
  const asked = { has: (name: string) => needed.asks(name), needing, by };
  return { seen, told, hops, byName, awaits: (name) => needed.awaits(name), asked, revision: by.revision };
}

function indexOf(resources: Iterable<StatedResource>, namesOf: NamesOf): Map<string, StatedResource[]> {
  const index = new Map<string, StatedResource[]>();
  for (const resource of resources) {
    for (const name of namesOf(resource.references)) {
      const known = index.get(name);
      if (known === undefined) index.set(name, [resource]);
      else known.push(resource);
    }
  }
  return index;
}
