// A control plane that writes down all that a client says on its streams, in either protocol. By itself it sends what it has of
// what it is asked for, and every change; anything else it sends and does when it is told to.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { aggregatedMethod } from '../support/control-plane-bench.ts';
import {
  type Protocol,
  readRequest,
  type SeenRequest,
  type SentResource,
  type SentResponse,
  writeResponse,
} from '../support/discovery-messages.ts';

/** Resources by name. Who asks for another one gets no answer. */
export type Offered = ReadonlyMap<string, SentResource>;

/** What it has, by type URL. */
export type World = ReadonlyMap<string, Offered>;

/** Of a step that says something else: one that is right ends as soon as it is. */
const longestStepMs = 60_000;

type Call = ServerDuplexStream<Buffer, Buffer>;

export class RecordingControlPlane {
  /** Of each stream, for each request: whether it had the node. */
  readonly nodes: boolean[][] = [];
  /** Lines by type URL. */
  readonly #said = new Map<string, string[]>();
  #onRequest: () => void = () => undefined;
  readonly #protocol: Protocol;
  readonly #grpc = new Server();
  readonly #injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
  readonly #sockets = new Set<Socket>();
  readonly #listener = createServer((socket) => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#injector.injectConnection(socket);
  });
  readonly #offered: OfferedState = { world: new Map(), versions: new Map() };
  #stream: RecordedStream | null = null;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    const asIs = (bytes: Buffer): Buffer => bytes;
    const shape = { requestStream: true, responseStream: true, requestSerialize: asIs, requestDeserialize: asIs };
    const path = aggregatedMethod[protocol];
    const definition = { stream: { path, ...shape, responseSerialize: asIs, responseDeserialize: asIs } };
    this.#grpc.addService(definition, { stream: (call: Call) => this.#serve(call) });
  }

  async listen(): Promise<number> {
    this.#listener.listen(0, '127.0.0.1');
    await once(this.#listener, 'listening');
    return (this.#listener.address() as AddressInfo).port;
  }

  /**
   * What was said since the last call, by type, as soon as it is `wanted`, or after a time. Lines of a type are in the order of
   * the alphabet: those that answer do not wait for those that ask.
   */
  async said(wanted: string, labelOf: (typeUrl: string) => string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const look = (isLast: boolean): void => {
      const types = [...this.#said].map(([typeUrl, lines]) => `${labelOf(typeUrl)}: ${lines.toSorted().join(', ')}`);
      const text = types.sort().join('; ');
      if (text !== wanted && !isLast) return;
      this.#said.clear();
      resolve(text);
    };
    this.#onRequest = () => look(false);
    const timer = setTimeout(() => look(true), longestStepMs);
    look(false);
    await promise;
    clearTimeout(timer);
    this.#onRequest = () => undefined;
    return promise;
  }

  /** What changed is sent; a type whose resources are the same map is not looked at. */
  offer(world: World): void {
    const { world: before, versions } = this.#offered;
    this.#offered.world = world;
    for (const [typeUrl, now] of world) {
      const old = before.get(typeUrl) ?? new Map();
      if (old === now) continue;
      versions.set(typeUrl, (versions.get(typeUrl) ?? 0) + 1);
      this.#stream?.onChange(typeUrl, old, now);
    }
  }

  /** Of what it has of a type. */
  versionOf(typeUrl: string): string {
    return versionIn(this.#offered, typeUrl);
  }

  /** Said by nobody's asking. */
  send(response: SentResponse): void {
    this.#stream?.send(response);
  }

  /** Breaks the connection; the next one is taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends the stream with a status, or in order. */
  end(how: 'in order' | 'by status'): void {
    this.#stream?.end(how);
  }

  close(): void {
    this.#listener.close();
    this.cut();
    this.#injector.destroy();
    this.#grpc.forceShutdown();
  }

  #serve(call: Call): void {
    const stream = new RecordedStream(this.#protocol, call, this.#offered);
    const nodes: boolean[] = [];
    this.nodes.push(nodes);
    this.#stream = stream;
    call.on('data', (bytes: Buffer) => {
      const request = readRequest(this.#protocol, bytes);
      nodes.push(request.node !== '');
      this.#said.set(request.type, [...(this.#said.get(request.type) ?? []), stream.describe(request)]);
      stream.onRequest(request);
      this.#onRequest();
    });
    // The client is gone, or its connection was cut.
    call.on('error', () => undefined);
    call.on('end', () => call.end());
  }
}

interface OfferedState {
  world: World;
  /** How often each type was changed. */
  readonly versions: Map<string, number>;
}

interface TypeState {
  names: ReadonlySet<string>;
  isWildcard: boolean;
  /** In their order; what was answered is not in it any more. */
  readonly unanswered: string[];
}

class RecordedStream {
  readonly #protocol: Protocol;
  readonly #call: Call;
  readonly #offered: OfferedState;
  readonly #types = new Map<string, TypeState>();
  #nonces = 0;

  constructor(protocol: Protocol, call: Call, offered: OfferedState) {
    this.#protocol = protocol;
    this.#call = call;
    this.#offered = offered;
  }

  /**
   * `first +a +b held a=1`, `ack`, `nack`, `-a`; in the state of the world `asks [a b] version 1` where nothing is answered.
   * Names are sorted, as their order says nothing.
   */
  describe({ type, nonce, error, version, names, subscribe, unsubscribe, initialVersions }: SeenRequest): string {
    const unanswered = this.#types.get(type)?.unanswered;
    const words: string[] = [];
    if (unanswered === undefined) words.push('first');
    if (unanswered?.includes(nonce)) {
      words.push(error === undefined ? 'ack' : 'nack');
      if (unanswered[0] !== nonce) words.push('out of turn');
    } else if (error !== undefined) words.push('error out of turn');
    else if (this.#protocol === 'delta' && nonce !== '') words.push('ack out of turn');
    else if (this.#protocol === 'state-of-the-world' && unanswered !== undefined) words.push('asks');
    if (this.#protocol === 'state-of-the-world') words.push(`[${[...names].sort().join(' ')}]`);
    if (version !== '') words.push(`version ${version}`);
    words.push(
      ...[...subscribe].sort().map((name) => `+${name}`),
      ...[...unsubscribe].sort().map((name) => `-${name}`),
    );
    const held = Object.entries(initialVersions).map(([name, value]) => `${name}=${value}`);
    if (held.length > 0) words.push('held', ...held.sort());
    return words.join(' ') || 'says nothing';
  }

  onRequest(request: SeenRequest): void {
    const state = this.#types.get(request.type);
    if (state === undefined) this.#onFirst(request);
    else if (this.#protocol === 'delta') this.#onDelta(state, request);
    else this.#onWhole(state, request);
  }

  onChange(typeUrl: string, before: Offered, now: Offered): void {
    const state = this.#types.get(typeUrl);
    if (state === undefined || before === now) return;
    const isWanted = (name: string): boolean => state.isWildcard || state.names.has(name);
    const changed = [...now].filter(([name, resource]) => isWanted(name) && before.get(name) !== resource);
    const gone = [...before.keys()].filter((name) => isWanted(name) && !now.has(name));
    if (changed.length + gone.length > 0) this.#give(typeUrl, state, [...changed.map(([name]) => name), ...gone]);
  }

  send(response: SentResponse): void {
    const nonce = response.nonce ?? `n${++this.#nonces}`;
    const state = this.#types.get(response.type);
    if (nonce !== '') state?.unanswered.push(nonce);
    this.#call.write(Buffer.from(writeResponse(this.#protocol, { ...response, nonce })));
  }

  end(how: 'in order' | 'by status'): void {
    if (how === 'in order') this.#call.end();
    else this.#call.emit('error', { code: status.UNAVAILABLE, details: 'is told to' });
  }

  #onFirst({ type, subscribe, names, initialVersions, version }: SeenRequest): void {
    const asked = new Set(this.#protocol === 'delta' ? subscribe : names);
    const isWildcard = asked.size === 0 || asked.has('*');
    const state: TypeState = { names: asked, isWildcard, unanswered: [] };
    this.#types.set(type, state);
    const offered = this.#offered.world.get(type) ?? new Map();
    const wanted = isWildcard ? [...new Set([...offered.keys(), ...asked])].filter((name) => name !== '*') : [...asked];
    // What the client says that it has is not sent, as by servers in the field.
    if (version === versionIn(this.#offered, type)) return;
    const missing = wanted.filter((name) => initialVersions[name] !== (offered.get(name)?.version ?? 'none'));
    const gone = Object.keys(initialVersions).filter((name) => !offered.has(name));
    if (isWildcard || missing.some((name) => offered.has(name))) this.#give(type, state, [...missing, ...gone]);
  }

  #onDelta(state: TypeState, { type, subscribe, unsubscribe, nonce }: SeenRequest): void {
    if (nonce !== '') this.#settle(state, nonce);
    const names = new Set(state.names);
    for (const name of unsubscribe) names.delete(name);
    for (const name of subscribe) names.add(name);
    state.names = names;
    if (unsubscribe.includes('*')) state.isWildcard = false;
    if (subscribe.includes('*')) state.isWildcard = true;
    this.#answer(type, state, subscribe);
  }

  #onWhole(state: TypeState, { type, names, nonce }: SeenRequest): void {
    this.#settle(state, nonce);
    const added = names.filter((name) => !state.names.has(name));
    const isImplied = names.length === 0 && state.isWildcard && state.names.size === 0;
    state.names = new Set(names);
    state.isWildcard = isImplied || state.names.has('*');
    this.#answer(type, state, added);
  }

  #settle(state: TypeState, nonce: string): void {
    const index = state.unanswered.indexOf(nonce);
    if (index >= 0) state.unanswered.splice(0, index + 1);
  }

  #answer(type: string, state: TypeState, asked: readonly string[]): void {
    const offered = this.#offered.world.get(type);
    const there = asked.filter((name) => offered?.has(name) === true);
    if (there.length > 0) this.#give(type, state, there);
  }

  #give(type: string, state: TypeState, names: readonly string[]): void {
    const offered: Offered = this.#offered.world.get(type) ?? new Map();
    const isWhole = this.#protocol === 'state-of-the-world';
    const isWanted = (name: string): boolean => state.isWildcard || state.names.has(name);
    const given = isWhole ? [...offered.keys()].filter(isWanted) : names;
    const resources = given.flatMap((name) => offered.get(name) ?? []);
    const removed = isWhole ? [] : given.filter((name) => !offered.has(name));
    this.send({ type, version: versionIn(this.#offered, type), resources, removed });
  }
}

function versionIn({ versions }: OfferedState, type: string): string {
  return `${versions.get(type) ?? 0}`;
}
