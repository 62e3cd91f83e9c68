// All there is to one type from one source: what is subscribed to, what of it is late, what expires, and how each
// response was answered. It outlives streams; DiscoveryClient has those and sends what is returned here.

import type { TypeStatus } from '../../config/dynamic-state.ts';
import {
  type DiscoveryUpdate,
  type NamedMessage,
  type ReceivedResource,
  type RefusedResource,
  type ResourceConsumer,
  type Schedule,
  takeOverInSteps,
  wildcard,
} from './discovery.ts';
import type { DiscoveryRequest, DiscoveryResponse } from './discovery-wire.ts';
import { NameTimers } from './name-timers.ts';
import { refusalText } from './refusal-text.ts';
import { type CheckedResponse, checkResponse, withName } from './response-check.ts';
import { Subscriptions } from './subscriptions.ts';
import type { TypeStream } from './type-stream.ts';

export interface TypeSessionOptions {
  readonly consumer: ResourceConsumer;
  readonly stream: TypeStream;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly schedule: Schedule;
  /** A name did not come within its time. */
  readonly onLate: (name: string) => void;
  /** A resource was not renewed within its TTL. */
  readonly onExpired: (name: string) => void;
}

/** What came of a response. */
export interface Outcome {
  /** Empty when the response has no nonce to answer by. */
  readonly requests: readonly DiscoveryRequest[];
  /** What a NACK says; undefined when all was accepted. */
  readonly refusal: string | undefined;
  readonly refused: readonly RefusedResource[];
  /** All that was in the response. */
  readonly names: ReadonlySet<string>;
  /** Everything was subscribed to when it came. */
  readonly isWhole: boolean;
  /** It had something that was subscribed to by its own name. */
  readonly hasNamed: boolean;
  readonly applyMs: number;
}

export class TypeSession {
  readonly #consumer: ResourceConsumer;
  readonly #stream: TypeStream;
  readonly #clock: () => number;
  readonly #subscriptions = new Subscriptions();
  readonly #late: NameTimers;
  readonly #expiry: NameTimers;
  /** Names whose last state was refused: that they are gone is to be told, too. */
  readonly #refused = new Set<string>();
  #status: Pick<TypeStatus, 'version' | 'lastAck' | 'lastNack' | 'responses' | 'bytesReceived' | 'lastApplyMs'> = {
    version: '',
    responses: 0,
    bytesReceived: 0,
    lastApplyMs: 0,
  };

  constructor({ consumer, stream, clock, schedule, onLate, onExpired }: TypeSessionOptions) {
    this.#consumer = consumer;
    this.#stream = stream;
    this.#clock = clock;
    this.#late = new NameTimers(schedule, (name) => {
      onLate(name);
      consumer.onAbsent(name);
    });
    this.#expiry = new NameTimers(schedule, (name) => {
      onExpired(name);
      consumer.onUpdate({ version: this.#status.version, resources: [], removed: [name] });
    });
  }

  get typeUrl(): string {
    return this.#consumer.type.typeUrl;
  }

  /** Whether the control plane was asked for this type on the stream of now. */
  get isAsked(): boolean {
    return this.#stream.isAsked;
  }

  /** False when nothing changes by it. A timeout of 0 ms waits for ever. */
  subscribe(name: string, initialFetchTimeoutMs: number): boolean {
    if (!this.#subscriptions.add(name)) return false;
    // From the subscription on, connected or not, as in Envoy: without a control plane those who wait go on as well.
    if (initialFetchTimeoutMs > 0) this.#late.start(name, initialFetchTimeoutMs);
    return true;
  }

  /** False when nothing changes by it. */
  unsubscribe(name: string): boolean {
    if (!this.#subscriptions.delete(name)) return false;
    this.#late.cancel(name);
    if (this.#subscriptions.covers(name)) return true;
    this.#refused.delete(name);
    this.#expiry.cancel(name);
    return true;
  }

  /** What an earlier run accepted is used: it is not waited for, nor is a first answer. */
  noteHeld(names: Iterable<string>): void {
    for (const name of names) this.#late.cancel(name);
    this.#late.cancel(wildcard);
  }

  onStreamOpened(): readonly DiscoveryRequest[] {
    this.#stream.transition({ kind: 'opened' });
    return this.changes();
  }

  /** What the control plane must be told of what changed since it was last told. */
  changes(): readonly DiscoveryRequest[] {
    return this.#stream.transition({
      kind: 'subscriptions',
      subscriptions: this.#subscriptions,
      held: () => this.#consumer.heldVersions(),
    });
  }

  /** A response came, and `takeOver` follows: what it brings is neither late nor does it expire meanwhile. */
  onArrival(): void {
    this.#late.onArrival();
    this.#expiry.onArrival();
  }

  /** As that of the type. */
  get isApart(): boolean {
    return this.#consumer.type.isApart === true;
  }

  /** What may be done before `takeOver`, which alone changes anything; undefined when nothing may. */
  prepare({ resources }: DiscoveryResponse): Iterator<unknown> | undefined {
    return this.#consumer.prepare?.(this.#wanted(resources));
  }

  *#wanted(resources: DiscoveryResponse['resources']): Iterable<NamedMessage> {
    const { type } = this.#consumer;
    for (const resource of resources) {
      const { name, aliases, message } = withName(resource, type);
      if (message === undefined || resource.payloadType !== type.typeUrl) continue;
      if (this.#subscriptions.covers(name, aliases)) yield { name, message };
    }
  }

  /** In short steps, behind an `onArrival` of its own. `receivedMs`: by the clock, when it came. */
  *takeOver(response: DiscoveryResponse, bytes: number, receivedMs = this.#clock()): Generator<unknown, Outcome, void> {
    const checked = checkResponse(response, this.#consumer, this.#subscriptions);
    const { isWildcard: isWhole } = this.#subscriptions;
    const hasNamed = this.#hasNamed(response, checked);
    yield;
    const refused = yield* this.#takeOver(response, checked);
    const refusal = refused.length === 0 ? undefined : refusalText(refused);
    const requests = this.#stream.transition({
      kind: 'handled',
      response,
      ...(refusal !== undefined && { refusal }),
    });
    const endMs = this.#clock();
    const applyMs = endMs - receivedMs;
    this.#count(response, { refusal, bytes, atMs: endMs, applyMs });
    this.#late.onHandled();
    this.#expiry.onHandled();
    return { requests, refusal, refused, names: checked.names, isWhole, hasNamed, applyMs };
  }

  #hasNamed({ removed }: DiscoveryResponse, { names, accepted }: CheckedResponse): boolean {
    const { names: subscribed } = this.#subscriptions;
    for (const name of names) if (subscribed.has(name)) return true;
    return (
      removed.some((name) => subscribed.has(name)) ||
      accepted.some(({ aliases }) => aliases.some((each) => subscribed.has(each)))
    );
  }

  status(): TypeStatus {
    let heldCount = 0;
    for (const _held of this.#consumer.heldVersions()) heldCount++;
    const { names, isWildcard } = this.#subscriptions;
    const subscribed = [...names].filter((name) => name !== wildcard);
    return { typeUrl: this.typeUrl, isWildcard, subscribed, heldCount, ...this.#status };
  }

  stop(): void {
    this.#late.cancelAll();
    this.#expiry.cancelAll();
  }

  *#takeOver(
    response: DiscoveryResponse,
    checked: CheckedResponse,
  ): Generator<unknown, readonly RefusedResource[], void> {
    const removed = this.#removedBy(response, checked);
    const absent = [...checked.absent, ...removed.filter((name) => this.#subscriptions.awaited.has(name))];
    const update: DiscoveryUpdate = { version: response.version, resources: checked.accepted, removed };
    const refused = [...checked.refused, ...(yield* takeOverInSteps(this.#consumer, update))];
    yield;
    const refusedNames = new Set(refused.map(({ name }) => name));
    this.#letGoUnwanted(update);
    for (const resource of checked.accepted) if (!refusedNames.has(resource.name)) this.#onReceived(resource);
    for (const name of removed) this.#expiry.cancel(name);
    for (const name of [...removed, ...checked.absent, wildcard]) this.#onAnswered(name);
    for (const name of absent) this.#consumer.onAbsent(name);
    for (const name of removed) this.#refused.delete(name);
    for (const name of checked.names) this.#refused.delete(name);
    // Otherwise they would pile up: requests choose names (on demand), and the control plane under which others it answers.
    if (this.#stream.removesByAbsence) for (const name of refusedNames) this.#refused.add(name);
    return refused;
  }

  /** Between two steps a name may be let go, and then taken over: of that nothing would ever come again. */
  #letGoUnwanted({ version, resources }: DiscoveryUpdate): void {
    const isUnwanted = ({ name, aliases }: ReceivedResource) => !this.#subscriptions.covers(name, aliases);
    const removed = resources.filter(isUnwanted).map(({ name }) => name);
    if (removed.length > 0) this.#consumer.onUpdate({ version, resources: [], removed });
  }

  /** Without what nobody wants, and without what only seems to be gone because the response could not be read. */
  #removedBy(response: DiscoveryResponse, { names, hasNameless }: CheckedResponse): readonly string[] {
    const removed = hasNameless ? response.removed : this.#stream.removedBy(response, names, this.#known());
    return removed.filter((name) => !names.has(name) && this.#subscriptions.covers(name));
  }

  *#known(): Iterable<string> {
    for (const [name] of this.#consumer.heldVersions()) yield name;
    yield* this.#refused;
    for (const name of this.#subscriptions.awaited) if (name !== wildcard) yield name;
  }

  #onReceived({ name, aliases, ttlMs }: ReceivedResource): void {
    this.#onAnswered(name);
    for (const alias of aliases) this.#onAnswered(alias);
    if (ttlMs === undefined || !this.#subscriptions.covers(name, aliases)) this.#expiry.cancel(name);
    else this.#expiry.start(name, ttlMs);
  }

  #onAnswered(name: string): void {
    this.#subscriptions.onAnswered(name);
    this.#late.cancel(name);
  }

  #count(response: DiscoveryResponse, { refusal, bytes, atMs, applyMs }: Handled): void {
    const { version, nonce } = response;
    const { responses, bytesReceived } = this.#status;
    this.#status = {
      ...this.#status,
      version,
      responses: responses + 1,
      bytesReceived: bytesReceived + bytes,
      lastApplyMs: applyMs,
      ...(nonce !== '' && refusal === undefined && { lastAck: { version, atMs } }),
      ...(nonce !== '' && refusal !== undefined && { lastNack: { version, atMs, text: refusal } }),
    };
  }
}

interface Handled {
  readonly refusal: string | undefined;
  readonly bytes: number;
  readonly atMs: number;
  readonly applyMs: number;
}
