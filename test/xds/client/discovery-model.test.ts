// A client and a control plane that know nothing of each other but the protocol, over streams that are slow and break at
// any message: in the end the client holds what the control plane has, and broke no rule on the way. Large responses are
// prepared in slices, between which all else happens.

import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DiscoveryClient } from '../../../xds/client/discovery-client.ts';
import type { DiscoveryStreamEvents, DiscoveryTransport } from '../../../xds/client/transport.ts';
import { ControlPlaneSession, type World } from '../../support/control-plane-session.ts';
import { HandClock, RecordingConsumer } from '../../support/discovery-fixtures.ts';
import {
  clusterType,
  endpointType,
  type Protocol,
  writeNode,
  writeResponse,
} from '../../support/discovery-messages.ts';

type Step =
  | { readonly kind: 'set'; readonly type: string; readonly name: string; readonly version: string }
  | { readonly kind: 'delete' | 'subscribe' | 'unsubscribe'; readonly type: string; readonly name: string }
  | { readonly kind: 'cut' | 'turn' | 'to client' | 'to server' | 'refuse' };

const types = [clusterType, endpointType];
const type = fc.constantFrom(...types);
const name = fc.constantFrom('a', 'b', 'c');

const kinds = ['cut', 'refuse', 'turn', 'turn', 'to client', 'to client', 'to server', 'to server'] as const;
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), type, name, version: fc.constantFrom('1', '2', '3') }),
  fc.record({ kind: fc.constantFrom('delete' as const, 'subscribe' as const, 'unsubscribe' as const), type, name }),
  fc.record({ kind: fc.constantFrom(...kinds) }),
);

/** One stream at a time, whose messages wait until they are delivered. */
class SlowTransport implements DiscoveryTransport {
  readonly target = 'a model';
  readonly #protocol: Protocol;
  readonly #world: World;
  readonly #text: string;
  session: ControlPlaneSession;
  readonly violations: string[] = [];
  #events: DiscoveryStreamEvents | null = null;
  readonly #toClient: Uint8Array[] = [];
  readonly #toServer: Uint8Array[] = [];

  /** Each resource has `text`. */
  constructor(protocol: Protocol, world: World, text: string) {
    this.#protocol = protocol;
    this.#world = world;
    this.#text = text;
    this.session = this.#newSession();
  }

  open(events: DiscoveryStreamEvents) {
    this.#events = events;
    this.session = this.#newSession();
    return {
      send: (encode: () => Uint8Array) => {
        this.#toServer.push(encode());
      },
      cancel: () => this.#forget(),
    };
  }

  close(): void {}

  /** False when nothing was under way. */
  deliver(direction: 'to client' | 'to server'): boolean {
    if (direction === 'to client') {
      const message = this.#toClient.shift();
      if (message !== undefined) this.#events?.onMessage(message);
      return message !== undefined;
    }
    const message = this.#toServer.shift();
    if (message !== undefined) this.session.onRequest(message);
    this.violations.push(...this.session.violations.splice(0));
    return message !== undefined;
  }

  cut(): void {
    const events = this.#events;
    this.#forget();
    events?.onEnd({ code: 14, reason: 'cut' });
  }

  #forget(): void {
    this.#events = null;
    this.#toClient.length = 0;
    this.#toServer.length = 0;
  }

  #newSession(): ControlPlaneSession {
    return new ControlPlaneSession(this.#protocol, this.#world, ({ resources = [], ...rest }) => {
      const response = { ...rest, resources: resources.map((each) => ({ ...each, text: this.#text })) };
      this.#toClient.push(Buffer.from(writeResponse(this.#protocol, response)));
    });
  }
}

/** Each step of preparing a response takes as long as a slice; none are small ones, which are not prepared. */
function model(protocol: Protocol, slices: number) {
  const world: World = new Map(types.map((type) => [type, new Map<string, string>()]));
  const transport = new SlowTransport(protocol, world, slices === 0 ? '' : 'x'.repeat(32 * 1024));
  const time = new HandClock();
  const consumers = types.map((type) => new RecordingConsumer(type));
  for (const consumer of consumers) consumer.prepare = () => slowSteps(time, slices);
  const client = new DiscoveryClient({
    name: 'ads',
    protocol,
    node: writeNode('me'),
    setNodeOnFirstMessageOnly: true,
    transport,
    consumers,
    clock: time.clock,
    schedule: time.schedule,
    defer: time.defer,
    random: () => 0,
    log: () => {},
  });
  const wanted = new Map(types.map((type) => [type, new Set<string>(type === clusterType ? ['*'] : [])]));
  client.subscribe(clusterType, '*', 0);
  client.start();
  return { world, transport, time, consumers, client, wanted };
}

function* slowSteps(time: HandClock, steps: number): Generator<void> {
  for (let step = 0; step < steps; step++) {
    time.nowMs += 10;
    yield;
  }
}

type Model = ReturnType<typeof model>;

const effects: { readonly [K in Step['kind']]: (running: Model, step: Extract<Step, { kind: K }>) => void } = {
  set({ world, transport }, { type, name, version }) {
    world.get(type)!.set(name, version);
    transport.session.onChange();
  },
  delete({ world, transport }, { type, name }) {
    world.get(type)!.delete(name);
    transport.session.onChange();
  },
  subscribe({ client, wanted }, { type, name }) {
    wanted.get(type)!.add(name);
    client.subscribe(type, name, 0);
  },
  unsubscribe({ client, wanted, consumers }, { type, name }) {
    const names = wanted.get(type)!;
    names.delete(name);
    // Who lets go of a name forgets it at once or, as with `c`, not.
    if (!names.has('*') && name !== 'c')
      consumers.find((consumer) => consumer.type.typeUrl === type)!.held.delete(name);
    client.unsubscribe(type, name);
  },
  cut({ transport, time }) {
    transport.cut();
    time.advance(0);
  },
  turn: ({ time }) => time.endTurn(),
  'to client': ({ transport }) => void transport.deliver('to client'),
  'to server': ({ transport }) => void transport.deliver('to server'),
  refuse({ consumers }) {
    for (const consumer of consumers) consumer.refuses.set('a', [{ path: '', message: 'no' }]);
  },
};

function take(running: Model, step: Step): void {
  const effect = effects[step.kind] as (running: Model, step: Step) => void;
  effect(running, step);
}

const mostSlices = 3;

/** Delivers all, with nothing refused any more. */
function settle(running: Model, wasRefused: boolean): void {
  const { transport, time, consumers } = running;
  for (const consumer of consumers) consumer.refuses.clear();
  // What was refused is not sent again before it changes, or to a new stream that does not name it.
  if (wasRefused) take(running, { kind: 'cut' });
  do for (let turn = 0; turn < mostSlices * 8; turn++) time.endTurn();
  while (transport.deliver('to server') || transport.deliver('to client'));
}

for (const protocol of ['delta', 'state-of-the-world'] as const) {
  t.test(`${protocol}: the client ends with what the control plane has, whatever happens between`, async () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.nat(mostSlices), (steps, slices) => {
        const running = model(protocol, slices);
        for (const step of steps) take(running, step);
        settle(
          running,
          steps.some(({ kind }) => kind === 'refuse'),
        );
        deepStrictEqual(running.transport.violations, []);
        deepStrictEqual(running.transport.session.isSettled, true);
        for (const type of types) checkHeld(running, type, protocol);
      }),
      { numRuns: 500 },
    );
  });
}

/** A state-of-the-world response has no versions of single resources, and cannot say that an assignment is gone. */
function checkHeld({ world, consumers, wanted }: Model, type: string, protocol: Protocol): void {
  const names = wanted.get(type)!;
  const there = world.get(type)!;
  const { held } = consumers.find((consumer) => consumer.type.typeUrl === type)!;
  const mayStay = protocol === 'state-of-the-world' && type === endpointType;
  const text = ([name, version]: readonly [string, string]) => (protocol === 'delta' ? `${name}@${version}` : name);
  const isWanted = ([name]: readonly [string, string]) => names.has('*') || names.has(name);
  const known = [...held].filter((entry) => isWanted(entry) && !(mayStay && !there.has(entry[0])));
  deepStrictEqual(known.map(text).sort(), [...there].filter(isWanted).map(text).sort());
}
