import t from 'tap';
import type { Identity, IdentitySource } from '../../../xds/identity/identity.ts';
import { IdentityKeeper } from '../../../xds/identity/identity-keeper.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

/** Answers as it is told to. */
class PlayedSource implements IdentitySource {
  readonly name = 'a played CA';
  requests = 0;
  #answer: ((identity: Identity | Error) => void) | undefined;

  async request(): Promise<Identity> {
    this.requests++;
    const { promise, resolve } = Promise.withResolvers<Identity | Error>();
    this.#answer = resolve;
    const answer = await promise;
    if (answer instanceof Error) throw answer;
    return answer;
  }

  async answer(answer: Identity | Error): Promise<void> {
    this.#answer!(answer);
    // The keeper hears of it some promises later.
    await new Promise(setImmediate);
  }
}

function keep(random = 0.5) {
  const clock = new HandClock();
  const source = new PlayedSource();
  const lines: string[] = [];
  const received: string[] = [];
  const keeper = new IdentityKeeper({
    source,
    clock: clock.clock,
    schedule: clock.schedule,
    random: () => random,
    log: (level, text, facts) => lines.push(`${level} ${text} ${JSON.stringify(facts)}`),
  });
  const identity = (name: string, lifeMs: number): Identity => ({
    certificateChain: name,
    privateKey: 'the key',
    roots: 'R',
    notAfterMs: clock.nowMs + lifeMs,
  });
  keeper.subscribe(({ certificateChain }) => received.push(certificateChain));
  keeper.start();
  return { clock, source, keeper, lines, received, identity };
}

t.test('the next identity is asked for at half of the life of the one that is held', async (t) => {
  const { clock, source, received, identity } = keep();
  await source.answer(identity('first', 10_000));
  t.same(clock.waits, [5000]);
  clock.advance(4999);
  t.equal(source.requests, 1);
  clock.advance(1);
  t.equal(source.requests, 2);
  await source.answer(identity('second', 10_000));
  t.same(received, ['first', 'second']);
});

t.test('chance moves the renewal by a tenth of the life, so that a rollout does not ask at once', async (t) => {
  for (const [random, expected] of [
    [0, 4500],
    [0.999999, 5500],
  ] as const) {
    const { clock, source, identity } = keep(random);
    await source.answer(identity('first', 10_000));
    t.equal(Math.round(clock.waits[0]!), expected);
  }
});

t.test('without an identity failures are repeated after a time that doubles up to half a minute', async (t) => {
  const { clock, source, lines } = keep(1);
  const waits: number[] = [];
  for (let failures = 0; failures < 12; failures++) {
    await source.answer(new Error('no route'));
    waits.push(clock.waits[0]!);
    clock.advance(clock.waits[0]!);
  }
  t.same(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
  t.match(lines[0], /^warning no certificate from a played CA: mutual TLS waits for it .*no route/);
});

t.test('what is held serves on while the CA is away, and is asked for more often as it ends', async (t) => {
  const { clock, source, keeper, lines, received, identity } = keep(1);
  await source.answer(identity('first', 10_000));
  clock.advance(clock.waits[0]!);
  for (let failures = 0; failures < 5; failures++) {
    await source.answer(new Error('away'));
    const leftMs = keeper.state.kind === 'waiting' ? keeper.state.held!.notAfterMs - clock.nowMs : 0;
    t.ok(clock.waits[0]! <= Math.max(leftMs / 10, 100), `${clock.waits[0]} of ${leftMs}`);
    clock.advance(clock.waits[0]!);
  }
  t.same(received, ['first']);
  t.match(lines.at(-1), /^warning no new certificate from a played CA; the old one holds/);
  await source.answer(identity('second', 10_000));
  t.same(received, ['first', 'second']);
});

t.test('the end of the identity is said as an error', async (t) => {
  const { clock, source, lines, identity } = keep();
  await source.answer(identity('first', 1000));
  clock.advance(2000);
  await source.answer(new Error('away'));
  t.match(lines.at(-1), /^error the certificate has ended, and a played CA gives no other: peers refuse it/);
});

t.test('a certificate that has ended when it comes replaces nothing, and is not asked for again at once', async (t) => {
  const { clock, source, received, lines, identity } = keep(1);
  await source.answer(identity('first', 10_000));
  clock.advance(5500);
  const waits: number[] = [];
  for (let round = 0; round < 4; round++) {
    await source.answer(identity('over', -1));
    waits.push(clock.waits[0]!);
    clock.advance(clock.waits[0]!);
  }
  t.same(received, ['first']);
  t.ok(waits[3]! > waits[0]!, String(waits));
  t.match(lines.at(-1), /the old one holds .*that has ended at .* by the clock of this machine/);
});

t.test('no line has the key, and after stop nothing is asked', async (t) => {
  const { clock, source, keeper, lines, identity } = keep();
  await source.answer(identity('first', 1000));
  keeper.stop();
  clock.advance(100_000);
  t.equal(source.requests, 1);
  t.notMatch(lines.join('\n'), /the key/);
});
