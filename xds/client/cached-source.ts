// A stream whose accepted resources are kept on disk. At the start, what was kept is given to those who subscribe, so
// that they need not wait; the stream then names it to the control plane, which sends what changed since.

import type { SourceStatus } from '../../config/dynamic-state.ts';
import { takeAllSteps } from '../../config/time-slice.ts';
import type { KeptResource, KeptType } from './cache-format.ts';
import {
  type DiscoveryLog,
  type DiscoveryUpdate,
  type NamedMessage,
  type ReceivedResource,
  type RefusedResource,
  type ResourceConsumer,
  type ResourceSubscriptions,
  takeOverInSteps,
  wildcard,
} from './discovery.ts';
import { LongTurns } from './long-turns.ts';
import { refusalText } from './refusal-text.ts';
import { ResponseLine } from './response-line.ts';

/** Takes resources, and can say what it took. */
export interface HoldingConsumer extends ResourceConsumer {
  /** The accepted resources; their bytes are not to be changed. Those that hold keys or expire are not kept. */
  held(): Iterable<readonly [name: string, resource: HeldBytes]>;
}

export interface HeldBytes {
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly holdsKeys?: boolean;
  /** It has a time to live, which nobody would count down while the process is not there. */
  readonly expires?: boolean;
}

export interface CachedSourceOptions {
  /** As in `SourceStatus.name`. */
  readonly name: string;
  /** As in `KeptType.source`. */
  readonly keptAs: string;
  readonly kept: readonly KeptType[];
  readonly consumers: readonly HoldingConsumer[];
  /** Makes the stream; its consumers are those above, watched for what they accept. */
  readonly makeSource: (consumers: readonly ResourceConsumer[]) => StreamedSource;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly log: DiscoveryLog;
  /** Something was accepted, removed or let go. */
  readonly onChange: () => void;
}

/** Subscriptions that may be answered from elsewhere. */
export interface StreamedSource extends RunningSource {
  /** These are held without it: they are not late any more. */
  noteHeld(typeUrl: string, names: Iterable<string>): void;
}

export interface RunningSource extends ResourceSubscriptions {
  start(): void;
  stop(): void;
  status(): SourceStatus;
}

/**
 * Turns without anything to give after which the stream is opened. What is given leads to subscriptions a turn or two
 * later: clusters to their members, listeners to their routes.
 */
const quietTurns = 3;

/** Keys would be given to whoever can read the disk. They are sent again soon, or made again. */
const neverKept = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';

export class CachedSource implements RunningSource {
  readonly #options: Omit<CachedSourceOptions, 'kept'>;
  readonly #consumers: ReadonlyMap<string, HoldingConsumer>;
  readonly #source: StreamedSource;
  /** What was kept and not given yet, by type and name. A type has none once the control plane spoke of it. */
  readonly #kept = new Map<string, Map<string, KeptResource>>();
  readonly #due = new Map<string, KeptResource[]>();
  readonly #line: ResponseLine<Given>;
  /** What is in the line, and to be delivered. */
  readonly #given = new Set<Given>();
  #isGivingDue = false;
  #isStopped = false;

  constructor(options: CachedSourceOptions) {
    // What was kept are views of one file, which is not to stay in memory for one of them.
    const { kept, ...rest } = options;
    const { keptAs, consumers, makeSource } = rest;
    this.#options = rest;
    this.#consumers = new Map(consumers.map((consumer) => [consumer.type.typeUrl, consumer]));
    for (const { source, typeUrl, resources } of kept) {
      if (source !== keptAs || !this.#consumers.has(typeUrl)) continue;
      this.#kept.set(typeUrl, new Map(resources.map((resource) => [resource.name, resource])));
    }
    this.#line = new ResponseLine({
      prepare: ({ typeUrl, resources }) => this.#consumers.get(typeUrl)!.prepare?.(resources),
      // In one go: between two steps the control plane might speak of the type.
      takeOver: () => [].values(),
      answer: (given) => this.#deliver(given),
      bytesOf: ({ resources }) => resources.reduce((sum, { message }) => sum + message.length, 0),
      isOver: () => this.#isStopped,
      clock: rest.clock,
      turns: new LongTurns(rest.defer),
    });
    this.#source = makeSource(consumers.map((consumer) => this.#watched(consumer)));
  }

  /** The stream is opened when what was kept has been given. */
  start(): void {
    if (this.#kept.size === 0) this.#source.start();
    else this.#startWhenQuiet(quietTurns);
  }

  stop(): void {
    this.#isStopped = true;
    this.#source.stop();
  }

  subscribe(typeUrl: string, name: string, initialFetchTimeoutMs: number): void {
    this.#source.subscribe(typeUrl, name, initialFetchTimeoutMs);
    const kept = this.#kept.get(typeUrl);
    if (kept === undefined) return;
    if (name === wildcard) for (const resource of kept.values()) this.#give(typeUrl, resource);
    const resource = kept.get(name);
    if (resource !== undefined) this.#give(typeUrl, resource);
  }

  unsubscribe(typeUrl: string, name: string): void {
    this.#source.unsubscribe(typeUrl, name);
    this.#options.onChange();
  }

  status(): SourceStatus {
    return this.#source.status();
  }

  /** What is to be kept now. What was kept and is not known to be gone stays. */
  content(): readonly KeptType[] {
    const { keptAs: source } = this.#options;
    return [...this.#consumers].flatMap(([typeUrl, consumer]) => {
      if (typeUrl === neverKept) return [];
      const resources = new Map(this.#kept.get(typeUrl));
      for (const each of this.#underWay(typeUrl)) resources.set(each.name, each);
      for (const [each, { version, bytes, holdsKeys, expires }] of consumer.held()) {
        if (holdsKeys === true || expires === true) resources.delete(each);
        else resources.set(each, { name: each, version, bytes });
      }
      return resources.size === 0 ? [] : [{ source, typeUrl, resources: [...resources.values()] }];
    });
  }

  *#underWay(typeUrl: string): Iterable<KeptResource> {
    yield* this.#due.get(typeUrl) ?? [];
    for (const given of this.#given) {
      if (given.typeUrl !== typeUrl) continue;
      for (const { name, version, message } of given.resources) yield { name, version, bytes: message };
    }
  }

  /** At the end of the turn: whoever subscribes is not to be answered in the middle of it. */
  #give(typeUrl: string, resource: KeptResource): void {
    this.#kept.get(typeUrl)!.delete(resource.name);
    const due = this.#due.get(typeUrl);
    if (due === undefined) this.#due.set(typeUrl, [resource]);
    else due.push(resource);
    if (this.#isGivingDue) return;
    this.#isGivingDue = true;
    this.#options.defer(() => {
      this.#isGivingDue = false;
      if (!this.#isStopped) this.#giveDue();
    });
  }

  #giveDue(): void {
    const given = [...this.#due];
    this.#due.clear();
    for (const [typeUrl, resources] of given) {
      const received = resources.map(({ name, version, bytes }) => ({ name, version, aliases: [], message: bytes }));
      const underWay = { typeUrl, resources: received };
      this.#given.add(underWay);
      this.#line.add(underWay);
    }
  }

  #deliver(given: Given): void {
    // The control plane spoke of the type meanwhile.
    if (!this.#given.delete(given)) return;
    const { typeUrl, resources } = given;
    const refused = this.#consumers.get(typeUrl)!.onUpdate({ version: '', resources, removed: [] });
    const refusedNames = new Set(refused.map(({ name }) => name));
    this.#source.noteHeld(
      typeUrl,
      resources.map(({ name }) => name).filter((name) => !refusedNames.has(name)),
    );
    const { log, name: source } = this.#options;
    const count = resources.length - refused.length;
    log('info', 'configuration of an earlier run is used', { source, typeUrl, count });
    if (refused.length > 0) {
      log('warning', 'configuration of an earlier run was refused', { source, refusal: refusalText(refused) });
    }
  }

  #startWhenQuiet(turnsLeft: number): void {
    this.#options.defer(() => {
      if (this.#isStopped) return;
      if (this.#due.size > 0 || !this.#line.isIdle) this.#startWhenQuiet(quietTurns);
      else if (turnsLeft > 0) this.#startWhenQuiet(turnsLeft - 1);
      else this.#source.start();
    });
  }

  #watched(consumer: HoldingConsumer): ResourceConsumer {
    return {
      type: consumer.type,
      heldVersions: () => consumer.heldVersions(),
      prepare: (resources) => consumer.prepare?.(resources),
      onUpdate: (update) => takeAllSteps(this.#takeOverFromStream(consumer, update)),
      takeOver: (update) => this.#takeOverFromStream(consumer, update),
      onAbsent: (name) => consumer.onAbsent(name),
    };
  }

  *#takeOverFromStream(
    consumer: HoldingConsumer,
    update: DiscoveryUpdate,
  ): Generator<unknown, readonly RefusedResource[], void> {
    // From now on the control plane knows better.
    const { typeUrl } = consumer.type;
    this.#kept.delete(typeUrl);
    this.#due.delete(typeUrl);
    for (const given of this.#given) if (given.typeUrl === typeUrl) this.#given.delete(given);
    const refused = yield* takeOverInSteps(consumer, update);
    this.#options.onChange();
    return refused;
  }
}

/** Resources of one type that are given together. */
interface Given {
  readonly typeUrl: string;
  readonly resources: readonly (ReceivedResource & NamedMessage)[];
}
