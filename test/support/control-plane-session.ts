// A control plane's side of one stream, which serves a world of resources and writes down every request that breaks a
// rule of the protocol. Servers in the field forgive some of them, each of them others.

import { type Protocol, readRequest, type SeenRequest, type SentResponse } from './discovery-messages.ts';

/** Versions by type URL and name. */
export type World = Map<string, Map<string, string>>;

export class ControlPlaneSession {
  /** What the client did that no client may do. */
  readonly violations: string[] = [];
  /** Nonces and errors of refused responses. */
  readonly refusals: string[] = [];
  readonly #protocol: Protocol;
  readonly #world: World;
  readonly #send: (response: SentResponse) => void;
  readonly #types = new Map<string, TypeState>();
  #nonces = 0;

  constructor(protocol: Protocol, world: World, send: (response: SentResponse) => void) {
    this.#protocol = protocol;
    this.#world = world;
    this.#send = send;
  }

  onRequest(message: Uint8Array): void {
    const request = readRequest(this.#protocol, message);
    this.#expect((this.#types.size === 0) === (request.node !== ''), `node ${request.node || 'missing'}`);
    const state = this.#types.get(request.type);
    if (state === undefined) this.#onFirst(request);
    else if (this.#protocol === 'delta') this.#onDelta(state, request);
    else this.#onWhole(state, request);
  }

  /** The world is another one. */
  onChange(): void {
    for (const [type, state] of this.#types) this.#push(type, state);
  }

  /** The response goes out once more, and so does its answer. */
  expectAgain({ type, nonce = '' }: SentResponse): void {
    this.#types.get(type)!.unanswered.push(nonce);
  }

  /** Nothing is under way: each response was answered. */
  get isSettled(): boolean {
    return [...this.#types.values()].every(({ unanswered }) => unanswered.length === 0);
  }

  #onFirst(request: SeenRequest): void {
    const { type, nonce, error, unsubscribe, initialVersions } = request;
    const names = this.#protocol === 'delta' ? request.subscribe : request.names;
    this.#expect(nonce === '' && error === undefined, 'a first request that answers');
    this.#expect(unsubscribe.length === 0, 'a first request that lets go');
    this.#expect(names.length > 0 || /(Cluster|Listener)$/.test(type), `an empty first request of ${type}`);
    const subscribed = new Set(names.length === 0 ? ['*'] : names);
    for (const name of Object.keys(initialVersions)) {
      this.#expect(subscribed.has('*') || subscribed.has(name), `a version of ${name}, which is not subscribed to`);
    }
    const state = { subscribed, known: new Map(Object.entries(initialVersions)), unanswered: [], isAnswered: false };
    this.#types.set(type, state);
    this.#push(type, state, true);
  }

  #onDelta(state: TypeState, { type, subscribe, unsubscribe, nonce, error, initialVersions }: SeenRequest): void {
    this.#expect(Object.keys(initialVersions).length === 0, 'versions after the first request');
    if (nonce !== '') {
      this.#onAnswer(state, nonce, error);
      this.#expect(subscribe.length + unsubscribe.length === 0, 'a subscription change in an answer');
      return;
    }
    this.#expect(error === undefined, 'a refusal without a nonce');
    this.#expect(subscribe.length + unsubscribe.length > 0, 'a request that says nothing');
    for (const name of unsubscribe) {
      this.#expect(state.subscribed.delete(name), `letting go of ${name}, which was not subscribed to`);
      if (!state.subscribed.has('*')) state.known.delete(name);
    }
    for (const name of subscribe) {
      const isNew = !state.subscribed.has(name) || name === '*';
      this.#expect(isNew, `subscribing to ${name} again`);
      state.subscribed.add(name);
      state.known.delete(name);
    }
    this.#push(type, state, subscribe.length > 0);
  }

  #onWhole(state: TypeState, { type, names, nonce, error }: SeenRequest): void {
    if (state.unanswered.includes(nonce)) {
      this.#onAnswer(state, nonce, error);
      return;
    }
    this.#expect(error === undefined, 'a refusal of what was not sent');
    const before = [...state.subscribed];
    const isImplied = names.length === 0 && state.subscribed.has('*') && state.subscribed.size === 1;
    state.subscribed = new Set(isImplied ? ['*'] : names);
    for (const name of before) if (!state.subscribed.has(name)) state.known.delete(name);
    this.#push(
      type,
      state,
      [...state.subscribed].some((name) => !before.includes(name)),
    );
  }

  #onAnswer(state: TypeState, nonce: string, error: string | undefined): void {
    this.#expect(state.unanswered[0] === nonce, `an answer to ${nonce} before that to ${state.unanswered[0]}`);
    const index = state.unanswered.indexOf(nonce);
    if (index >= 0) state.unanswered.splice(index, 1);
    if (error !== undefined) this.refusals.push(`${nonce} ${error}`);
  }

  /** Sends what the client does not know; with `isAsked`, also that something is not there. */
  #push(type: string, state: TypeState, isAsked = false): void {
    const there = this.#world.get(type) ?? new Map<string, string>();
    const isWanted = (name: string) => state.subscribed.has('*') || state.subscribed.has(name);
    const wanted = [...there].filter(([name]) => isWanted(name));
    const changed = wanted.filter(([name, version]) => state.known.get(name) !== version);
    const gone = [...state.known.keys()].filter((name) => !there.has(name));
    const missing = isAsked ? [...state.subscribed].filter((name) => name !== '*' && !there.has(name)) : [];
    const removed = [...new Set([...gone, ...missing])];
    const isFirst = !state.isAnswered && state.subscribed.has('*');
    if (changed.length + removed.length === 0 && !isFirst) return;
    state.isAnswered = true;
    state.known = new Map(wanted);
    const nonce = `n${++this.#nonces}`;
    state.unanswered.push(nonce);
    const isWhole = this.#protocol === 'state-of-the-world' && /(Cluster|Listener)$/.test(type);
    const resources = (isWhole ? wanted : changed).map(([name, version]) => ({ name, version, text: version }));
    this.#send({ type, nonce, version: `v${this.#nonces}`, resources, removed });
  }

  #expect(isRight: boolean, violation: string): void {
    if (!isRight) this.violations.push(violation);
  }
}

interface TypeState {
  subscribed: Set<string>;
  /** What the client has or is being sent. */
  known: Map<string, string>;
  unanswered: string[];
  isAnswered: boolean;
}
