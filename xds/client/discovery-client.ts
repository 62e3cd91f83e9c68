// One source of configuration that is followed over streams: opens them, tells the control plane what is subscribed to,
// hands each response to the session of its type, and opens the next stream when one ends. What is held stays in use
// whatever happens here: a control plane may be away for ever.

import { equal } from 'node:assert/strict';
import type { SourceStatus } from '../../config/dynamic-state.ts';
import type { Random } from '../../config/random.ts';
import { BackOff } from './back-off.ts';
import type { StreamedSource } from './cached-source.ts';
import { DeltaStream } from './delta-stream.ts';
import { type DiscoveryLog, type ResourceConsumer, type Schedule, wildcard } from './discovery.ts';
import type { DiscoveryObserver } from './discovery-observer.ts';
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  encodeRequest,
  readDeltaResponse,
  readStateOfTheWorldResponse,
} from './discovery-wire.ts';
import { LongTurns } from './long-turns.ts';
import { ResponseLine } from './response-line.ts';
import { StateOfTheWorldStream } from './state-of-the-world-stream.ts';
import type { DiscoveryStreamHandle, DiscoveryTransport, StreamEnd } from './transport.ts';
import { type Outcome, TypeSession } from './type-session.ts';

export interface DiscoveryClientOptions {
  /** As in `SourceStatus.name`. */
  readonly name: string;
  readonly protocol: 'delta' | 'state-of-the-world';
  /** An encoded `core.v3.Node`. */
  readonly node: Uint8Array;
  readonly setNodeOnFirstMessageOnly: boolean;
  readonly transport: DiscoveryTransport;
  /** One for each type, in the order in which types are asked for on a new stream. */
  readonly consumers: readonly ResourceConsumer[];
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: Random;
  readonly schedule: Schedule;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  /** Those of all sources whose responses make one configuration; its own without. */
  readonly turns?: LongTurns;
  readonly log: DiscoveryLog;
  readonly observer?: DiscoveryObserver;
}

export class DiscoveryClient implements StreamedSource {
  readonly #options: DiscoveryClientOptions;
  readonly #sessions = new Map<string, TypeSession>();
  readonly #changed = new Set<TypeSession>();
  readonly #turns: LongTurns;
  readonly #backOff: BackOff;
  #connection: SourceStatus['connection'] = { kind: 'connecting' };
  #stream: Stream | null = null;
  #isFlushDue = false;
  #isStopped = false;
  /** Of the next stream, or of a flush that waits for the peer to read. */
  #cancelRetry: () => void = nothing;

  constructor(options: DiscoveryClientOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.random);
    this.#turns = options.turns ?? new LongTurns(options.defer);
    for (const consumer of options.consumers) this.#sessions.set(consumer.type.typeUrl, this.#sessionOf(consumer));
    equal(this.#sessions.size, options.consumers.length, 'each type has one consumer');
  }

  start(): void {
    this.#open();
  }

  /** Nothing is called back any more. */
  stop(): void {
    for (const line of this.#stream?.lines.values() ?? []) line.complete();
    this.#isStopped = true;
    this.#cancelRetry();
    this.#stream?.handle.cancel();
    this.#stream = null;
    for (const session of this.#sessions.values()) session.stop();
    this.#options.transport.close();
  }

  /** Before or after `start`. The type must have a consumer. */
  subscribe(typeUrl: string, name: string, initialFetchTimeoutMs: number): void {
    const session = this.#session(typeUrl);
    if (!session.subscribe(name, initialFetchTimeoutMs)) return;
    this.#options.observer?.onSubscribe?.(typeUrl, name);
    this.#flushLater(session);
  }

  unsubscribe(typeUrl: string, name: string): void {
    const session = this.#session(typeUrl);
    if (!session.unsubscribe(name)) return;
    this.#options.observer?.onUnsubscribe?.(typeUrl, name);
    this.#flushLater(session);
  }

  noteHeld(typeUrl: string, names: Iterable<string>): void {
    this.#session(typeUrl).noteHeld(names);
  }

  status(): SourceStatus {
    const { name, protocol, transport } = this.#options;
    const types = [...this.#sessions.values()].map((session) => session.status());
    return { name, target: transport.target, protocol, connection: this.#connection, types };
  }

  #session(typeUrl: string): TypeSession {
    const session = this.#sessions.get(typeUrl);
    if (session === undefined) throw new Error(`source ${this.#options.name} has no consumer of ${typeUrl}`);
    return session;
  }

  #sessionOf(consumer: ResourceConsumer): TypeSession {
    const { protocol, clock, schedule, observer, log } = this.#options;
    const { typeUrl } = consumer.type;
    return new TypeSession({
      consumer,
      stream: protocol === 'delta' ? new DeltaStream(typeUrl) : new StateOfTheWorldStream(typeUrl),
      clock,
      schedule,
      onLate: (name) => {
        observer?.onFetchTimeout?.(typeUrl, name);
        log('warning', lateText(name), this.#facts({ typeUrl, name }));
      },
      onExpired: (name) =>
        log('info', 'a resource expired: it was not renewed within its TTL', this.#facts({ typeUrl, name })),
    });
  }

  #open(): void {
    const { transport, clock } = this.#options;
    this.#setConnection({ kind: 'connecting' });
    const events = {
      onMessage: (message: Uint8Array) => this.#onMessage(stream, message),
      onEnd: (end: StreamEnd) => this.#onEnd(stream, end),
    };
    const stream: Stream = {
      handle: transport.open(events),
      openedMs: clock(),
      hasNode: false,
      isAnswered: false,
      answersBehind: 0,
      unasked: new Set(),
      lines: new Map(),
    };
    this.#stream = stream;
    this.#changed.clear();
    for (const session of this.#sessions.values()) this.#send(session.onStreamOpened());
  }

  #onMessage(stream: Stream, message: Uint8Array): void {
    if (stream !== this.#stream) return;
    const { protocol } = this.#options;
    const read = protocol === 'delta' ? readDeltaResponse(message) : readStateOfTheWorldResponse(message);
    if (read.kind === 'malformed') {
      // Neither its type nor its nonce are known, so it cannot be answered.
      this.#abandon(stream, `the control plane sent a response that cannot be read: ${read.reason}`);
      return;
    }
    this.#onAlive(stream, read.response);
    const session = this.#sessions.get(read.response.typeUrl);
    if (!session?.isAsked) {
      this.#passOver(stream, read.response);
      return;
    }
    session.onArrival();
    const receivedMs = this.#options.clock();
    if (pendingOf(stream) <= maxPendingAnswers) stream.answersBehind = 0;
    const { response } = read;
    const received: Received = {
      session,
      response,
      bytes: message.length,
      receivedMs,
      hasWaited: false,
      outcome: null,
    };
    this.#lineOf(stream, session).add(received);
    received.hasWaited = true;
  }

  /** The control plane speaks the protocol. Of a connection alone that is not known. */
  #onAlive(stream: Stream, { controlPlane }: DiscoveryResponse): void {
    if (stream.isAnswered) return;
    stream.isAnswered = true;
    this.#backOff.reset();
    this.#setConnection({ kind: 'connected', sinceMs: this.#options.clock(), controlPlane });
    this.#options.log('info', 'connected to the control plane', this.#facts({ controlPlane }));
  }

  #lineOf(stream: Stream, session: TypeSession): ResponseLine<Received> {
    const name = session.isApart ? session.typeUrl : sharedLine;
    let line = stream.lines.get(name);
    if (line === undefined) {
      line = new ResponseLine({
        prepare: ({ session: its, response }) => its.prepare(response),
        takeOver: (received) => this.#takeOver(received),
        answer: (received) => this.#answer(received),
        bytesOf: ({ bytes }) => bytes + responseObjectBytes,
        isOver: () => this.#isStopped,
        clock: this.#options.clock,
        turns: this.#turns,
      });
      stream.lines.set(name, line);
    }
    return line;
  }

  *#takeOver(received: Received): Generator<unknown, void> {
    const { session, response, bytes, receivedMs } = received;
    received.outcome = yield* session.takeOver(response, bytes, receivedMs);
  }

  #answer({ response, bytes, hasWaited, outcome: found }: Received): void {
    const { log, observer } = this.#options;
    const { typeUrl, version, nonce } = response;
    const { requests, refusal, ...outcome } = found!;
    observer?.onResponse?.({ typeUrl, version, removed: response.removed, bytes, ...outcome });
    if (refusal !== undefined) log('warning', refusedText, this.#facts({ typeUrl, version, refusal }));
    if (nonce === '')
      log('warning', 'a response without a nonce was applied, and cannot be answered', this.#facts({ typeUrl }));
    this.#send(requests);
    if (hasWaited && this.#stream !== null && this.#stream.answersBehind < maxAnswersBehind)
      this.#stream.answersBehind++;
    this.#checkPeerReads();
  }

  /** An answer would be the first request of its type, which subscribes to everything. */
  #passOver({ unasked }: Stream, { typeUrl }: DiscoveryResponse): void {
    if (unasked.has(typeUrl) || unasked.size === maxUnaskedTypes) return;
    unasked.add(typeUrl);
    this.#options.log('warning', 'passed over a response that was not asked for', this.#facts({ typeUrl }));
  }

  #onEnd(stream: Stream, { code, reason }: StreamEnd): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    this.#cancelRetry();
    // What came whole is taken over, though nobody is there to be answered: the next stream says that it is held.
    for (const line of stream.lines.values()) line.finish();
    if (this.#isStopped) return;
    const { clock, schedule, log } = this.#options;
    const nowMs = clock();
    const isClean = code === 0 && stream.isAnswered;
    const delayMs = isClean ? this.#backOff.afterCleanEnd(nowMs - stream.openedMs) : this.#backOff.afterFailure();
    const waitMs = Math.round(delayMs);
    this.#setConnection({ kind: 'waiting', untilMs: nowMs + waitMs, lastError: reason });
    this.#options.observer?.onFailure?.(this.#options.name);
    log(isClean ? 'info' : 'warning', endedText, this.#facts({ reason, waitMs }));
    this.#cancelRetry = schedule(waitMs, () => this.#open());
  }

  #abandon(stream: Stream, reason: string): void {
    stream.handle.cancel();
    this.#onEnd(stream, { code: failed, reason });
  }

  #flushLater(session: TypeSession): void {
    this.#changed.add(session);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#turns.defer(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** A new stream is told everything, so that without one there is nothing to do. */
  #flush(): void {
    if (this.#stream === null) return;
    if (pendingOf(this.#stream) > maxPendingBeforeChanges) {
      this.#cancelRetry();
      this.#cancelRetry = this.#options.schedule(flushRetryMs, () => this.#turns.defer(() => this.#flush()));
      return;
    }
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const session of changed) this.#send(session.changes());
  }

  #send(requests: readonly DiscoveryRequest[]): void {
    const { node, setNodeOnFirstMessageOnly } = this.#options;
    for (const request of requests) {
      // A consumer may have stopped us.
      if (this.#stream === null) return;
      const needsNode = !this.#stream.hasNode || !setNodeOnFirstMessageOnly;
      this.#stream.hasNode = true;
      this.#stream.handle.send(() => encodeRequest(request, needsNode ? node : undefined));
    }
  }

  #checkPeerReads(): void {
    const stream = this.#stream;
    if (stream === null || pendingOf(stream) - stream.answersBehind <= maxPendingAnswers) return;
    this.#abandon(stream, 'the control plane sends responses and does not read the answers');
  }

  #setConnection(connection: SourceStatus['connection']): void {
    this.#connection = connection;
    this.#options.observer?.onConnection?.(connection);
  }

  #facts<T>(facts: T): T & { readonly source: string; readonly controlPlaneTarget: string } {
    const { name, transport } = this.#options;
    return { source: name, controlPlaneTarget: transport.target, ...facts };
  }
}

interface Stream {
  readonly handle: DiscoveryStreamHandle;
  readonly openedMs: number;
  hasNode: boolean;
  /** A response came. */
  isAnswered: boolean;
  /** To responses that waited for another to be decoded. They are made in one turn, before the peer could read any. */
  answersBehind: number;
  /** Types of responses that were passed over; each is told once. */
  readonly unasked: Set<string>;
  /** One for all types but those apart, which have one each, by type URL. */
  readonly lines: Map<string, ResponseLine<Received>>;
}

interface Received {
  readonly session: TypeSession;
  readonly response: DiscoveryResponse;
  readonly bytes: number;
  readonly receivedMs: number;
  /** It was not delivered as it came. */
  hasWaited: boolean;
  /** When it was taken over. */
  outcome: Outcome | null;
}

const sharedLine = '';

/** Of a response that was read, beside its bytes: many small ones fill memory, too. */
const responseObjectBytes = 1024;

/** Type URLs come from the peer: it is not to fill memory or the log with them. */
const maxUnaskedTypes = 32;

/** Each says what becomes of requests meanwhile: that is what who reads it at night asks first. */
const endedText = 'the stream to the control plane ended; what was accepted, if anything, stays in use';
const refusedText = 'refused resources; what was accepted of them before, if anything, stays in use';

function lateText(name: string): string {
  if (name === wildcard) return 'nothing came within the initial_fetch_timeout; the start goes on without it';
  return 'a resource did not come within its initial_fetch_timeout; what needs it goes on without it';
}

/** Above this the peer does not read: what changes meanwhile is told as one change when it does. */
const maxPendingBeforeChanges = 64;
const flushRetryMs = 100;

/** Answers cannot be merged: each response has its own. A peer that leaves so many unread is given up. */
const maxPendingAnswers = 1024;

/** Of those to responses that waited, which count apart until the peer has read: about as many as find room in a line. */
const maxAnswersBehind = 65_536;

/** gRPC status `INTERNAL`. */
const failed = 13;

function pendingOf({ handle }: Stream): number {
  return handle.pendingMessages?.() ?? 0;
}

function nothing(): void {}
