// Wherever the slices of large responses end, of decoding and of taking over: what is held, what its users were given, in
// which order, and what the control plane was answered is the same as without slices.

import { deepStrictEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Problems } from '../../../config/problems.ts';
import { DiscoveryClient } from '../../../xds/client/discovery-client.ts';
import { LongTurns } from '../../../xds/client/long-turns.ts';
import { ResourceSet } from '../../../xds/resource/resource-set.ts';
import { HandClock, PlayedTransport, playedClient } from '../../support/discovery-fixtures.ts';
import {
  clusterType,
  endpointType,
  type Protocol,
  type SentResource,
  type SentResponse,
  writeNode,
} from '../../support/discovery-messages.ts';

type Step =
  | { readonly kind: 'respond'; readonly response: Omit<SentResponse, 'nonce'> }
  | { readonly kind: 'turn' }
  | { readonly kind: 'end' };

const nameOf = (message: Uint8Array) => Buffer.from(message).toString().split(' ')[0]!;

/** Some are wrong, some are refused by who uses them, some are large. */
const resource: fc.Arbitrary<SentResource> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    version: fc.constantFrom('1', '2'),
    word: fc.constantFrom('good', 'good', 'better', 'wrong', 'taken'),
    size: fc.constantFrom(0, 12_000),
    kind: fc.constantFrom('full' as const, 'full' as const, 'full' as const, 'heartbeat' as const),
  })
  .map(({ name, version, word, size, kind }) =>
    kind === 'heartbeat'
      ? { name, version, isHeartbeat: true }
      : { name, version, bytes: Buffer.from(`${name} ${word} ${'x'.repeat(size)}`) },
  );

const response: fc.Arbitrary<Omit<SentResponse, 'nonce'>> = fc.record({
  type: fc.constantFrom(clusterType, endpointType),
  version: fc.constantFrom('1', '2', '3'),
  resources: fc.array(resource, { maxLength: 6, size: 'max' }),
  removed: fc.subarray(['a', 'b'], { maxLength: 1 }),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: response.map((each): Step => ({ kind: 'respond', response: each })) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'turn' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'end' }) },
);

/**
 * A set of text. To decode one and to take it over takes the next of `stepsMs` each time. Undefined: no time, and nothing is
 * decoded ahead.
 */
function makeSet(typeUrl: string, time: HandClock, stepsMs: readonly number[] | undefined, turns: LongTurns) {
  const given: string[] = [];
  let steps = 0;
  const pass = (): void => {
    time.nowMs += stepsMs?.[steps++ % stepsMs.length] ?? 0;
  };
  const give = (text: string): void => {
    pass();
    given.push(text);
    turns.defer(() => equal(given.at(-1), '.', 'nobody sees the half of a response'));
  };
  const set = new ResourceSet<string>({
    decoder: {
      type: { typeUrl, shortName: 'x', nameOf },
      isSentUnderOwnName: true,
      isDecodedAhead: stepsMs !== undefined,
      decode(message: Uint8Array, problems: Problems) {
        pass();
        const text = Buffer.from(message).toString().trimEnd();
        if (text.includes('wrong')) problems.at('field').add('is wrong');
        return text;
      },
    },
    user: {
      set({ name, value }, problems) {
        if (value.includes('taken')) problems.at('address').add('is taken');
        else give(`${name}=${value.slice(0, 10)}`);
      },
      remove(name) {
        give(`-${name}`);
        return 'gone';
      },
      onAnswer: () => given.push('.'),
      stateOf: () => 'active',
    },
    clock: () => 0,
  });
  return { set, given };
}

function start(protocol: Protocol, stepsMs: readonly number[] | undefined) {
  const time = new HandClock();
  const transport = new PlayedTransport(protocol);
  const turns = new LongTurns(time.defer);
  const sets = [clusterType, endpointType].map((type) => makeSet(type, time, stepsMs, turns));
  const client = new DiscoveryClient({
    name: 'ads',
    protocol,
    node: writeNode('me'),
    setNodeOnFirstMessageOnly: true,
    transport,
    consumers: sets.map(({ set }) => set),
    clock: time.clock,
    schedule: time.schedule,
    defer: time.defer,
    turns,
    random: () => 0,
    log: () => {},
  });
  for (const type of [clusterType, endpointType]) client.subscribe(type, '*', 0);
  client.start();
  const outcome = () => ({
    held: sets.map(({ set }) => [...set.heldVersions()]),
    given: sets.map(({ given }) => given),
  });
  return { time, transport, outcome };
}

type Running = ReturnType<typeof start>;

function take({ time, transport }: Running, step: Step, index: number): void {
  if (step.kind === 'turn') time.endTurn();
  else if (step.kind === 'respond') transport.last.respond({ ...step.response, nonce: `n${index}` });
  else {
    transport.last.end();
    time.advance(60_000);
  }
}

/** Streams end when all was answered. */
function run(protocol: Protocol, steps: readonly Step[], stepsMs: readonly number[] | undefined) {
  const running = start(protocol, stepsMs);
  const answers: unknown[] = [];
  const answer = (): void => {
    for (let turn = 0; turn < mostTurns; turn++) running.time.endTurn();
    answers.push(running.transport.last.take());
  };
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'end') answer();
    take(running, step, index);
  }
  answer();
  return { answers, ...running.outcome() };
}

/** For all the slices of one run. */
const mostTurns = 400;

for (const protocol of ['delta', 'state-of-the-world'] as const) {
  t.test(`${protocol}: what slices end with is what comes without them`, async () => {
    const stepsMs = fc.array(fc.nat(4), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25, size: 'max' }), stepsMs, (steps, each) => {
        deepStrictEqual(run(protocol, steps, each), run(protocol, steps, undefined));
      }),
      { numRuns: 200 },
    );
  });
}

t.test('a stream that ends in the middle of slices loses nothing that came whole', async () => {
  fc.assert(
    fc.property(fc.array(response, { minLength: 1, maxLength: 6 }), fc.nat(6), (responses, turns) => {
      const steps: Step[] = responses.map((each) => ({ kind: 'respond', response: each }));
      const waiting = Array.from({ length: turns }, (): Step => ({ kind: 'turn' }));
      const cut = start('delta', [5]);
      for (const [index, step] of [...steps, ...waiting, { kind: 'end' } as const].entries()) take(cut, step, index);
      const { held, given } = cut.outcome();
      const whole = run('delta', steps, undefined);
      deepStrictEqual([held, given], [whole.held, whole.given]);
      const told = cut.transport.last.requests.map(({ initialVersions }) => Object.entries(initialVersions).sort());
      deepStrictEqual(
        told,
        held.map((entries) => [...entries].sort()),
        'and the next stream says so',
      );
    }),
    { numRuns: 200 },
  );
});

function started(protocol: Protocol) {
  const played = playedClient(protocol, [clusterType, endpointType]);
  played.client.subscribe(clusterType, '*', 0);
  played.client.start();
  return { ...played, stream: played.transport.last, clusters: played.consumers.get(clusterType)! };
}

/** More than a slice each. */
function* slowSteps(time: HandClock, steps: number): Generator<void> {
  for (let step = 0; step < steps; step++) {
    time.nowMs += 10;
    yield;
  }
}

/** Large enough to be prepared. */
function large(nonce: string, version: string): SentResponse {
  return { type: clusterType, nonce, version, resources: [{ name: 'a', version, text: 'x'.repeat(40_000) }] };
}

for (const protocol of ['delta', 'state-of-the-world'] as const) {
  t.test(
    `${protocol}: a large response is answered behind its steps, and none of another type overtakes it`,
    async (t) => {
      const { client, stream, time, clusters, consumers } = started(protocol);
      client.subscribe(endpointType, 'e', 0);
      time.endTurn();
      stream.take();
      clusters.prepare = () => slowSteps(time, 2);
      const answered = () => stream.take().map(({ nonce }) => nonce);
      stream.respond(large('n1', '1'));
      time.endTurn();
      stream.respond({ type: endpointType, nonce: 'n2', version: '1', resources: [{ name: 'e', version: '1' }] });
      t.same([answered(), clusters.take()], [[], []]);
      time.endTurn();
      t.same([answered(), consumers.get(endpointType)!.take()], [[], []]);
      time.endTurn();
      t.same([answered(), clusters.take()], [['n1'], ['+a@1']]);
      time.endTurn();
      t.same([answered(), consumers.get(endpointType)!.take()], [['n2'], ['+e@1']]);
      stream.respond({ type: clusterType, nonce: 'n3', version: '2', resources: [{ name: 'a', version: '2' }] });
      t.same([answered(), clusters.take()], [['n3'], ['+a@2']], 'a small one is not prepared');
    },
  );

  t.test(
    `${protocol}: names are subscribed to while a response is prepared, and it is answered on its own`,
    async (t) => {
      const { client, stream, time, clusters } = started(protocol);
      stream.take();
      clusters.prepare = () => slowSteps(time, 2);
      stream.respond(large('n1', '1'));
      time.endTurn();
      client.subscribe(endpointType, 'e', 0);
      time.endTurn();
      t.same(
        stream.take().map(({ type, nonce }) => [type, nonce]),
        [[endpointType, undefined]],
      );
      time.endTurn();
      t.same(
        stream.take().map(({ type, nonce }) => [type, nonce]),
        [[clusterType, 'n1']],
      );
    },
  );

  t.test(
    `${protocol}: what is subscribed to while a response is taken over is asked for behind its answer, at once`,
    async (t) => {
      const { client, stream, time, clusters } = started(protocol);
      stream.take();
      clusters.takeOver = function* (update) {
        for (const name of ['e', 'f', 'g']) {
          client.subscribe(endpointType, name, 0);
          time.nowMs += 10;
          yield;
        }
        return clusters.onUpdate(update);
      };
      stream.respond(large('n1', '1'));
      for (let turn = 0; turn < 3; turn++) time.endTurn();
      t.same([stream.take(), clusters.take()], [[], []]);
      for (let turn = 0; turn < 4; turn++) time.endTurn();
      const [answer, ...others] = stream.take();
      t.match(answer, { type: clusterType, nonce: 'n1' });
      const asked = { [protocol === 'delta' ? 'subscribe' : 'names']: ['e', 'f', 'g'] };
      t.same(others, [{ type: endpointType, ...asked }]);
      t.same(clusters.take(), ['+a@1']);
    },
  );

  t.test(
    `${protocol}: what is taken over in part when the client stops is taken over whole, and not answered`,
    async (t) => {
      const { client, stream, time, clusters } = started(protocol);
      stream.take();
      clusters.takeOver = function* (update) {
        yield* slowSteps(time, 3);
        return clusters.onUpdate(update);
      };
      stream.respond(large('n1', '1'));
      stream.respond(large('n2', '2'));
      time.endTurn();
      time.endTurn();
      t.same(clusters.take(), []);
      client.stop();
      t.same(clusters.take(), ['+a@1']);
      for (let turn = 0; turn < 9; turn++) time.endTurn();
      t.same([stream.take(), clusters.take()], [[], []]);
    },
  );

  t.test(`${protocol}: a consumer may stop the client while it takes over, and does so whole`, async (t) => {
    for (const stepsBefore of [0, 1]) {
      const { client, stream, time, clusters } = started(protocol);
      stream.take();
      clusters.takeOver = function* (update) {
        yield* slowSteps(time, stepsBefore);
        client.stop();
        yield* slowSteps(time, 3);
        return clusters.onUpdate(update);
      };
      stream.respond(large('n1', '1'));
      stream.respond(large('n2', '2'));
      for (let turn = 0; turn < 9; turn++) time.endTurn();
      t.same([stream.take(), clusters.take()], [[], ['+a@1']]);
    }
  });

  t.test(`${protocol}: what came whole is held when its stream ends in the middle of its steps`, async (t) => {
    const { stream, transport, time, clusters } = started(protocol);
    stream.take();
    clusters.prepare = () => slowSteps(time, 9);
    stream.respond(large('n1', '1'));
    time.endTurn();
    stream.end();
    t.same([stream.take(), clusters.take()], [[], ['+a@1']]);
    time.advance(30_000);
    const [first] = transport.last.take();
    if (protocol === 'delta') t.same(first?.initialVersions, { a: '1' });
    else t.equal(first?.version, '1');
    t.same(clusters.take(), [], 'once');
  });

  t.test(`${protocol}: of what is prepared when the client stops nothing is told`, async (t) => {
    const { client, stream, time, clusters } = started(protocol);
    stream.take();
    clusters.prepare = () => slowSteps(time, 3);
    stream.respond(large('n1', '1'));
    time.endTurn();
    client.stop();
    for (let turn = 0; turn < 9; turn++) time.endTurn();
    t.same([stream.take(), clusters.take()], [[], []]);
  });
}
