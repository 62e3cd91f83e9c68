import t from 'tap';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { DeltaStream } from '../../../xds/client/delta-stream.ts';
import type { DiscoveryResponse } from '../../../xds/client/discovery-wire.ts';
import { TypeSession } from '../../../xds/client/type-session.ts';
import { HandClock, RecordingConsumer } from '../../support/discovery-fixtures.ts';
import { endpointType } from '../../support/discovery-messages.ts';
import { onlyItems } from '../../support/only-items.ts';

function session() {
  const time = new HandClock();
  const consumer = new RecordingConsumer(endpointType);
  const events: string[] = [];
  const session = new TypeSession({
    consumer,
    stream: new DeltaStream(endpointType),
    clock: time.clock,
    schedule: time.schedule,
    onLate: (name) => events.push(`late ${name}`),
    onExpired: (name) => events.push(`expired ${name}`),
  });
  return { time, consumer, events, session };
}

function response(names: readonly string[], changes: Partial<DiscoveryResponse> = {}): DiscoveryResponse {
  const resources = names.map((name) => ({
    name,
    version: '1',
    aliases: [],
    message: new Uint8Array(0),
    payloadType: endpointType,
  }));
  return { typeUrl: endpointType, version: 'v', nonce: 'n', controlPlane: '', removed: [], resources, ...changes };
}

t.test('says whether a subscription changes anything', async (t) => {
  const { session: s } = session();
  t.same(
    [s.subscribe('a', 0), s.subscribe('a', 0), s.unsubscribe('a'), s.unsubscribe('a')],
    [true, false, true, false],
  );
});

t.test('asks on each stream, and is not asked before', async (t) => {
  const { session: s } = session();
  t.same([s.onStreamOpened(), s.isAsked], [[], false]);
  s.subscribe('a', 0);
  t.equal(s.changes().length, 1);
  t.same([s.changes(), s.isAsked], [[], true]);
  t.equal(s.onStreamOpened().length, 1);
});

t.test('an outcome is the answer, the refusal and the time that it took', async (t) => {
  const { session: s, consumer, time } = session();
  s.subscribe('a', 0);
  s.onStreamOpened();
  consumer.onTold = () => time.advance(7);
  t.match(takeAllSteps(s.takeOver(response(['a']), 10)), {
    requests: onlyItems({ nonce: 'n' }),
    refusal: undefined,
    applyMs: 7,
  });
  consumer.refuses.set('a', [{ path: 'p', message: 'm' }]);
  t.match(takeAllSteps(s.takeOver(response(['a']), 10)), {
    requests: onlyItems({ nonce: 'n', refusal: 'a: p: m' }),
    refusal: 'a: p: m',
  });
  t.match(s.status(), { responses: 2, bytesReceived: 20, heldCount: 1, lastNack: { text: 'a: p: m' } });
});

t.test('tells what is late and what expired before its consumer hears of it', async (t) => {
  const { session: s, consumer, time, events } = session();
  s.subscribe('a', 10);
  s.subscribe('b', 0);
  s.onStreamOpened();
  const [b] = response(['b']).resources;
  takeAllSteps(s.takeOver(response([], { resources: [{ ...b!, ttlMs: 20 }] }), 0));
  time.advance(20);
  t.same(events, ['late a', 'expired b']);
  t.same(consumer.take(), ['+b@1', '?a', '-b']);
});

t.test('a resource that was let go does not expire any more', async (t) => {
  const { session: s, consumer, time } = session();
  s.subscribe('a', 10);
  s.onStreamOpened();
  const [a] = response(['a']).resources;
  takeAllSteps(s.takeOver(response([], { resources: [{ ...a!, ttlMs: 20 }] }), 0));
  s.unsubscribe('a');
  time.advance(100);
  t.same([consumer.take(), time.waits], [['+a@1'], []]);
});

t.test('a wait for a removed resource is over', async (t) => {
  const { session: s, consumer, time } = session();
  s.subscribe('a', 10);
  s.onStreamOpened();
  takeAllSteps(s.takeOver(response([], { removed: ['a'] }), 0));
  time.advance(100);
  t.same(consumer.take(), ['-a', '?a']);
});

t.test('what nobody wants any more when a response was taken over is not held by it', async (t) => {
  const { session: s, consumer, time, events } = session();
  for (const name of ['a', 'b', 'c']) s.subscribe(name, 0);
  s.onStreamOpened();
  consumer.takeOver = function* (update) {
    // A consumer that lets go of a name forgets what it held of it; here the response brings it back behind that.
    for (const name of ['a', 'b']) s.unsubscribe(name);
    yield;
    return consumer.onUpdate(update);
  };
  s.subscribe('b2', 0);
  const [a, b, c] = response(['a', 'b', 'c']).resources;
  const resources = [{ ...a!, ttlMs: 20 }, { ...b!, aliases: ['b2'] }, c!];
  takeAllSteps(s.takeOver(response([], { resources }), 0));
  t.same(consumer.take(), ['+a@1', '+b@1', '+c@1', '-a']);
  time.advance(20);
  t.same([events, consumer.take()], [[], []], 'nor does it expire');
});

t.test('only what is asked for and of the right type is decoded ahead', async (t) => {
  const { session: s, consumer } = session();
  s.subscribe('a', 0);
  s.subscribe('by alias', 0);
  s.onStreamOpened();
  let ahead: readonly string[] = [];
  consumer.prepare = (resources) => {
    ahead = [...resources].map(({ name }) => name);
    return undefined;
  };
  const [a, b, c, d] = response(['a', 'b', 'c', 'a']).resources;
  const resources = [a!, b!, { ...c!, aliases: ['by alias'] }, { ...d!, payloadType: 'other' }];
  s.prepare(response([], { resources: [...resources, { ...a!, message: undefined }] }));
  t.same(ahead, ['a', 'c']);
});

t.test('an outcome says whether a name that was asked for was in the response, come or gone', async (t) => {
  const { session: s } = session();
  for (const name of ['*', 'a', 'by alias']) s.subscribe(name, 0);
  s.onStreamOpened();
  const hasNamed = (changes: Partial<DiscoveryResponse>) => takeAllSteps(s.takeOver(response([], changes), 0)).hasNamed;
  const { resources } = response(['b']);
  t.same(
    [
      hasNamed({ resources }),
      hasNamed({ resources: [{ ...resources[0]!, aliases: ['by alias'] }] }),
      hasNamed({ removed: ['b'] }),
      hasNamed({ removed: ['a'] }),
      hasNamed(response(['a'])),
    ],
    [false, true, false, true, true],
  );
});
