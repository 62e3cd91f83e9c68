// Resources of one type that are subscribed to by name, as long as anybody uses them (EDS, RDS, SDS …).

import type { ConfigSource } from '../../config/config-source.ts';
import type { ResourceStatus } from '../../config/dynamic-state.ts';
import type { Problems } from '../../config/problems.ts';
import { takeAllSteps } from '../../config/time-slice.ts';
import type { ResourceSubscriptions, ResourceType } from '../client/discovery.ts';
import type { ResourceDecoder } from '../resource/resource-decoder.ts';
import { type Removal, ResourceSet, type ResourceUser } from '../resource/resource-set.ts';
import type { AssemblyObserver } from './assembly-observer.ts';

/** Where resources come from. */
export interface ResourceSources {
  /** Why nothing can come from a source; undefined when something can. */
  problemWith(source: ConfigSource): string | undefined;
  /** Names the stream or file of a type: sources that lead to the same one have the same name. */
  nameOf(source: ConfigSource, type: ResourceType): string;
  subscriptions(source: ConfigSource, type: ResourceType): ResourceSubscriptions;
}

/** One resource, and who uses it. */
export interface SubscribedResource<T, User> {
  readonly name: string;
  readonly source: ConfigSource;
  readonly users: ReadonlySet<User>;
  /** The last accepted state. */
  readonly value: T | undefined;
  /** It did not come within its time: its users go on without it until it comes. */
  readonly isAbsent: boolean;
  /** It came and was refused: users that have no older state that serves go on without it, as in Envoy. */
  readonly isRefused: boolean;
}

/** Whether a user has what it may wait for. `hasOlder`: an older state of the user serves. */
export function isSettled({ value, isAbsent, isRefused }: ResourceState<unknown>, hasOlder: boolean): boolean {
  return value !== undefined || isAbsent || (isRefused && !hasOlder);
}

export interface SubscribedTypeOptions<T, User> {
  readonly decoder: ResourceDecoder<T>;
  readonly sources: ResourceSources;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Of those whose changes are counted. */
  readonly observer?: AssemblyObserver;
  /** What it does to a resource that is in use. For most types nothing, as in Envoy: the last state serves. */
  readonly removal: 'ignored' | 'honoured';
  /** Records why a new state is of no use to those who use it: it is refused then. */
  readonly check?: (resource: SubscribedResource<T, User>, value: T, problems: Problems) => void;
  /** It came, changed, or is known not to come. `wasMissing`: users may have gone on without it before. */
  readonly onChange: (resource: SubscribedResource<T, User>, wasMissing: boolean) => void;
  /** Nobody uses it any more. */
  readonly onLetGo?: (resource: SubscribedResource<T, User>) => void;
  readonly stateOf?: (name: string) => 'active' | 'warming';
}

export class SubscribedType<T, User> {
  readonly #options: SubscribedTypeOptions<T, User>;
  readonly #bySource = new Map<string, ResourcesOfSource<T, User>>();
  readonly #unused = new Set<MutableResource<T, User>>();

  constructor(options: SubscribedTypeOptions<T, User>) {
    this.#options = options;
  }

  get type(): ResourceType {
    return this.#options.decoder.type;
  }

  /** Takes what comes from the source of this name. */
  resourceSet(sourceName: string): ResourceSet<T> {
    return this.#ofSource(sourceName).set;
  }

  /** Subscribes when it is the first user. */
  use(source: ConfigSource, name: string, user: User): SubscribedResource<T, User> {
    const { sources, decoder } = this.#options;
    const { resources } = this.#ofSource(sources.nameOf(source, decoder.type));
    let resource = resources.get(name);
    if (resource === undefined) {
      resource = { name, source, users: new Set(), ...nothing };
      resources.set(name, resource);
      sources.subscriptions(source, decoder.type).subscribe(decoder.type.typeUrl, name, source.initialFetchTimeoutMs);
    }
    this.#unused.delete(resource);
    resource.users.add(user);
    return resource;
  }

  /** The other source that gives this name to somebody now. */
  otherSourceOf(source: ConfigSource, name: string): string | undefined {
    const own = this.#options.sources.nameOf(source, this.type);
    for (const [sourceName, { resources }] of this.#bySource) {
      if (sourceName !== own && resources.has(name)) return sourceName;
    }
    return undefined;
  }

  release(resource: SubscribedResource<T, User>, user: User): void {
    const { users } = resource as MutableResource<T, User>;
    users.delete(user);
    if (users.size === 0) this.#unused.add(resource as MutableResource<T, User>);
  }

  /** At the end of a turn, so that what is removed and comes back within one stays, and need not be sent again. */
  letGoUnused(): void {
    takeAllSteps(this.letGoUnusedInSteps());
  }

  /** What is used again between two steps stays. */
  *letGoUnusedInSteps(): Generator<unknown, void> {
    const { sources, decoder, onLetGo } = this.#options;
    for (const resource of this.#unused) {
      const { name, source } = resource;
      const { resources, set } = this.#ofSource(sources.nameOf(source, decoder.type));
      resources.delete(name);
      set.forget(name);
      sources.subscriptions(source, decoder.type).unsubscribe(decoder.type.typeUrl, name);
      this.#unused.delete(resource);
      onLetGo?.(resource);
      yield;
    }
  }

  statuses(): ResourceStatus[] {
    return [...this.#bySource.values()].flatMap(({ set }) => set.statuses());
  }

  #ofSource(sourceName: string): ResourcesOfSource<T, User> {
    let found = this.#bySource.get(sourceName);
    if (found === undefined) {
      const resources = new Map<string, MutableResource<T, User>>();
      const { decoder, clock } = this.#options;
      const set = new ResourceSet({ decoder, clock, user: this.#makeUser(resources) });
      found = { resources, set };
      this.#bySource.set(sourceName, found);
    }
    return found;
  }

  #makeUser(resources: ReadonlyMap<string, MutableResource<T, User>>): ResourceUser<T> {
    const { removal, check, onChange, stateOf, observer, decoder } = this.#options;
    const { typeUrl } = decoder.type;
    const change = (name: string, state: ResourceState<T>) => {
      const resource = resources.get(name);
      if (resource === undefined) return;
      const wasMissing = resource.isAbsent || resource.isRefused;
      onChange(Object.assign(resource, state), wasMissing);
    };
    return {
      names: {
        needs: (name) => resources.has(name),
        onAbsent: (name) => change(name, { ...nothing, isAbsent: true }),
        onRefused: (name) =>
          change(name, { ...nothing, isAbsent: resources.get(name)?.isAbsent ?? false, isRefused: true }),
      },
      set({ name, value }, problems) {
        const resource = resources.get(name);
        if (resource !== undefined) check?.(resource, value, problems);
        if (!problems.isEmpty) return;
        observer?.onReload?.(typeUrl, name);
        change(name, { ...nothing, value });
      },
      remove(name): Removal {
        if (removal === 'ignored') return 'kept';
        observer?.onReload?.(typeUrl, name);
        change(name, { ...nothing, isAbsent: true });
        return 'gone';
      },
      onAnswer: () => undefined,
      stateOf: stateOf ?? (() => 'active'),
    };
  }
}

type ResourceState<T> = Pick<SubscribedResource<T, unknown>, 'value' | 'isAbsent' | 'isRefused'>;

const nothing: ResourceState<never> = { value: undefined, isAbsent: false, isRefused: false };

interface MutableResource<T, User> {
  readonly name: string;
  readonly source: ConfigSource;
  readonly users: Set<User>;
  value: T | undefined;
  isAbsent: boolean;
  isRefused: boolean;
}

interface ResourcesOfSource<T, User> {
  readonly resources: Map<string, MutableResource<T, User>>;
  readonly set: ResourceSet<T>;
}
