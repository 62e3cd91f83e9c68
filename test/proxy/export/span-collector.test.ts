import t from 'tap';
import type { TraceProvider } from '../../../config/tracing.ts';
import { slabBytes } from '../../../proxy/export/byte-slab.ts';
import { SpanCollector, type SpanCollectorOptions } from '../../../proxy/export/span-collector.ts';
import type { SpanFate } from '../../../proxy/export/span-exporter.ts';
import type { SpanRecord } from '../../../proxy/export/span-record-reader.ts';
import { ReachedStratum } from '../../../proxy/tracing/sampling-memory.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { RecordFlag } from '../../../proxy/tracing/span-record.ts';
import type { CappedRecord, ClosedWindow } from '../../../sampler/export-cap.ts';
import { defaultSettings } from '../../../sampler/settings.ts';
import { encodeRecords, type RecordShape, someTraceId } from '../../support/span-fixtures.ts';

const provider = (name: string) => ({ kind: 'opentelemetry', name }) as TraceProvider;
const idOf = (number: number) => `${someTraceId.slice(0, 18)}${number.toString(16).padStart(14, '0')}`;
const { head, error, parent } = SamplingReason;

interface Exported extends SpanFate {
  readonly to: string;
  readonly record: SpanRecord;
}

function makeCollector(changes: Partial<SpanCollectorOptions> = {}) {
  const exported: Exported[] = [];
  const windows: Pick<ClosedWindow<CappedRecord>, 'kept' | 'suppressed'>[] = [];
  const passed: [string, number, string][] = [];
  const reached: Record<number, string> = {};
  const opened: string[] = [];
  const closed: string[] = [];
  const clock = { nowMs: 5000 };
  const collector = new SpanCollector({
    settings: { ...defaultSettings, errors: { ...defaultSettings.errors, maxPerSecond: 3 } },
    hasBudget: true,
    sampling: {
      keyIdAt: (worker, slot) => `service\nroute ${worker} ${slot}\nGET\n-1`,
      takeWindow: (window) => void windows.push(window),
      takePassed: (key, reason, { bytes, randomStart }) =>
        void passed.push([key, reason, Buffer.from(bytes).latin1Slice(randomStart, randomStart + 14)]),
      setReached: (stratum, threshold) => {
        reached[stratum] = threshold;
      },
      tracesPerSecond: 4,
    },
    open: ({ name }) => {
      opened.push(name);
      return {
        push: (record, fate) => exported.push({ to: name, record, ...fate }),
        close: async () => void closed.push(name),
      };
    },
    clock: () => clock.nowMs,
    ...changes,
  });
  collector.accept(0, { kind: 'trace-provider', index: 0, provider: provider('a') });
  const send = (...records: readonly RecordShape[]): void => {
    collector.accept(0, { kind: 'spans', bytes: encodeRecords(...records), count: records.length });
  };
  /** Ends the second that runs. */
  const second = (): void => {
    clock.nowMs += 1000;
    collector.tick();
  };
  collector.tick();
  return { collector, exported, windows, passed, reached, opened, closed, send, second };
}

const ofHead = (number: number): RecordShape => ({
  reason: head,
  flags: RecordFlag.knowsThreshold | RecordFlag.isHeadKept,
  threshold: '00000000000000',
  spans: [{ traceId: idOf(number) }],
});
const anError = (number: number): RecordShape => ({ ...ofHead(number), reason: error, flags: 0, signature: 1 });

t.test('a second is held, and leaves together with what was decided', (t) => {
  const { exported, windows, send, second } = makeCollector();
  send(ofHead(1), { ...ofHead(2), threshold: 'c0000000000000' }, { ...ofHead(3), threshold: 'c8000000000000' });
  t.same(exported, []);
  second();
  t.same(exported.map(({ th }) => th).sort(), ['0', 'c', 'c8']);
  t.equal(windows.at(-1)!.kept.length, 3);
  t.match(windows.at(-1)!.kept[0]!.record, { key: 'service\nroute 0 0\nGET\n-1' });
  t.end();
});

t.test('beyond the budget the greatest random values are kept, and workers are told what is below', (t) => {
  const { exported, windows, reached, send, second } = makeCollector();
  send(...[1, 2, 3, 4, 5, 6].map(ofHead));
  t.equal(reached[0], '00000000000003');
  second();
  t.same(exported.map(({ record }) => Number(`0x${record.random}`)).sort(), [3, 4, 5, 6]);
  t.ok(exported.every(({ th }) => th === '00000000000003'));
  t.same(windows.at(-1)!.suppressed, [{ key: 'service\nroute 0 0\nGET\n-1', reason: 'head', count: 2 }]);
  t.equal(reached[0], '00000000000000', 'a new second begins');
  t.end();
});

t.test('errors have places of their own, and one of each kind is told apart', (t) => {
  const { collector, exported, send, second } = makeCollector();
  send({ ...anError(1), signature: 2 }, ...[10, 11, 12, 13, 14].map(anError));
  second();
  t.ok(exported.every(({ isError }) => isError));
  const rare = exported.filter(({ isRare }) => isRare);
  t.same(rare.map(({ record, th }) => [Number(`0x${record.random}`), th]).at(-1), [1, null]);
  t.equal(exported.length, 3);
  t.equal(collector.errors.list().length, 3);
  t.match(collector.errors.list()[0], { service: 'service', route: 'route 0 0', method: 'GET' });
  t.end();
});

t.test('without a sampling file what percentages chose leaves at once, and has no cap', (t) => {
  const { exported, windows, passed, send, second } = makeCollector({ hasBudget: false });
  send(...Array.from({ length: 50 }, (_, number) => ofHead(number)), { ...ofHead(99), reason: parent, flags: 0 });
  t.equal(exported.length, 51);
  t.equal(exported.at(-1)!.th, null, 'nothing is known of the choice of a caller that says nothing');
  send(anError(100));
  t.equal(exported.length, 51);
  second();
  t.equal(exported.length, 52);
  t.equal(windows.at(-1)!.kept.length, 1);
  t.equal(passed.length, 51, 'all are counted');
  t.same(passed.at(-1), ['service\nroute 0 0\nGET\n-1', parent, idOf(99).slice(-14)]);
  t.end();
});

t.test('equal providers of workers are one, and opened with the first record', (t) => {
  const { collector, exported, opened, send, second } = makeCollector();
  collector.accept(1, { kind: 'trace-provider', index: 7, provider: provider('a') });
  collector.accept(1, { kind: 'trace-provider', index: 8, provider: provider('b') });
  t.same(opened, []);
  send(ofHead(1));
  collector.accept(1, {
    kind: 'spans',
    bytes: encodeRecords({ ...ofHead(2), provider: 7 }, { ...ofHead(3), provider: 8 }),
    count: 2,
  });
  second();
  t.same(opened.sort(), ['a', 'b']);
  t.same(exported.map(({ to }) => to).sort(), ['a', 'a', 'b']);
  t.end();
});

t.test('an exporter that nobody uses is closed, and opened again', (t) => {
  const { opened, closed, send, second } = makeCollector();
  send(ofHead(1));
  second();
  for (let minutes = 0; minutes < 20; minutes++) for (let count = 0; count < 60; count++) second();
  t.same(closed, ['a']);
  send(ofHead(2));
  second();
  t.same(opened, ['a', 'a']);
  t.end();
});

t.test('what waits leaves at the end', async (t) => {
  const { collector, exported, closed, send } = makeCollector();
  send(ofHead(1), anError(2));
  await collector.close(1000);
  t.equal(exported.length, 2);
  t.same(closed, ['a']);
});

t.test('some of what is kept is looked at, for exemplars', (t) => {
  let looks = 0;
  const { collector, send, second } = makeCollector({ hasBudget: false, onKept: () => looks++ });
  const ofKey = (keySlot: number) => ({ ...ofHead(keySlot), keySlot });
  send(ofKey(1), ofKey(1), ofKey(2));
  t.equal(looks, 2, 'one a key');
  send(...Array.from({ length: 100 }, (_, number) => ofKey(number)));
  t.equal(looks, 32, 'and not too many');
  collector.tick();
  send(ofKey(1), ofKey(1));
  t.equal(looks, 32, 'of the second that runs');
  second();
  send(ofKey(1), ofKey(1));
  t.equal(looks, 33, 'and again in the next');
  t.end();
});

t.test(
  'what the budget leaves out is no exemplar, and an error that the fuse leaves out is not among the latest',
  (t) => {
    const looked: string[] = [];
    const onKept: SpanCollectorOptions['onKept'] = ({ span }) => looked.push(span.traceId);
    const { collector, send, second } = makeCollector({ onKept });
    const ofKey = (number: number) => ({ ...ofHead(number), keySlot: number });
    send(...[1, 2, 3, 4, 5, 6].map(ofKey), ...[10, 11, 12, 13, 14].map(anError));
    t.same(looked, [], 'nothing is known before the end of the second');
    second();
    t.same(looked.sort(), [3, 4, 5, 6, 10, 13, 14].map(idOf));
    t.same(
      collector.errors
        .list()
        .map(({ traceId }) => traceId)
        .sort(),
      [10, 13, 14].map(idOf),
      'the first of its kind, and the greatest random values',
    );
    t.end();
  },
);

t.test('other settings count for the next second', (t) => {
  const { collector, exported, send, second } = makeCollector();
  collector.configure({ ...defaultSettings, errors: { ...defaultSettings.errors, maxPerSecond: 1 } });
  second();
  send(anError(1), anError(2), anError(3));
  second();
  t.equal(exported.length, 1);
  t.end();
});

t.test('a record keeps nothing of the batch that it came in', (t) => {
  const { exported, send, second } = makeCollector();
  send(ofHead(1));
  second();
  const [span] = exported[0]!.record.spans;
  t.equal(span!.buffer.byteLength, slabBytes, 'a small slab, whatever the batch has');
  t.end();
});

t.test('a record of a provider that was not announced is a fault', (t) => {
  const { send } = makeCollector();
  t.throws(() => send({ ...ofHead(1), provider: 9 }), /has not announced provider 9/);
  t.end();
});

t.test('workers are told what is reached of slow and of retried requests', (t) => {
  const { exported, reached, send, second } = makeCollector();
  const outcome = (reason: number, number: number): RecordShape => ({ ...anError(number), reason: reason as 4 | 7 });
  const three = (reason: number): RecordShape[] => [1, 2, 3].map((number) => outcome(reason, number));
  send(...three(SamplingReason.slow), ...three(SamplingReason.retry));
  t.same([reached[ReachedStratum.slow], reached[ReachedStratum.retry]], Array(2).fill('00000000000002'));
  send({ ...outcome(SamplingReason.slow, 4), flags: RecordFlag.knowsThreshold, threshold: '00000000000003' });
  second();
  t.same(exported.map(({ record, th }) => `${record.reason} ${th}`).sort(), [
    '4 00000000000003',
    '4 00000000000003',
    '7 00000000000002',
    '7 00000000000002',
  ]);
  t.equal(reached[ReachedStratum.slow], '00000000000000');
  t.end();
});

t.test('an error leaves with the threshold that its worker found reached', (t) => {
  const { exported, send, second } = makeCollector();
  send({ ...anError(1), flags: RecordFlag.knowsThreshold, threshold: 'c0000000000000' }, anError(2));
  second();
  t.same(exported.map(({ th }) => th).sort(), ['0', 'c']);
  t.end();
});

t.test('a provider whose number was given away is let go once it is not used any more', (t) => {
  const handed: TraceProvider[] = [];
  const { collector, send, second } = makeCollector({
    open: (provider) => {
      handed.push(provider);
      return { push: () => undefined, close: async () => undefined };
    },
  });
  const use = (each: TraceProvider): void => {
    collector.accept(0, { kind: 'trace-provider', index: 0, provider: each });
    send(ofHead(1));
    second();
  };
  const [first, again] = [provider('b'), provider('b')];
  use(first);
  use(provider('c'));
  use(again);
  t.equal(handed.filter(({ name }) => name === 'b').at(-1), first, 'it is known still');
  use(provider('c'));
  for (let minutes = 0; minutes < 20; minutes++) for (let count = 0; count < 60; count++) second();
  use(again);
  t.equal(handed.at(-1), again, 'it is not kept beside one that says the same');
  t.end();
});
