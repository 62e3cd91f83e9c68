// A discovery client among things that stand still: a clock that is moved, a transport whose streams the test plays, and
// consumers that write down what they are told.

import type {
  DiscoveryUpdate,
  NamedMessage,
  RefusedResource,
  ResourceConsumer,
  ResourceType,
} from '../../xds/client/discovery.ts';
import type { DiscoveryClientOptions } from '../../xds/client/discovery-client.ts';
import { DiscoveryClient } from '../../xds/client/discovery-client.ts';
import type {
  DiscoveryStreamEvents,
  DiscoveryStreamHandle,
  DiscoveryTransport,
  StreamEnd,
} from '../../xds/client/transport.ts';
import {
  type Protocol,
  readRequest,
  type SeenRequest,
  type SentResponse,
  writeNode,
  writeResponse,
} from './discovery-messages.ts';

/** Time and turns of the event loop, both moved by hand. */
export class HandClock {
  nowMs = 1_000_000;
  readonly #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];
  readonly #deferred: (() => void)[] = [];

  readonly clock = () => this.nowMs;

  readonly schedule = (delayMs: number, callback: () => void) => {
    const timer = { dueMs: this.nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  };

  readonly defer = (callback: () => void) => {
    this.#deferred.push(callback);
  };

  /** Milliseconds until each timer, soonest first. */
  get waits(): readonly number[] {
    return this.#timers.map(({ dueMs }) => dueMs - this.nowMs).sort((a, b) => a - b);
  }

  endTurn(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.#timers.splice(this.#timers.indexOf(due), 1);
      this.nowMs = due.dueMs;
      due.callback();
      this.endTurn();
    }
    this.nowMs = untilMs;
  }
}

/** One stream, with the test at the other end. */
export class PlayedStream implements DiscoveryStreamHandle {
  readonly #protocol: Protocol;
  readonly #events: DiscoveryStreamEvents;
  readonly requests: SeenRequest[] = [];
  isCancelled = false;
  pending = 0;

  constructor(protocol: Protocol, events: DiscoveryStreamEvents) {
    this.#protocol = protocol;
    this.#events = events;
  }

  send(encode: () => Uint8Array): void {
    const message = encode();
    this.requests.push(readRequest(this.#protocol, message));
  }

  pendingMessages(): number {
    return this.pending;
  }

  cancel(): void {
    this.isCancelled = true;
  }

  respond(response: SentResponse): void {
    this.respondBytes(writeResponse(this.#protocol, response));
  }

  respondBytes(message: Uint8Array): void {
    this.#events.onMessage(message);
  }

  end(end: StreamEnd = { code: 14, reason: '14 UNAVAILABLE: gone' }): void {
    this.#events.onEnd(end);
  }

  /** Requests since the last call, without what is empty. */
  take(): readonly Partial<SeenRequest>[] {
    return this.requests.splice(0).map(withoutEmpty);
  }
}

export class PlayedTransport implements DiscoveryTransport {
  readonly #protocol: Protocol;
  readonly target = 'a test';
  readonly streams: PlayedStream[] = [];
  isClosed = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  open(events: DiscoveryStreamEvents): PlayedStream {
    const stream = new PlayedStream(this.#protocol, events);
    this.streams.push(stream);
    return stream;
  }

  close(): void {
    this.isClosed = true;
  }

  get last(): PlayedStream {
    return this.streams.at(-1)!;
  }
}

/** Holds what it gets, and refuses the names it is told to refuse. */
export class RecordingConsumer implements ResourceConsumer {
  readonly type: ResourceType;
  prepare: (resources: Iterable<NamedMessage>) => Iterator<unknown> | undefined = () => undefined;
  takeOver?: NonNullable<ResourceConsumer['takeOver']>;
  readonly held = new Map<string, string>();
  readonly refuses = new Map<string, RefusedResource['problems']>();
  /** `+a@1` for a resource and its version, `~a` for a heartbeat, `-a` for one that is gone, `?a` for an absent one. */
  readonly told: string[] = [];
  updates = 0;
  onTold: ((update: DiscoveryUpdate) => void) | undefined;

  constructor(typeUrl: string) {
    this.type = { typeUrl, shortName: typeUrl.split('.').at(-1)!.toLowerCase(), nameOf: nameInMessage };
  }

  heldVersions(): Iterable<readonly [string, string]> {
    return this.held;
  }

  onUpdate(update: DiscoveryUpdate): readonly RefusedResource[] {
    this.updates++;
    const refused: RefusedResource[] = [];
    for (const { name, version, message } of update.resources) {
      const problems = this.refuses.get(name);
      if (message === undefined) this.told.push(`~${name}`);
      else if (problems !== undefined) refused.push({ name, problems });
      else {
        this.held.set(name, version);
        this.told.push(`+${name}@${version}`);
      }
    }
    for (const name of update.removed) {
      this.held.delete(name);
      this.told.push(`-${name}`);
    }
    this.onTold?.(update);
    return refused;
  }

  onAbsent(name: string): void {
    this.told.push(`?${name}`);
  }

  take(): readonly string[] {
    return this.told.splice(0);
  }
}

export interface PlayedClient {
  readonly client: DiscoveryClient;
  readonly transport: PlayedTransport;
  readonly time: HandClock;
  /** By type URL. */
  readonly consumers: ReadonlyMap<string, RecordingConsumer>;
  /** `level text`. */
  readonly logged: string[];
}

/** Not started. `random` gives 0.5 always. */
export function playedClient(
  protocol: Protocol,
  typeUrls: readonly string[],
  options: Partial<DiscoveryClientOptions> = {},
): PlayedClient {
  const transport = new PlayedTransport(protocol);
  const time = new HandClock();
  const logged: string[] = [];
  const consumers = new Map(typeUrls.map((typeUrl) => [typeUrl, new RecordingConsumer(typeUrl)]));
  const client = new DiscoveryClient({
    name: 'ads',
    protocol,
    node: writeNode('me'),
    setNodeOnFirstMessageOnly: true,
    transport,
    consumers: [...consumers.values()],
    clock: time.clock,
    schedule: time.schedule,
    defer: time.defer,
    random: () => 0.5,
    log: (level, text) => logged.push(`${level} ${text}`),
    ...options,
  });
  return { client, transport, time, consumers, logged };
}

/** Field 1 of a message made by `messageNamed`. */
function nameInMessage(message: Uint8Array): string {
  return message[0] === 10 ? Buffer.from(message.subarray(2, 2 + message[1]!)).toString() : '';
}

function withoutEmpty(request: SeenRequest): Partial<SeenRequest> {
  const isEmpty = (value: unknown) => value === undefined || Object.keys(value as object).length === 0;
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== '' && !isEmpty(value)));
}
