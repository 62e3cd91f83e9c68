// Another control plane as a source: followed as a data plane would, but kept as bytes. Its last state is served on while
// it is away, until its time to live is over; how long that is, is counted and not read from a clock.

import type { SourceStatus } from '../config/dynamic-state.ts';
import { Problems } from '../config/problems.ts';
import type { Random } from '../config/random.ts';
import {
  type DiscoveryLog,
  type DiscoveryUpdate,
  type RefusedResource,
  type ResourceConsumer,
  type ResourceSubscriptions,
  type ResourceType,
  type Schedule,
  wildcard,
} from '../xds/client/discovery.ts';
import { DiscoveryClient } from '../xds/client/discovery-client.ts';
import type { DiscoveryTransport } from '../xds/client/transport.ts';
import { resourceNameOf } from '../xds/resource/resource-name.ts';
import { decodeMessage, encodeMessage } from '../xds/wire-message.ts';
import { checkResource } from './resource-check.ts';
import type { SourceStatement, StatedResource } from './resource-union.ts';
import { noReferences, type ResourceReferences, versionOf } from './served-snapshot.ts';
import { assignmentType, clusterType, listenerType, routeType, type ServedType } from './served-type.ts';
import { changesOf, vectorFeature } from './stated-version.ts';
import { emptyVector, type VersionVector } from './version-vector.ts';

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

/** Envoy's default. */
const initialFetchTimeoutMs = 15_000;
/**
 * Nothing is served before each source answered or had this long: what it has would be taken from clients that had it from
 * an earlier run. No longer, because two control planes that follow each other and start together wait for each other.
 */
const firstAnswerMs = 5_000;

export class UpstreamSource {
  readonly #options: UpstreamSourceOptions;
  readonly #client: DiscoveryClient;
  readonly #types: readonly HeldType[];
  #cancelForgetting: (() => void) | undefined;
  #isChangeDue = false;
  #isAwaited = true;
  #cancelWaiting: () => void = () => {};

  constructor(options: UpstreamSourceOptions) {
    this.#options = options;
    const onChange = () => this.#onChange();
    const origin = options.origin;
    const types = [clusterType, assignmentType, listenerType, routeType];
    this.#types = types.map((type) => new HeldType({ type, origin, place: options.name, onChange }));
    const node = { id: options.nodeId, userAgentName: 'outrigger control-plane', clientFeatures: [vectorFeature] };
    this.#client = new DiscoveryClient({
      ...options,
      protocol: 'delta',
      node: encodeMessage(node, 'envoy.config.core.v3.Node'),
      setNodeOnFirstMessageOnly: true,
      consumers: this.#types,
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

  /** Its first answer is waited for: of what it has nothing may be said yet. */
  get isAwaited(): boolean {
    return (
      this.#isAwaited && !this.#types.some((held) => held.type.typeUrl === clusterType.typeUrl && held.hasAnswered)
    );
  }

  statement(): SourceStatement {
    return { types: new Map(this.#types.map((held) => [held.type.typeUrl, held])) };
  }

  status(): SourceStatus {
    return this.#client.status();
  }

  #stopWaiting(): void {
    this.#isAwaited = false;
    this.#onChange();
  }

  /** Several types change in one turn of the event loop. */
  #onChange(): void {
    if (this.#isChangeDue) return;
    this.#isChangeDue = true;
    this.#options.defer(() => {
      this.#isChangeDue = false;
      const [clusters, assignments, listeners, routes] = this.#types;
      assignments!.subscribeTo(
        namesIn(clusters!, ({ assignment }) => (assignment === undefined ? [] : [assignment])),
        this.#client,
      );
      routes!.subscribeTo(
        namesIn(listeners!, (references) => references.routes),
        this.#client,
      );
      this.#options.onChange();
    });
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
    this.#options.log('warning', 'an upstream was away too long: what it sent is not served any more', {
      upstream: this.#options.name,
    });
    for (const held of this.#types) held.forget();
  }
}

interface HeldTypeOptions {
  readonly type: ServedType;
  readonly origin: string;
  readonly place: string;
  readonly onChange: () => void;
}

/** What the source has of one type. */
class HeldType implements ResourceConsumer {
  readonly type: ResourceType;
  readonly byName = new Map<string, StatedResource>();
  seen: VersionVector = emptyVector;
  hasAnswered = false;
  readonly #options: HeldTypeOptions;
  /** As the source spells them. */
  readonly #versions = new Map<string, string>();
  #subscribed: ReadonlySet<string> = new Set();
  #changes = 0;

  constructor(options: HeldTypeOptions) {
    const { typeUrl, shortName } = options.type;
    this.type = { typeUrl, shortName, nameOf: resourceNameOf };
    this.#options = options;
  }

  heldVersions(): Iterable<readonly [string, string]> {
    return this.#versions;
  }

  onUpdate({ version, resources, removed }: DiscoveryUpdate): readonly RefusedResource[] {
    const { type, origin, place, onChange } = this.#options;
    // One change for all that came together, by a source that does not count them.
    const counted: VersionVector = new Map([[`${origin}/${type.shortName}`, ++this.#changes]]);
    this.seen = changesOf(version) ?? counted;
    for (const { name, version: own, message } of resources) {
      if (message === undefined) continue;
      const bytes = Uint8Array.from(message);
      const changes = changesOf(own) ?? counted;
      const references = referencesOf(type, bytes);
      this.byName.set(name, { type, name, version: versionOf(bytes), message: bytes, references, place, changes });
      this.#versions.set(name, own);
    }
    for (const name of removed) this.#drop(name);
    this.hasAnswered = true;
    onChange();
    return [];
  }

  onAbsent(name: string): void {
    this.#drop(name);
    this.hasAnswered = true;
    this.#options.onChange();
  }

  awaits(name: string): boolean {
    return this.#subscribed.has(name) && !this.byName.has(name);
  }

  forget(): void {
    this.byName.clear();
    this.#versions.clear();
    this.seen = emptyVector;
    this.#options.onChange();
  }

  subscribeTo(names: ReadonlySet<string>, subscriptions: ResourceSubscriptions): void {
    for (const name of names) {
      if (!this.#subscribed.has(name)) subscriptions.subscribe(this.type.typeUrl, name, initialFetchTimeoutMs);
    }
    for (const name of this.#subscribed) {
      if (names.has(name)) continue;
      subscriptions.unsubscribe(this.type.typeUrl, name);
      this.#drop(name);
    }
    this.#subscribed = names;
  }

  #drop(name: string): void {
    this.byName.delete(name);
    this.#versions.delete(name);
  }
}

function namesIn(
  { byName }: HeldType,
  namesOf: (references: ResourceReferences) => readonly string[],
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { references } of byName.values()) for (const name of namesOf(references)) names.add(name);
  return names;
}

/** Data planes judge what is right; here only the names count that are to be asked for. */
function referencesOf(type: ServedType, bytes: Uint8Array): ResourceReferences {
  const unjudged = new Problems();
  const message = decodeMessage(bytes, type.messageType, unjudged);
  return message === undefined ? noReferences : checkResource(type, message, unjudged);
}
