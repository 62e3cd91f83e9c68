// The resources of one type from one source: what was sent, what was accepted of it, and what was refused.
//
// A resource that was not changed is not decoded: control planes resend everything after a reconnect, and Istio, which
// has no versions, with every push. So the bytes of what is held are kept and compared. Of a large response what changed is
// decoded ahead, a few milliseconds at a time, and taken over when its turn comes, a few milliseconds at a time, too.

import type { ResourceStatus } from '../../config/dynamic-state.ts';
import { type Problem, Problems } from '../../config/problems.ts';
import { takeAllSteps } from '../../config/time-slice.ts';
import type {
  DiscoveryUpdate,
  NamedMessage,
  ReceivedResource,
  RefusedResource,
  ResourceConsumer,
  ResourceType,
} from '../client/discovery.ts';
import { writeProtoJson } from '../message/proto-json-writer.ts';
import type { ResourceDecoder } from './resource-decoder.ts';

/** What becomes of a resource that was removed. `kept` is still in use and still counts as held. */
export type Removal = 'gone' | 'draining' | 'kept';

/** Who the resources are for. */
export interface ResourceUser<T> {
  /** What one resource has no other may: what is refused is tried again behind the others, which may have let it go. */
  readonly isExclusive?: true;
  /** Undefined when the type is subscribed to as a whole. */
  readonly names?: SubscribedNames;
  /** Takes a new state, unless it records why not; then the one before stays. */
  set(resource: { readonly name: string; readonly value: T }, problems: Problems): void;
  remove(name: string): Removal;
  /** Undefined where nobody asks for single names beside what is subscribed to. */
  readonly onDemand?: OnDemandAnswers | undefined;
  /** The end of a response, or of the time for the first one. */
  onAnswer(): void;
  stateOf(name: string): 'active' | 'warming';
}

export interface SubscribedNames {
  /** What nobody needs is passed over: it is sent when it is subscribed to. */
  needs(name: string): boolean;
  /** It did not come within its time, or is said not to exist. It may come later. */
  onAbsent(name: string): void;
  /** It came, was refused, and there is no older state of it. */
  onRefused(name: string): void;
}

/** Told of what came or is gone, whoever asked for it. */
export interface OnDemandAnswers {
  /** What is taken over next answers what is asked for now. Tells of what of it was let go before all was taken over. */
  onBegin?(): (aliases: readonly string[]) => void;
  /** `isHeld`: a state of it is accepted. */
  onCame(name: string, aliases: readonly string[], isHeld: boolean): void;
  /** A resource, or a name that was asked for, is not there. */
  onGone(name: string): void;
  /**
   * A resource that is here because a request asked for it, and would be given at the next start without anybody subscribing
   * to it: no change of it would ever come.
   */
  isAsked(name: string): boolean;
}

export interface HeldResource {
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly holdsKeys: boolean;
  /** It has a time to live. */
  readonly expires: boolean;
}

export interface ResourceSetOptions<T> {
  readonly decoder: ResourceDecoder<T>;
  readonly user: ResourceUser<T>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** Of the resources of one response, which come in no order. Each takes one more of them at least. */
const mostRounds = 8;

export class ResourceSet<T> implements ResourceConsumer {
  readonly type: ResourceType;
  readonly #decoder: ResourceDecoder<T>;
  readonly #user: ResourceUser<T>;
  readonly #clock: () => number;
  readonly #held = new Map<string, HeldState>();
  readonly #refused = new Map<string, RefusedState>();
  readonly #absent = new Set<string>();
  /** By the messages that they were made of; each is taken once. */
  readonly #ahead = new WeakMap<Uint8Array, Decoded<T>>();

  constructor({ decoder, user, clock }: ResourceSetOptions<T>) {
    this.type = decoder.type;
    this.#decoder = decoder;
    this.#user = user;
    this.#clock = clock;
  }

  *heldVersions(): Iterable<readonly [name: string, version: string]> {
    for (const [name, { version, isDraining }] of this.#held) if (!isDraining) yield [name, version];
  }

  /**
   * The accepted resources with their bytes, which are not to be changed. Those that hold keys or expire are not for the disk;
   * those that requests asked for are not among them.
   */
  *held(): Iterable<readonly [name: string, resource: HeldResource]> {
    for (const entry of this.#held) {
      if (!entry[1].isDraining && this.#user.onDemand?.isAsked(entry[0]) !== true) yield entry;
    }
  }

  prepare(resources: Iterable<NamedMessage>): Iterator<unknown> | undefined {
    return this.#decoder.isDecodedAhead === true ? this.#decodeAhead(resources) : undefined;
  }

  // By what is held and needed now. Another response may change that before the turn of this one, which looks again.
  *#decodeAhead(resources: Iterable<NamedMessage>): Generator<unknown, void> {
    for (const { name, message } of resources) {
      if (this.#isNeeded(name) && !this.#isKnown(name, message)) {
        const steps = this.#decoder.prepare?.(message);
        while (steps !== undefined && steps.next().done !== true) yield;
        this.#ahead.set(message, this.#decode(name, message));
      }
      yield;
    }
  }

  onUpdate(update: DiscoveryUpdate): readonly RefusedResource[] {
    return takeAllSteps(this.takeOver(update));
  }

  *takeOver({ removed, resources }: DiscoveryUpdate): Generator<unknown, readonly RefusedResource[], void> {
    const refused: RefusedResource[] = [];
    const { onDemand } = this.#user;
    const onLost = onDemand?.onBegin?.();
    for (const name of removed) {
      this.#remove(name);
      yield;
    }
    const repeated = repeatedNames(resources);
    for (const name of repeated) {
      refused.push({ name, problems: [{ path: '', message: 'is more than once in one response' }] });
    }
    let left = resources.filter(({ name }) => !repeated.has(name));
    let refusedLeft = yield* this.#takeAll(left);
    for (let round = 0; this.#user.isExclusive && round < mostRounds; round++) {
      if (refusedLeft.size === 0 || refusedLeft.size === left.length) break;
      left = left.filter(({ name }) => refusedLeft.has(name));
      refusedLeft = yield* this.#takeAll(left);
    }
    refused.push(...refusedLeft.values());
    if (onDemand !== undefined) {
      for (const name of removed) onDemand.onGone(name);
      for (const { name, aliases } of resources) {
        const isHeld = this.#isHeld(name);
        if (isHeld || this.#refused.has(name)) onDemand.onCame(name, aliases, isHeld);
        else onLost?.(aliases);
      }
    }
    this.#user.onAnswer();
    return refused;
  }

  *#takeAll(resources: readonly ReceivedResource[]): Generator<unknown, ReadonlyMap<string, RefusedResource>, void> {
    const refused = new Map<string, RefusedResource>();
    for (const resource of resources) {
      const problems = this.#take(resource);
      if (problems.length > 0) refused.set(resource.name, { name: resource.name, problems });
      yield;
    }
    return refused;
  }

  onAbsent(name: string): void {
    const { names } = this.#user;
    if (names === undefined) {
      this.#user.onDemand?.onGone(name);
      this.#user.onAnswer();
    } else if (!this.#held.has(name) && names.needs(name)) {
      this.#absent.add(name);
      names.onAbsent(name);
    }
  }

  #isHeld(name: string): boolean {
    return this.#held.get(name)?.isDraining === false;
  }

  /** A removed resource does not serve any more, unless it came back. */
  onDrained(name: string): void {
    if (this.#held.get(name)?.isDraining) this.#held.delete(name);
  }

  /** Nobody needs it any more: it is not held, and not expected. */
  forget(name: string): void {
    this.#held.delete(name);
    this.#refused.delete(name);
    this.#absent.delete(name);
  }

  /** Nobody is to hear of the refusal any more. What is held stays. */
  forgetRefused(name: string): void {
    this.#refused.delete(name);
  }

  statuses(): ResourceStatus[] {
    const names = new Set([...this.#held.keys(), ...this.#refused.keys(), ...this.#absent]);
    return [...names].map((name) => this.#statusOf(name));
  }

  #remove(name: string): void {
    this.#refused.delete(name);
    const held = this.#held.get(name);
    if (held === undefined) {
      // A name that was asked for and does not exist: waiting for it would be in vain.
      if (this.#user.names !== undefined) this.onAbsent(name);
      return;
    }
    if (held.isDraining) return;
    switch (this.#user.remove(name)) {
      case 'gone':
        this.#held.delete(name);
        break;
      case 'draining':
        held.isDraining = true;
        break;
      case 'kept':
    }
  }

  #take({ name, version, message, ttlMs }: ReceivedResource): readonly Problem[] {
    const held = this.#held.get(name);
    const expires = ttlMs !== undefined;
    // A heartbeat: what is held lives on.
    if (message === undefined && held !== undefined) held.expires = expires;
    if (message === undefined || !this.#isNeeded(name)) return [];
    if (held !== undefined && this.#isKnown(name, message)) {
      held.version = version;
      held.expires = expires;
      this.#refused.delete(name);
      return [];
    }
    const { problems, value, bytes } = this.#ahead.get(message) ?? this.#decode(name, message);
    // What is refused now may be tried again, and then is decoded again.
    this.#ahead.delete(message);
    if (problems.isEmpty) this.#user.set({ name, value: value! }, problems);
    const state = { version, bytes, atMs: this.#clock() };
    if (!problems.isEmpty) {
      this.#refused.set(name, { ...state, problems: problems.list });
      if (held === undefined) this.#user.names?.onRefused(name);
    } else {
      const holdsKeys = this.#decoder.holdsKeys?.(value!) ?? false;
      this.#held.set(name, { ...state, isDraining: false, holdsKeys, expires });
      this.#refused.delete(name);
      this.#absent.delete(name);
    }
    return problems.list;
  }

  #isNeeded(name: string): boolean {
    return this.#user.names?.needs(name) !== false;
  }

  /** It is held, with these bytes. */
  #isKnown(name: string, message: Uint8Array): boolean {
    const held = this.#held.get(name);
    return held !== undefined && !held.isDraining && Buffer.compare(held.bytes, message) === 0;
  }

  #decode(name: string, message: Uint8Array): Decoded<T> {
    const problems = new Problems();
    const ownName = this.type.nameOf(message);
    if (name === '') problems.at('name').add('a resource needs a name');
    else if (ownName !== name && this.#decoder.isSentUnderOwnName) {
      problems.at('name').add(`is ${JSON.stringify(ownName)}, but the resource was sent as ${JSON.stringify(name)}`);
    }
    const value = this.#decoder.decode(message, problems);
    if (value === undefined && problems.isEmpty) problems.add('cannot be read');
    // A view would keep the whole response in memory, and a piece of a pool the pool.
    return { value, problems, bytes: new Uint8Array(message) };
  }

  #statusOf(name: string): ResourceStatus {
    const held = this.#held.get(name);
    const refused = this.#refused.get(name);
    const newest = held ?? refused;
    return {
      name,
      version: newest?.version ?? '',
      lastUpdatedMs: newest?.atMs ?? 0,
      state: this.#stateOf(name, held),
      document: () => (held === undefined ? undefined : this.#documentOf(held.bytes)),
      ...(refused === undefined
        ? {}
        : {
            refused: {
              version: refused.version,
              atMs: refused.atMs,
              problems: refused.problems,
              document: () => this.#documentOf(refused.bytes),
            },
          }),
    };
  }

  #stateOf(name: string, held: HeldState | undefined): ResourceStatus['state'] {
    if (held === undefined) return this.#refused.has(name) ? 'refused' : 'absent';
    return held.isDraining ? 'draining' : this.#user.stateOf(name);
  }

  #documentOf(bytes: Uint8Array): unknown {
    return writeProtoJson(bytes, this.type.typeUrl.slice(this.type.typeUrl.lastIndexOf('/') + 1));
  }
}

interface Decoded<T> {
  /** Of use without problems, and only then. */
  readonly value: T | undefined;
  readonly problems: Problems;
  readonly bytes: Uint8Array;
}

interface ResourceState {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

interface HeldState extends ResourceState {
  version: string;
  isDraining: boolean;
  expires: boolean;
  readonly holdsKeys: boolean;
}

interface RefusedState extends ResourceState {
  readonly version: string;
  readonly problems: readonly Problem[];
}

function repeatedNames(resources: readonly ReceivedResource[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { name } of resources) {
    if (seen.has(name)) repeated.add(name);
    else seen.add(name);
  }
  return repeated;
}
