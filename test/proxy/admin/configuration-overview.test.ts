import t from 'tap';
import type { SourceStatus, TypeStatus } from '../../../config/dynamic-state.ts';
import { emptySnapshot } from '../../../config/snapshot.ts';
import { configurationOverview } from '../../../proxy/admin/configuration-overview.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const clusters: TypeStatus = {
  typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  isWildcard: true,
  subscribed: [],
  heldCount: 3,
  version: '8',
  responses: 2,
  bytesReceived: 900,
  lastApplyMs: 1.25,
};
const nack = { version: '8', atMs: 1000, text: 'cluster "a": lb_policy: MAGLEV is not supported\ncluster "b": name' };

function overviewOf(types: readonly TypeStatus[], connection: SourceStatus['connection'] = { kind: 'connecting' }) {
  const source: SourceStatus = { name: 'ads', target: 'istiod:15010', protocol: 'delta', connection, types };
  const dynamic = { sources: () => [source], warming: () => ({ clusters: 0, listeners: 0 }), resources: () => [] };
  return configurationOverview(dynamic, { snapshot: emptySnapshot, bootstrap: null });
}

t.test('a source says how it stands and what it gave', (t) => {
  t.match(overviewOf([clusters, { ...clusters, heldCount: 0 }], { kind: 'connected', sinceMs: 5, controlPlane: '' }), {
    sources: onlyItems({
      name: 'ads',
      state: 'connected',
      sinceMs: 5,
      held: onlyItems({ type: 'Cluster', count: 3 }),
      refused: noItems,
    }),
    sourceCount: 1,
    missingCount: 0,
  });
  const waiting = { kind: 'waiting', untilMs: 2000, lastError: 'no route' } as const;
  t.match(overviewOf([], waiting), { sources: onlyItems({ state: 'waiting', error: 'no route' }) });
  t.end();
});

t.test('a refusal is shown until something was accepted after it', (t) => {
  const refused = { type: 'Cluster', atMs: 1000, reason: 'cluster "a": lb_policy: MAGLEV is not supported', more: 1 };
  t.match(overviewOf([{ ...clusters, lastNack: nack }]), { sources: onlyItems({ refused: onlyItems(refused) }) });
  const before = { ...clusters, lastAck: { version: '7', atMs: 999 }, lastNack: nack };
  t.match(overviewOf([before]), { sources: onlyItems({ refused: onlyItems(refused) }) });
  const after = { ...clusters, lastAck: { version: '9', atMs: 1001 }, lastNack: nack };
  t.match(overviewOf([after]), { sources: onlyItems({ refused: noItems }) });
  t.end();
});

t.test('what is missing is counted, and the first of it named', (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const snapshot = { ...emptySnapshot, clusters: new Map(names.map((name) => [name, clusterOf(name, [])])) };
  const dynamic = { sources: () => [], warming: () => ({ clusters: 0, listeners: 0 }), resources: () => [] };
  const { missing, missingCount } = configurationOverview(dynamic, { snapshot, bootstrap: null }) as {
    missing: string[];
    missingCount: number;
  };
  t.equal(missingCount, 7);
  t.strictSame([missing.length, missing[0]], [5, 'clusters["a"]: its members are not known']);
  t.end();
});
