import t from 'tap';
import type { ConfigSource } from '../../../config/config-source.ts';
import { InitialFetch } from '../../../xds/assembly/initial-fetch.ts';

const all = { hasRuntime: true, hasClusters: true, hasListeners: true };
const type = (shortName: string) => ({ typeUrl: shortName, shortName, nameOf: () => '' });

function makeFetch(timeoutMs: number, { hasListeners = true } = {}) {
  const asked: string[] = [];
  const timers = new Map<() => void, number>();
  const source: ConfigSource = { kind: 'ads', initialFetchTimeoutMs: timeoutMs };
  let due = 0;
  const fetch = new InitialFetch({
    clusters: { type: type('cds'), source },
    listeners: { type: type('lds'), source: hasListeners ? source : undefined },
    sources: {
      problemWith: () => undefined,
      nameOf: () => 'ads',
      subscriptions: () => ({
        subscribe: (typeUrl, name) => asked.push(`${typeUrl} ${name}`),
        unsubscribe: () => undefined,
      }),
    },
    schedule: (delayMs, callback) => {
      timers.set(callback, delayMs);
      return () => timers.delete(callback);
    },
    onDue: () => due++,
  });
  return { fetch, asked, timers, due: () => due };
}

t.test('clusters are asked for after the runtime, listeners after the first clusters', async (t) => {
  const { fetch, asked, timers } = makeFetch(10);
  t.equal(fetch.advance({ ...all, hasRuntime: false }), 'runtime');
  t.same(asked, []);
  t.equal(fetch.advance(all), 'clusters');
  t.same(asked, ['cds *']);
  fetch.clusters.onAnswer();
  t.equal(timers.size, 0, 'the answer ends the wait');
  t.equal(fetch.advance({ ...all, hasClusters: false }), 'clusters');
  t.same(asked, ['cds *', 'lds *'], 'though the clusters are warming');
  t.equal(fetch.advance(all), 'listeners');
  fetch.listeners.onAnswer();
  t.equal(fetch.advance({ ...all, hasListeners: false }), 'listeners');
  t.equal(fetch.advance(all), 'complete');
  t.equal(fetch.advance({ hasRuntime: false, hasClusters: false, hasListeners: false }), 'complete', 'for good');
});

t.test('the time of a source ends the wait, and is due', async (t) => {
  const { fetch, timers, due } = makeFetch(10);
  fetch.advance(all);
  t.same([...timers.values()], [10]);
  for (const callback of timers.keys()) callback();
  t.equal(due(), 1);
  t.equal(fetch.advance(all), 'listeners');
});

t.test('a time of zero is none, and a type without a source is not asked for', async (t) => {
  const { fetch, asked, timers } = makeFetch(0, { hasListeners: false });
  t.equal(fetch.advance(all), 'clusters');
  t.equal(timers.size, 0);
  fetch.clusters.onAnswer();
  t.equal(fetch.advance(all), 'complete');
  t.same(asked, ['cds *']);
});

t.test('an answer that is there before the question counts', async (t) => {
  const { fetch, asked, timers } = makeFetch(10);
  fetch.clusters.onAnswer();
  t.equal(fetch.advance(all), 'listeners');
  t.same(asked, ['cds *', 'lds *']);
  t.equal(timers.size, 1, 'for listeners');
});
