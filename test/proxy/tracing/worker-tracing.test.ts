import t from 'tap';
import type { TraceProvider } from '../../../config/tracing.ts';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import { KeyCounter } from '../../../proxy/tracing/sampling-memory.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { memoryOf, recordsIn, someProvider, tracingOf } from '../../support/trace-fixtures.ts';

t.test('a main thread that is behind costs the newest plain records, then those of errors', async (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf() } });
  const one = (status: number) => {
    scene.request((head) => head.headers.append('user-agent', 'x'.repeat(2000)));
    scene.respond(scene.connect(), status);
  };
  for (let request = 0; request < 2000; request++) one(200);
  const batches = () => scene.tracingMessages.filter(({ kind }) => kind === 'spans').length;
  t.equal(batches(), 8);
  const memory = memoryOf(scene);
  const dropped = () => memory.counter(1, KeyCounter.recordsDropped);
  const slot = scene.tracingMessages.find(({ kind }) => kind === 'sampling-key');
  t.equal(slot?.kind === 'sampling-key' ? slot.slot : 0, 1);
  const before = dropped();
  t.ok(before > 0, `${before} dropped`);
  one(500);
  t.equal(dropped(), before, 'an error still has room');
  scene.tracing.onTaken();
  t.equal(batches(), 9);
  one(200);
  t.equal(dropped(), before);
  scene.tracing.finish();
  t.equal(recordsIn(scene).length, 2002 - before);
});

t.test('a provider is announced once, with its first connection manager', async (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf() } });
  t.same(
    scene.tracingMessages.map(({ kind }) => kind),
    ['sampling-memory', 'trace-provider'],
  );
  const { config } = scene.manager;
  scene.tracing.compile(config, true);
  t.equal(scene.tracingMessages.length, 2);
  scene.tracing.compile(
    { ...config, tracing: tracingOf({ provider: { ...someProvider, serviceName: 'other' } }) },
    true,
  );
  t.match(scene.tracingMessages[2], { kind: 'trace-provider', index: 1, provider: { serviceName: 'other' } });
  t.equal(scene.tracing.compile({ ...config, tracing: undefined! }, true), null);
  t.same(new Scene().tracingMessages, []);
});

t.test('a provider that lasts keeps its records when hundreds of others have come and gone', async (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf() } });
  const { config } = scene.manager;
  scene.request();
  scene.respond(scene.connect(), 200);
  for (let number = 0; number < 300; number++) {
    const provider = { ...someProvider, serviceName: `tenant-${number}` };
    scene.tracing.compile({ ...config, tracing: tracingOf({ provider }) }, true);
  }
  scene.request();
  scene.respond(scene.connect(), 200);
  scene.tracing.finish();
  t.same(providersOfRecords(scene), [someProvider, someProvider]);
});

/** As the main thread sees it: what an index means when the record arrives. */
function providersOfRecords({ tracingMessages }: Scene): readonly TraceProvider[] {
  const announced = new Map<number, TraceProvider>();
  return tracingMessages.flatMap((message) => {
    if (message.kind === 'trace-provider') announced.set(message.index, message.provider);
    if (message.kind !== 'spans') return [];
    return readSpanRecords(message.bytes).map(({ provider }) => announced.get(provider)!);
  });
}
