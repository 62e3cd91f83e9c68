import t from 'tap';
import { emptySnapshot, type Snapshot } from '../../../config/snapshot.ts';
import {
  assignmentType,
  clusterType,
  DiscoverySubscriptions,
  everything,
  filterType,
  listenerType,
  routeType,
  runtimeType,
  secretType,
  virtualHostType,
} from '../../../proxy/command/discovery-subscriptions.ts';
import { clusterOf, httpListener, managerOf } from '../../support/data-plane.ts';
import { routeConfigurationOf } from '../../support/on-demand-mesh.ts';

const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;
const listenerOf = (name: string, statPrefix: string) =>
  [name, httpListener(name, managerOf([], { routes: { kind: 'rds', name: 'r', source }, statPrefix }))] as const;

const snapshot: Snapshot = {
  ...emptySnapshot,
  clusters: new Map([['c', clusterOf('c', [], { statName: 'alias' })]]),
  listeners: new Map([listenerOf('one', 'in'), listenerOf('two', 'in'), listenerOf('three', 'out')]),
  routes: new Map([['r', { ...routeConfigurationOf('r', false), hasVirtualHostSource: true }]]),
};

t.test('each type is counted by whom it is for, once', async (t) => {
  const subscriptions = new DiscoverySubscriptions(() => snapshot);
  const of = (typeUrl: string, name: string) => [...subscriptions.of(typeUrl, name)];
  t.same(of(clusterType, everything), [{ kind: 'cds' }]);
  t.same(of(clusterType, 'c'), [{ kind: 'odcds' }]);
  t.same(of(listenerType, everything), [{ kind: 'lds' }]);
  t.same(of(runtimeType, 'layer'), [{ kind: 'rtds' }]);
  t.same(of(assignmentType, 'c'), [{ kind: 'eds', cluster: 'alias' }]);
  const users = ['in', 'out'].map((statPrefix) => ({ statPrefix, routeConfiguration: 'r' }));
  t.same(
    of(routeType, 'r'),
    users.map((user) => ({ kind: 'rds', ...user })),
  );
  for (const name of ['r', everything]) {
    const expected = users.map((user) => ({ kind: 'vhds', ...user }));
    t.same(of(virtualHostType, name), expected, 'of one route configuration, and of all that have any');
  }
  for (const typeUrl of [assignmentType, routeType, virtualHostType]) t.same(of(typeUrl, 'other'), []);
  t.same(of('type.googleapis.com/istio.networking.nds.v1.NameTable', everything), []);
});

t.test('secrets and filters count while they are subscribed to', async (t) => {
  const subscriptions = new DiscoverySubscriptions(() => null);
  const of = (typeUrl: string, name: string) => [...subscriptions.of(typeUrl, name)];
  t.same([...of(secretType, 'a'), ...of(filterType, 'a'), ...of(routeType, 'a'), ...of(virtualHostType, 'a')], []);
  subscriptions.add(secretType, 'a');
  t.same(of(secretType, 'a'), [{ kind: 'sds', secret: 'a' }]);
  t.ok(subscriptions.addFilter('http-filter', 'a'));
  t.notOk(subscriptions.addFilter('http-filter', 'a'));
  t.ok(subscriptions.addFilter('network-filter', 'a'));
  t.same(of(filterType, 'a'), [
    { kind: 'http-filter', name: 'a' },
    { kind: 'network-filter', name: 'a' },
  ]);
  for (const typeUrl of [secretType, filterType]) subscriptions.delete(typeUrl, 'a');
  t.same([...of(secretType, 'a'), ...of(filterType, 'a')], []);
});

t.test('routes that nobody serves yet are counted later, and their virtual hosts', async (t) => {
  const subscriptions = new DiscoverySubscriptions(() => null);
  const awaited = () =>
    [routeType, virtualHostType, secretType].map((typeUrl) => subscriptions.isAwaited(typeUrl, 'r')).join(' ');
  t.equal(awaited(), 'false false false');
  subscriptions.add(routeType, 'r');
  t.equal(awaited(), 'true true false');
  t.ok(subscriptions.isAwaited(virtualHostType, everything));
  subscriptions.delete(routeType, 'r');
  t.equal(awaited(), 'false false false');
  t.notOk(subscriptions.isAwaited(virtualHostType, everything));
});
