// Whatever two sides of a connection do and in whatever order, plain or under TLS: each receives exactly what the other sent
// before its end, in order, and is told of one end.

import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { connectedStreams, type RecordingHandler, startReactor, turns } from '../../support/reactor-fixtures.ts';
import { certified, TLS_VERSIONS, tlsStreams } from '../../support/tls-streams.ts';

type Action =
  | { readonly kind: 'write'; readonly length: number }
  | { readonly kind: 'consume'; readonly share: number }
  | { readonly kind: 'pause' | 'resume' | 'turn' | 'end' };

interface Step {
  /** 0 connected, 1 accepted. */
  readonly side: 0 | 1;
  readonly action: Action;
}

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('write' as const), length: fc.integer({ min: 1, max: 400_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('consume' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const, 'turn' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const) }) },
);
const steps = fc.array(fc.record({ side: fc.constantFrom(0 as const, 1 as const), action }), { maxLength: 30 });

const mesh = certified(t);
type Pair = (t: Test, reactor: Reactor) => Promise<[RecordingHandler, RecordingHandler]>;
const pairs: [string, Pair][] = [
  ['plain', connectedStreams],
  ...TLS_VERSIONS.map((version): [string, Pair] => [
    version,
    (t, reactor) => tlsStreams(t, reactor, mesh, { version }),
  ]),
];

for (const [name, pair] of pairs) {
  t.test(`${name}: two sides that end in order have all bytes and one end each`, async (t) => {
    const reactor = startReactor(t);
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const [sides, sent] = await play(await pair(t, reactor), reactor, steps);
        for (const side of sides) finishReading(side);
        for (const side of sides) side.stream.endWriting();
        await Promise.all([sides[0].saw('closed'), sides[1].saw('closed')]);
        await turns(reactor, 1);
        for (const side of [0, 1] as const) {
          const { text, events } = sides[side];
          equal(text, sent[1 - side]!, `what side ${side} received`);
          equal(events.filter((event) => event === 'end').length, 1, 'one end');
          equal(events.filter((event) => event.startsWith('closed')).length, 1, 'one close');
          equal(events.at(-1), 'closed remote', 'the close is last');
        }
      }),
      { numRuns: 60, seed: 20261121 },
    );
  });

  t.test(`${name}: a reset leaves the other side with what was sent before, cut, and one error`, async (t) => {
    const reactor = startReactor(t);
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(0 as const, 1 as const), async (steps, resetter) => {
        const [sides, sent] = await play(await pair(t, reactor), reactor, steps);
        const other = sides[1 - resetter]!;
        finishReading(other);
        if (sides.some(({ stream }) => stream.isClosed)) return;
        sides[resetter].stream.reset();
        await Promise.all([sides[0].saw('closed'), sides[1].saw('closed')]);
        await turns(reactor, 1);
        equal(sides[resetter].events.at(-1), 'closed local', 'who resets');
        equal(other.events.at(-1)!.startsWith('closed error'), true, `who is reset: ${other.events.at(-1)}`);
        equal(sent[resetter].startsWith(other.text), true, 'nothing but what was sent');
        for (const { events } of sides)
          equal(events.filter((event) => event.startsWith('closed')).length, 1, 'one close');
      }),
      { numRuns: 60, seed: 20261121 },
    );
  });
}

type Sides = [RecordingHandler, RecordingHandler];

/** Plays the steps on `sides`. Returns them with what each has sent. */
async function play(sides: Sides, reactor: Reactor, steps: readonly Step[]): Promise<[Sides, [string, string]]> {
  const sent: [string, string] = ['', ''];
  const hasEnded = [false, false];
  let salt = 0;
  for (const { side, action } of steps) {
    const { stream } = sides[side];
    if (action.kind === 'turn') {
      await turns(reactor, 1);
    } else if (action.kind === 'write') {
      const text = String.fromCharCode(97 + (salt++ % 26)).repeat(action.length - 1) + (salt % 10);
      sides[side].write(text);
      if (!hasEnded[side]) sent[side] += text;
    } else if (action.kind === 'consume') {
      sides[side].consume = (text) => Math.ceil(text.length * action.share);
    } else if (action.kind === 'end') {
      stream.endWriting();
      hasEnded[side] = true;
    } else if (action.kind === 'pause') {
      stream.pauseReading();
    } else {
      stream.resumeReading();
    }
  }
  return [sides, sent];
}

/** Takes everything from now on. */
function finishReading(side: RecordingHandler): void {
  side.consume = undefined;
  side.stream.resumeReading();
}

function equal<T>(actual: T, expected: T, what: string): void {
  if (actual === expected) return;
  const show = (value: T) =>
    typeof value === 'string' && value.length > 100 ? `${value.length} bytes` : String(value);
  throw new Error(`${what}: ${show(actual)} instead of ${show(expected)}`);
}
