import t, { type Test } from 'tap';
import { shortBeatMs } from '../../../proxy/export/sampling-beat.ts';
import { SamplingService } from '../../../proxy/export/sampling-service.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import {
  ContextCounter,
  KeyCounter,
  ReachedStratum,
  reachedThresholdAt,
  SamplingMemory,
  thresholdAt,
} from '../../../proxy/tracing/sampling-memory.ts';
import type { CappedRecord, KeptRecord } from '../../../sampler/export-cap.ts';
import { keyId, otherKey, type SamplingKey } from '../../../sampler/key-table.ts';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { always, never, probabilityOf } from '../../../sampler/threshold.ts';
import { onlyItems } from '../../support/only-items.ts';

const items: SamplingKey = { service: 'catalog', route: '/items', method: 'GET', headerRule: -1 };
const pay: SamplingKey = { service: 'payment', route: '/pay', method: 'POST', headerRule: -1 };
/** Ten traces a second, of anything. */
const tenTraces: SamplingSettings = {
  ...defaultSettings,
  budget: { tracesPerSecond: 10, scope: 'instance' },
  baseRate: 1,
  rules: [],
  floorPerMinute: 0,
};

function service(settings: SamplingSettings = tenTraces, given: { setsThresholds?: boolean; replicas?: number } = {}) {
  let nowMs = 50_000;
  const store = new StatsStore();
  const facts = { replicas: given.replicas ?? 1 };
  const service = new SamplingService({
    settings,
    setsThresholds: given.setsThresholds ?? true,
    replicas: () => facts.replicas,
    stats: new WorkerStats((message) => store.accept(-1, message)),
    clock: () => nowMs,
  });
  /** Beats for some seconds; `each` happens before every one. */
  const run = (seconds: number, each: () => void = () => undefined) => {
    for (let tick = 0; tick < (seconds * 1000) / shortBeatMs; tick++) {
      each();
      nowMs += shortBeatMs;
      service.tick();
    }
  };
  const metrics = () => {
    const query = { usedOnly: false, accepts: null, type: 'All', histograms: 'cumulative' } as const;
    return [...prometheusText(store, query, [])].join('');
  };
  return { service, run, metrics, facts };
}

/** The other side: what a worker does with its memory. */
class FakeWorker {
  readonly memory = new SamplingMemory();
  readonly #service: SamplingService;
  readonly #number: number;

  constructor(service: SamplingService, number: number) {
    this.#service = service;
    this.#number = number;
    // As it travels between threads.
    service.accept(number, structuredClone({ kind: 'sampling-memory', memory: this.memory.buffer } as const));
  }

  own(slot: number, key: SamplingKey | null): void {
    this.memory.restart(slot, always);
    this.#service.accept(this.#number, structuredClone({ kind: 'sampling-key', slot, key } as const));
  }

  count(slot: number, count: number, counter: KeyCounter = KeyCounter.arrivals): void {
    for (let index = 0; index < count; index++) this.memory.count(slot, counter);
  }

  threshold(slot: number): string {
    return Buffer.from(this.memory.thresholds.subarray(thresholdAt(slot), thresholdAt(slot) + 14)).toString('latin1');
  }

  reached(stratum: ReachedStratum): string {
    const at = reachedThresholdAt(stratum);
    return Buffer.from(this.memory.thresholds.subarray(at, at + 14)).toString('latin1');
  }
}

/** A window of stage 2 in which so many records of a key were kept, each of a trace of its own. */
function closed(key: SamplingKey, counts: Readonly<Partial<Record<KeptRecord<CappedRecord>['reason'], number>>>) {
  const kept = Object.entries(counts).flatMap(([reason, count]) =>
    Array.from({ length: count }, (_, index): KeptRecord<CappedRecord> => {
      const random = `${reason}${index}`.padStart(14, '0');
      const facts = { threshold: always, headKept: true, signature: 0, sizeBytes: 0, key: keyId(key) };
      const kind = reason as Exclude<KeptRecord<CappedRecord>['reason'], 'rare'>;
      return { record: { ...facts, random, reason: kind }, threshold: always, reason: kind };
    }),
  );
  return { kept, suppressed: [] };
}

function near(t: Test, found: number, wanted: number): void {
  t.ok(Math.abs(found / wanted - 1) < 0.01, `${found} is ${wanted}`);
}

t.test('what workers count for a key is one rate, and both read the threshold that keeps the budget', (t) => {
  const { service: sampling, run } = service();
  const workers = [new FakeWorker(sampling, 0), new FakeWorker(sampling, 1)];
  workers[0]!.own(1, items);
  workers[1]!.own(7, items);
  t.equal(workers[0]!.threshold(1), always, 'a new key is kept whole');
  run(3, () => {
    workers[0]!.count(1, 30);
    workers[1]!.count(7, 70);
  });
  near(t, probabilityOf(workers[0]!.threshold(1)), 10 / 1000);
  t.equal(workers[1]!.threshold(7), workers[0]!.threshold(1));
  t.end();
});

t.test('a worker that meets a key later has its threshold as soon as it says so', (t) => {
  const { service: sampling, run } = service();
  const workers = [new FakeWorker(sampling, 0), new FakeWorker(sampling, 1)];
  workers[0]!.own(1, items);
  run(2, () => workers[0]!.count(1, 100));
  workers[1]!.count(3, 1);
  workers[1]!.own(3, items);
  t.equal(workers[1]!.threshold(3), workers[0]!.threshold(1));
  t.not(workers[1]!.threshold(3), always);
  t.end();
});

t.test('a key of which nothing is wanted is not kept from its announcement on', (t) => {
  const { service: sampling } = service({ ...tenTraces, baseRate: 0 });
  const worker = new FakeWorker(sampling, 0);
  worker.count(1, 1);
  worker.own(1, items);
  t.equal(worker.threshold(1), never);
  t.end();
});

t.test('a burst is answered within the second', (t) => {
  const { service: sampling, run } = service();
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, items);
  run(3, () => worker.count(1, 10));
  near(t, probabilityOf(worker.threshold(1)), 0.1);
  run(0.4, () => worker.count(1, 100));
  t.ok(probabilityOf(worker.threshold(1)) < 0.05, `${probabilityOf(worker.threshold(1))} after 400 ms`);
  t.end();
});

t.test('without a file of settings thresholds are left to the percentages, and keys are still shown', (t) => {
  const { service: sampling, run } = service(tenTraces, { setsThresholds: false });
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, items);
  run(2, () => worker.count(1, 100));
  t.equal(worker.threshold(1), always);
  t.match(sampling.overview(), {
    rates: 'percentages',
    budget: null,
    keys: onlyItems({ service: 'catalog', probability: null }, { service: '*', probability: null }),
  });
  t.end();
});

t.test('a change of the settings is in the workers at once', (t) => {
  const { service: sampling, run } = service();
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, items);
  run(2, () => worker.count(1, 100));
  sampling.configure({ ...tenTraces, budget: { tracesPerSecond: 100, scope: 'instance' } });
  near(t, probabilityOf(worker.threshold(1)), 0.1);
  sampling.configure({ ...tenTraces, baseRate: 0 });
  t.equal(worker.threshold(1), never);
  t.end();
});

t.test('a budget of the whole service is divided by its instances', (t) => {
  const shared = { ...tenTraces, budget: { tracesPerSecond: 10, scope: 'service' } } as const;
  const { service: sampling, run, facts } = service(shared, { replicas: 5 });
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, items);
  run(3, () => worker.count(1, 100));
  near(t, probabilityOf(worker.threshold(1)), 2 / 1000);
  t.equal(sampling.tracesPerSecond, 2);
  facts.replicas = 1;
  run(1.1, () => worker.count(1, 100));
  t.ok(sampling.tracesPerSecond < 10 && sampling.tracesPerSecond > 2, 'half of the way in a second');
  t.match(sampling.overview().budget, { scope: 'service', settingsPerSecond: 10, replicas: 1 });
  t.end();
});

t.test('counters that wrap lose nothing', (t) => {
  const { service: sampling, run } = service();
  const worker = new FakeWorker(sampling, 0);
  const counters = new Uint32Array(worker.memory.buffer);
  const before = counters.slice();
  worker.count(1, 1);
  const at = counters.findIndex((value, index) => value !== before[index]);
  worker.own(1, items);
  run(1);
  counters[at] = 2 ** 32 - 50;
  run(1);
  run(1, () => worker.count(1, 10));
  t.equal(counters[at], 50);
  t.equal(sampling.overview().keys.find(({ service }) => service === 'catalog')?.requestsPerSecond, 100);
  t.end();
});

t.test('a slot that changes its owner counts for the new one, and the old key is forgotten with its series', (t) => {
  const { service: sampling, run, metrics } = service();
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, items);
  run(1, () => worker.count(1, 10));
  t.match(
    metrics(),
    'outrigger_sampler_requests_per_second{rule="",method="GET",route="/items",service="catalog"} 100',
  );
  worker.count(1, 20);
  worker.own(1, pay);
  t.equal(sampling.keyIdAt(0, 1), keyId(pay));
  run(1);
  t.match(sampling.overview().keys, onlyItems({ service: 'payment', requestsPerSecond: 20 }, { service: '*' }));
  t.notMatch(metrics(), 'catalog');
  worker.own(1, null);
  t.equal(sampling.keyIdAt(0, 1), keyId(otherKey));
  t.equal(sampling.keyOf(keyId(pay)), undefined);
  sampling.takeWindow(closed(pay, { head: 1 }));
  t.match(
    sampling.overview().keys,
    onlyItems({ service: '*', kept: { head: 1 } }),
    'what was under way counts with the others',
  );
  t.end();
});

t.test("a key's names are those of the configuration, also where a line break makes its text another", (t) => {
  const { service: sampling } = service();
  const worker = new FakeWorker(sampling, 0);
  const broken = { ...pay, service: 'pay\nment', route: '/a\n/b\n' };
  worker.own(1, broken);
  t.same(sampling.keyOf(sampling.keyIdAt(0, 1)), broken);
  t.same(sampling.keyOf(sampling.keyIdAt(0, 2)), otherKey);
  t.end();
});

t.test('what is kept and dropped is counted by key and reason, and in sum', (t) => {
  const { service: sampling, run, metrics } = service();
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, pay);
  worker.count(1, 50);
  worker.count(1, 10, KeyCounter.withParent);
  worker.count(1, 3, KeyCounter.headSkipped);
  worker.count(1, 2, KeyCounter.errorsSkipped);
  worker.count(1, 1, KeyCounter.recordsDropped);
  const suppressed = [
    { key: keyId(pay), reason: 'head', count: 1 },
    { key: keyId(pay), reason: 'error', count: 4 },
  ] as const;
  sampling.takeWindow({ ...closed(pay, { head: 6, parent: 1, error: 1 }), suppressed });
  run(1);
  t.equal(sampling.overview().tracesPerSecond, 7);
  t.match(sampling.overview().keys[0], { service: 'payment', requestsPerSecond: 60, begunPerSecond: 50 });
  t.match(metrics(), 'envoy_sampling_budget_used_percent{} 70');
  run(4);
  const dropped = { budget: 4, errors: 6, overload: 1, probability: 60 - 8 - 11 };
  const ofPay = sampling.overview().keys.find(({ service }) => service === 'payment');
  t.match(ofPay, { kept: { head: 6, parent: 1, error: 1 }, dropped });
  const labels = 'rule="",method="POST",route="/pay",service="payment"';
  for (const line of [
    `outrigger_sampler_begun_total{${labels}} 50`,
    `outrigger_sampler_kept_total{reason="head",${labels}} 6`,
    `outrigger_sampler_dropped_total{reason="errors",${labels}} 6`,
    'outrigger_sampler_errors_suppressed_total{} 6',
    'envoy_sampling_kept{} 8',
    'envoy_sampling_kept_error{} 1',
    `envoy_sampling_dropped{} ${4 + 6 + 1 + dropped.probability}`,
    'envoy_sampling_dropped_overload{} 1',
  ]) {
    t.match(metrics(), line);
  }
  t.end();
});

t.test('requests whose records are still under way are not called dropped', (t) => {
  const { service: sampling, run } = service();
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, pay);
  worker.count(1, 10);
  run(2);
  sampling.takeWindow(closed(pay, { head: 10 }));
  run(5);
  t.same(sampling.overview().keys.find(({ service }) => service === 'payment')!.dropped, {});
  t.end();
});

t.test('how far stage 2 has come is told to all workers, and to one that starts later', (t) => {
  const { service: sampling } = service();
  const early = new FakeWorker(sampling, 0);
  sampling.setReached(ReachedStratum.head, 'c0000000000000');
  const late = new FakeWorker(sampling, 1);
  for (const worker of [early, late]) {
    t.equal(worker.reached(ReachedStratum.head), 'c0000000000000');
    t.equal(worker.reached(ReachedStratum.error), always);
  }
  t.same(sampling.overview().passing, { head: 0.25, error: 1 });
  t.end();
});

t.test('a clock that is set back stops nothing', (t) => {
  let nowMs = 100_000;
  const sampling = new SamplingService({
    settings: tenTraces,
    setsThresholds: true,
    replicas: () => 1,
    stats: new WorkerStats(() => undefined),
    clock: () => nowMs,
  });
  const worker = new FakeWorker(sampling, 0);
  worker.own(1, items);
  nowMs = 5_000;
  for (let tick = 0; tick < 40; tick++) {
    worker.count(1, 100);
    nowMs += shortBeatMs;
    sampling.tick();
  }
  near(t, probabilityOf(worker.threshold(1)), 0.01);
  t.equal(sampling.overview().keys[0]!.requestsPerSecond, 1000);
  t.end();
});

t.test(
  'requests with and without a trace of their caller are told apart by direction, of all workers together',
  (t) => {
    const { service: sampling, run, metrics } = service();
    const workers = [new FakeWorker(sampling, 0), new FakeWorker(sampling, 1)];
    const count = (worker: FakeWorker, counter: ContextCounter, times: number) => {
      for (let index = 0; index < times; index++) worker.memory.countContext(counter);
    };
    count(workers[0]!, ContextCounter.outboundWithout, 3);
    count(workers[1]!, ContextCounter.outboundWithout, 4);
    count(workers[1]!, ContextCounter.outboundWith, 2);
    run(1);
    count(workers[0]!, ContextCounter.inboundWithout, 5);
    count(workers[0]!, ContextCounter.inboundWith, 6);
    count(workers[0]!, ContextCounter.outboundWithout, 1);
    run(1);
    const counted = [...metrics().matchAll(/^envoy_sampling_(\w+_context)\{?\}? (\d+)$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]);
    t.strictSame(Object.fromEntries(counted), {
      inbound_with_context: 6,
      inbound_without_context: 5,
      outbound_with_context: 2,
      outbound_without_context: 8,
    });
    t.end();
  },
);
