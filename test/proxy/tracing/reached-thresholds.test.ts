// What stage 2 has reached in the second that runs is not written by workers any more.

import t from 'tap';
import { KeyCounter, ReachedStratum } from '../../../proxy/tracing/sampling-memory.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { never } from '../../../sampler/threshold.ts';
import { routeOf } from '../../support/data-plane.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';
import { memoryOf, recordsIn, tracedScene, withParent } from '../../support/trace-fixtures.ts';

t.test('what stage 2 has left behind is counted and not written, but for an error of a new kind', async (t) => {
  const scene = tracedScene({ randomPerTenThousand: 10_000 });
  scene.request();
  scene.respond(scene.connect(), 200);
  const memory = memoryOf(scene);
  memory.setReached(ReachedStratum.head, never);
  memory.setReached(ReachedStratum.error, never);
  const before = recordsIn(scene).length;
  scene.request();
  scene.respond(scene.connect(), 200);
  const slot = scene.tracingMessages.find(({ kind }) => kind === 'sampling-key');
  const keySlot = slot?.kind === 'sampling-key' ? slot.slot : 0;
  t.equal(recordsIn(scene).length, before);
  t.equal(memory.counter(keySlot, KeyCounter.headSkipped), 1);
  for (let request = 0; request < 3; request++) {
    scene.request(withParent('00'));
    scene.respond(scene.connect(), 500);
  }
  t.equal(recordsIn(scene).length, before + 1);
  t.match(recordsIn(scene).at(-1), { reason: SamplingReason.error, isSignatureNew: true });
  t.equal(memory.counter(keySlot, KeyCounter.errorsSkipped), 2);
});

t.test(
  'an error says which threshold of stage 2 it has passed, one of a new kind that it had none to pass',
  async (t) => {
    const scene = tracedScene();
    const fail = () => {
      scene.request(withParent('00'));
      scene.respond(scene.connect(), 500);
    };
    scene.request();
    scene.respond(scene.connect(), 200);
    memoryOf(scene).setReached(ReachedStratum.error, '48000000000000');
    fail();
    fail();
    t.same(
      recordsIn(scene).map(({ threshold, isHeadKept }) => [threshold, isHeadKept]),
      [
        ['00000000000000', false],
        ['48000000000000', false],
      ],
    );
  },
);

t.test('a slow request and a retried one are held to what stage 2 has reached of their kind', async (t) => {
  const routes = [routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 1 }) }))];
  const scene = tracedScene({}, { routes });
  const beSlow = () => {
    scene.request(withParent('00'));
    const connection = scene.connect();
    scene.reactor.advance(1001);
    scene.respond(connection, 200);
  };
  const beRetried = () => {
    scene.request(withParent('00'));
    scene.respond(scene.connect(), 503);
    scene.reactor.advance(200);
    scene.respond(scene.connect(), 200);
  };
  for (const [stratum, run] of [
    [ReachedStratum.slow, beSlow],
    [ReachedStratum.retry, beRetried],
  ] as const) {
    run();
    const memory = memoryOf(scene);
    memory.setReached(stratum, '48000000000000');
    run();
    memory.setReached(stratum, '49000000000000');
    run();
  }
  const { slow, retry } = SamplingReason;
  t.same(
    recordsIn(scene).map(({ reason, threshold }) => [reason, threshold]),
    [slow, retry].flatMap((reason) => [
      [reason, '00000000000000'],
      [reason, '48000000000000'],
    ]),
  );
  t.equal(memoryOf(scene).counter(1, KeyCounter.headSkipped), 2);
});
