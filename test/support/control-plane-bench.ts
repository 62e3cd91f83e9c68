// A control plane over gRPC that does what a test wants: serves a world of resources as it changes, and breaks off, holds
// back or repeats responses, or says whatever it is told to say.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Test } from 'tap';
import { ControlPlaneSession, type World } from './control-plane-session.ts';
import { type Protocol, type SentResponse, writeResponse } from './discovery-messages.ts';

/**
 * What becomes of a response: `cut` closes the connection instead of sending it, `fail` ends the stream with an error and
 * `end` without one, `twice` sends it two times, `hold` sends it after the next one of another type, `swallow` never.
 */
export type Fault = 'none' | 'cut' | 'fail' | 'end' | 'twice' | 'hold' | 'swallow';

export const aggregatedMethod = {
  delta: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
  'state-of-the-world': '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
} as const satisfies Record<Protocol, string>;

export class ControlPlaneBench {
  readonly world: World = new Map();
  readonly streams: BenchStream[] = [];
  /** Is asked for each response, with its number from 0 on over all streams. */
  faultOf: (response: SentResponse, index: number) => Fault = () => 'none';
  responses = 0;
  readonly #grpc = new Server({ 'grpc.max_receive_message_length': -1 });
  readonly #injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
  readonly #sockets = new Set<Socket>();
  readonly #listener = createServer((socket) => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#injector.injectConnection(socket);
  });
  readonly #waiting = new Set<() => void>();

  constructor() {
    this.#serve('delta');
    this.#serve('state-of-the-world');
  }

  /** On a port of its own unless one is given. */
  async listen(port = 0): Promise<number> {
    this.#listener.listen(port, '127.0.0.1');
    await once(this.#listener, 'listening');
    return (this.#listener.address() as AddressInfo).port;
  }

  get last(): BenchStream {
    return this.streams.at(-1)!;
  }

  /** Whether there is a client, and it answered all it was sent. */
  get isSettled(): boolean {
    return this.streams.at(-1)?.session.isSettled ?? false;
  }

  /** What clients did that no client may do, on any stream. */
  get violations(): readonly string[] {
    return this.streams.flatMap(({ session }) => session.violations);
  }

  set(type: string, versions: { readonly [name: string]: string }): void {
    this.world.set(type, new Map(Object.entries(versions)));
    for (const stream of this.streams) stream.session.onChange();
  }

  /** Resolves after the first request that makes the condition true. */
  until(condition: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = () => {
      if (!condition()) return;
      this.#waiting.delete(check);
      resolve();
    };
    this.#waiting.add(check);
    check();
    return promise;
  }

  /** Connections are cut, and new ones are not taken. */
  close(): void {
    this.#listener.close();
    this.cut();
    this.#injector.destroy();
    this.#grpc.forceShutdown();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(protocol: Protocol): void {
    const path = aggregatedMethod[protocol];
    const asIs = (bytes: Buffer) => bytes;
    const shape = { requestStream: true, responseStream: true, requestSerialize: asIs, requestDeserialize: asIs };
    const definition = { aggregate: { path, ...shape, responseSerialize: asIs, responseDeserialize: asIs } };
    this.#grpc.addService(definition, {
      aggregate: (call: ServerDuplexStream<Buffer, Buffer>) => this.#onStream(protocol, call),
    });
  }

  #onStream(protocol: Protocol, call: ServerDuplexStream<Buffer, Buffer>): void {
    const fault = (response: SentResponse) => this.faultOf(response, this.responses++);
    const stream = new BenchStream({ protocol, world: this.world, call, fault, cut: () => this.cut() });
    this.streams.push(stream);
    call.on('data', (message: Buffer) => {
      stream.session.onRequest(message);
      for (const check of this.#waiting) check();
    });
    call.on('end', () => call.end());
  }
}

interface BenchStreamOptions {
  readonly protocol: Protocol;
  readonly world: World;
  readonly call: ServerDuplexStream<Buffer, Buffer>;
  readonly fault: (response: SentResponse) => Fault;
  readonly cut: () => void;
}

export class BenchStream {
  readonly session: ControlPlaneSession;
  readonly #options: BenchStreamOptions;
  #isOver = false;
  #held: SentResponse | undefined;

  constructor(options: BenchStreamOptions) {
    this.#options = options;
    this.session = new ControlPlaneSession(options.protocol, options.world, (response) => this.#onResponse(response));
  }

  /** Sends what the session knows nothing of. */
  respond(response: SentResponse): void {
    if (!this.#isOver) this.#options.call.write(Buffer.from(writeResponse(this.#options.protocol, response)));
  }

  end(): void {
    this.#isOver = true;
    this.#options.call.end();
  }

  fail(): void {
    this.#isOver = true;
    this.#options.call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'a fault of the test' });
  }

  #onResponse(response: SentResponse): void {
    if (this.#isOver) return;
    switch (this.#options.fault(response)) {
      case 'cut':
        this.#isOver = true;
        this.#options.cut();
        return;
      case 'fail':
        this.fail();
        return;
      case 'end':
        this.end();
        return;
      case 'swallow':
        return;
      case 'hold':
        this.#held = response;
        return;
      case 'twice':
        this.session.expectAgain(response);
        this.respond(response);
    }
    const held = this.#held;
    this.#held = undefined;
    const isLate = held !== undefined && held.type === response.type;
    if (held !== undefined && isLate) this.respond(held);
    this.respond(response);
    if (held !== undefined && !isLate) this.respond(held);
  }
}

/** A control plane that is gone with the test. */
export async function startControlPlane(
  t: Test,
): Promise<{ readonly bench: ControlPlaneBench; readonly port: number }> {
  const bench = new ControlPlaneBench();
  t.teardown(() => bench.close());
  return { bench, port: await bench.listen() };
}
