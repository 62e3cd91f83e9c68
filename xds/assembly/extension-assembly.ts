// Configurations of filters that listeners discover (ECDS), each subscribed to as long as a listener uses it.
//
// One that is removed is not there any more, as in Envoy: the default of those who use it takes its place.

import type { Listener } from '../../config/listener.ts';
import { Problems } from '../../config/problems.ts';
import type { DiscoveredFilter } from '../decode/discovered-filter.ts';
import type { WrittenListener } from '../decode/written-listener.ts';
import type { Any } from '../message/message-descriptor.ts';
import { type ExtensionConfig, extensionConfigDecoder } from '../resource/extension-config-resource.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { isSettled, type SubscribedResource, SubscribedType } from './subscribed-type.ts';

export interface ExtensionUser {
  /** Records why a listener that was made of what came cannot be. */
  check(listener: Listener, problems: Problems): void;
  /** Something came, changed, or is known not to come. */
  onChange(): void;
}

export class ExtensionAssembly {
  readonly resources: SubscribedType<ExtensionConfig, DiscoveringListener>;
  readonly #context: AssemblyContext;

  constructor(context: AssemblyContext) {
    const { sources, clock, observer } = context;
    this.#context = context;
    this.resources = new SubscribedType<ExtensionConfig, DiscoveringListener>({
      decoder: extensionConfigDecoder,
      sources,
      clock,
      removal: 'honoured',
      observer,
      check: ({ name, users }, value, problems) => {
        for (const user of users) if (problems.isEmpty) user.check(name, value, problems);
      },
      onChange: ({ users }) => {
        for (const user of users) user.onChange();
      },
    });
  }

  /** Whether all of them can come from where they are said to. */
  checkSources({ discovered }: WrittenListener, problems: Problems): void {
    const { sources } = this.#context;
    for (const { name, source } of discovered) {
      const problem = sources.problemWith(source);
      if (problem !== undefined) problems.add(`configuration of filter ${JSON.stringify(name)}: ${problem}`);
    }
  }

  /** Subscribes to what a listener discovers, until it is stopped. */
  use(written: WrittenListener, user: ExtensionUser): DiscoveringListener {
    const found = new Map<DiscoveredFilter, FilterResource>();
    const listener = new DiscoveringListener({
      written,
      user,
      found,
      onStop: () => {
        for (const resource of found.values()) this.resources.release(resource, listener);
        this.#context.onDue();
      },
    });
    const { observer } = this.#context;
    for (const filter of written.discovered) {
      const { place, name, source, typeNames } = filter;
      observer.onDiscoveredFilter?.(place, name);
      const resource = this.resources.use(source, name, listener);
      found.set(filter, resource);
      const { value } = resource;
      if (value !== undefined && !typeNames.includes(value.config.typeName)) observer.onFilterConflict?.(place, name);
    }
    return listener;
  }
}

type FilterResource = SubscribedResource<ExtensionConfig, DiscoveringListener>;

interface DiscoveringListenerOptions {
  readonly written: WrittenListener;
  readonly user: ExtensionUser;
  readonly found: ReadonlyMap<DiscoveredFilter, FilterResource>;
  readonly onStop: () => void;
}

/** One state of a listener, and what it discovers. */
export class DiscoveringListener {
  readonly #options: DiscoveringListenerOptions;

  constructor(options: DiscoveringListenerOptions) {
    this.#options = options;
  }

  /** Whether it has what it may wait for. `hasOlder`: an older state of the listener serves. */
  isSettled(hasOlder: boolean): boolean {
    for (const [filter, resource] of this.#options.found) {
      if (!filter.startsWithFallback && !isSettled(resource, hasOlder)) return false;
    }
    return true;
  }

  /** Nothing is there in place of one of them. */
  get lacksFilter(): boolean {
    for (const filter of this.#options.found.keys()) if (this.#configOf(filter) === undefined) return true;
    return false;
  }

  /** Of all that is there; what is not is `absent`. */
  fill(absent: 'awaited' | 'missing', problems: Problems): Listener | undefined {
    return this.#options.written.fill((filter) => this.#configOf(filter) ?? absent, problems);
  }

  /** Records why a configuration that came is none for this listener. */
  check(name: string, { config }: ExtensionConfig, problems: Problems): void {
    const { written, user } = this.#options;
    const listenerName = JSON.stringify(written.listener.name);
    const allowing = written.discovered.find(
      (filter) => filter.name === name && !filter.typeNames.includes(config.typeName),
    );
    if (allowing !== undefined) {
      const expected = allowing.typeNames.join(' or ');
      problems.at('typed_config').add(`is ${config.typeName}, but listener ${listenerName} allows ${expected}`);
      return;
    }
    const own = new Problems();
    const configOf = (filter: DiscoveredFilter) => (filter.name === name ? config : this.#configOf(filter));
    const listener = written.fill((filter) => configOf(filter) ?? 'awaited', own);
    if (listener !== undefined && own.isEmpty) user.check(listener, own);
    for (const { path, message } of own.list) problems.add(`in listener ${listenerName}, ${path}: ${message}`);
  }

  /** One that another listener was given may be of a type that this one does not allow. */
  #configOf(filter: DiscoveredFilter): Any | undefined {
    const value = this.#options.found.get(filter)?.value;
    const isAllowed = value !== undefined && filter.typeNames.includes(value.config.typeName);
    return isAllowed ? value.config : filter.fallback;
  }

  onChange(): void {
    this.#options.user.onChange();
  }

  stop(): void {
    this.#options.onStop();
  }
}
