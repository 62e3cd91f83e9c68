import t from 'tap';
import { emptySnapshot, type SnapshotDelta } from '../../../config/snapshot.ts';
import { listenerManagerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { clusterManagerStats } from '../../../proxy/telemetry/server-stats.ts';
import { SnapshotStats } from '../../../proxy/telemetry/snapshot-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { answering } from '../../support/listener-fixtures.ts';

const nothing = { set: [], removed: [] };
const noChange: SnapshotDelta = {
  generation: 1,
  listeners: nothing,
  clusters: nothing,
  assignments: nothing,
  routes: nothing,
  secrets: nothing,
};

function fixture() {
  const store = new StatsStore();
  const counted = new SnapshotStats(new WorkerStats((message) => store.accept(-1, message)), 2);
  const clusters = () => {
    const { clusterAdded, clusterModified, clusterRemoved, activeClusters, warmingClusters } = clusterManagerStats;
    const group = store.get(clusterManagerStats)!;
    return [clusterAdded, clusterModified, clusterRemoved, activeClusters, warmingClusters].map((each) =>
      group.value(each),
    );
  };
  const listeners = () => {
    const { listenerAdded, listenerModified, listenerRemoved } = listenerManagerStats;
    const { totalListenersActive, totalListenersWarming } = listenerManagerStats;
    const group = store.get(listenerManagerStats)!;
    return [listenerAdded, listenerModified, listenerRemoved, totalListenersActive, totalListenersWarming].map((each) =>
      group.value(each),
    );
  };
  return { counted, store, clusters, listeners };
}

t.test('members that change are an update of their cluster, the first ones are not', async (t) => {
  const { counted, store } = fixture();
  const members = { localities: [], overprovisioningFactorPercent: 140 };
  const first = { ...noChange, assignments: { set: [['a', members] as const], removed: [] } };
  const updated = () => store.get(clusterManagerStats)!.value(clusterManagerStats.clusterUpdated);
  counted.onPublished(first, emptySnapshot);
  t.equal(updated(), 0);
  counted.onPublished(first, { ...emptySnapshot, assignments: new Map([['a', members]]) });
  t.equal(updated(), 1);
});

t.test('clusters and listeners are counted as they come, change and go', (t) => {
  const { counted, store, clusters, listeners } = fixture();
  const cluster = clusterOf('a', [1]);
  const listener = answering('l', 'x');
  counted.onPublished({ ...noChange, clusters: { set: [['a', cluster]], removed: [] } }, emptySnapshot);
  t.same(clusters(), [1, 0, 0, 1, 0]);
  const before = {
    ...emptySnapshot,
    clusters: new Map([['a', cluster]]),
    listeners: new Map([['gone', listener]]),
  };
  counted.onPublished(
    {
      ...noChange,
      clusters: {
        set: [
          ['a', cluster],
          ['b', cluster],
        ],
        removed: ['nobody'],
      },
      listeners: { set: [['l', listener]], removed: ['gone'] },
    },
    before,
  );
  t.same(clusters(), [2, 1, 0, 2, 0]);
  t.same(listeners(), [1, 0, 1, 1, 0]);
  counted.onPublished(noChange, before);
  t.same(
    [clusters(), listeners()],
    [
      [2, 1, 0, 1, 0],
      [1, 0, 1, 1, 0],
    ],
    'gauges follow the snapshot',
  );
  const manager = store.get(listenerManagerStats)!;
  t.equal(manager.value(listenerManagerStats.listenerCreateSuccess), 2, 'once for each worker');
  t.end();
});

t.test('what waits and what fails is counted when it is told', (t) => {
  const { counted, store, clusters, listeners } = fixture();
  counted.setWarming({ clusters: 3, listeners: 4 });
  counted.countListenFailure();
  t.same([clusters().at(-1), listeners().at(-1)], [3, 4]);
  counted.countUpdatedInPlace(2);
  const manager = store.get(listenerManagerStats)!;
  t.equal(manager.value(listenerManagerStats.listenerCreateFailure), 1);
  t.equal(manager.value(listenerManagerStats.listenerInPlaceUpdated), 2);
  t.end();
});
