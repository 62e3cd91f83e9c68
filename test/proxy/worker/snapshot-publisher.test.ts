import t from 'tap';
import type { Snapshot } from '../../../config/snapshot.ts';
import {
  assignmentOf,
  changeOf,
  dnsCluster,
  makePublisher,
  namesOf,
  plainCluster,
  servingPublisher,
} from '../../support/publisher-bench.ts';

t.test('nothing is published before everything that is served first was told', (t) => {
  const { publisher, deltas, snapshots, nextTurn, waits } = makePublisher();
  publisher.update(changeOf({ clusters: [plainCluster('a')] }));
  publisher.update(changeOf({ clusters: [plainCluster('b')], listeners: ['http'] }));
  publisher.setRuntime(new Map([['key', 1]]));
  nextTurn();
  t.same(deltas, []);
  publisher.ready();
  t.equal(deltas.length, 1);
  t.equal(namesOf(deltas[0]!), 'cluster a, cluster b, listener http');
  t.equal(deltas[0]!.generation, 1);
  t.same([...deltas[0]!.runtime!], [['key', 1]]);
  t.same(snapshots, [{ ...snapshots[0], generation: 1 }]);
  t.same(waits, []);
  t.end();
});

t.test('who has gathered the changes of a turn need not wait for its end', (t) => {
  const { publisher, published, nextTurn } = makePublisher();
  publisher.update(changeOf({ clusters: [plainCluster('a')] }));
  publisher.flush();
  t.same(published(), [], 'but for what is served first');
  publisher.ready();
  publisher.update(changeOf({ clusters: [plainCluster('b')] }));
  publisher.flush();
  t.same(published(1), ['cluster b']);
  nextTurn();
  t.same(published(2), [], 'once');
  t.end();
});

t.test('a configuration without anything in it is published too', (t) => {
  const { publisher, deltas } = makePublisher();
  publisher.ready();
  t.equal(deltas[0]?.generation, 1);
  t.end();
});

t.test('the first publication waits until every DNS cluster was asked once', (t) => {
  const { publisher, deltas, snapshots, waits, resolving, nextTurn } = makePublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('a'), plainCluster('plain'), dnsCluster('b')] }));
  t.same(resolving, [['a', 'b']], 'it does not wait with its questions');
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  publisher.ready();
  t.equal(waits[0]?.delayMs, 15_000);
  t.same([snapshots.length, snapshots[0]?.generation], [1, 0], 'admin pages know the snapshot that waits');
  nextTurn();
  t.same(deltas, []);
  publisher.setAssignment('b', assignmentOf('10.0.0.2'));
  nextTurn();
  t.equal(namesOf(deltas[0]!), 'cluster a, cluster plain, cluster b, members a, members b');
  t.equal(deltas[0]!.generation, 1);
  t.same(waits, [], 'the wait is over');
  t.end();
});

t.test('the wait is bounded, and says for whom it was', (t) => {
  const { publisher, late, waits, published, nextTurn } = makePublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('a'), dnsCluster('silent')] }));
  publisher.ready();
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  nextTurn();
  waits[0]!.callback();
  t.same(late, [['silent']]);
  publisher.setAssignment('silent', assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(published(), ['cluster a, cluster silent, members a', 'members silent'], 'what is known is published');
  t.end();
});

t.test('a cluster that leaves while it is waited for is waited for no more', (t) => {
  const { publisher, published, nextTurn } = makePublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('a')] }));
  publisher.ready();
  publisher.update(changeOf({ removedClusters: ['a'] }));
  nextTurn();
  t.same(published(), ['-cluster a, -members a']);
  t.end();
});

t.test('what is known in one turn is one delta with the next generation', (t) => {
  const { publisher, deltas, snapshots, nextTurn } = servingPublisher();
  publisher.update(changeOf({ clusters: [plainCluster('b')], assignments: [['b', assignmentOf('10.0.0.1')]] }));
  publisher.update(changeOf({ routes: ['r'], assignments: [['b', assignmentOf('10.0.0.2')]] }));
  t.same(deltas, []);
  nextTurn();
  t.same(deltas.map(namesOf), ['cluster b, members b, routes r']);
  t.equal(deltas[0]!.generation, 2);
  t.same(deltas[0]!.assignments.set, [['b', assignmentOf('10.0.0.2')]], 'the last word');
  t.equal(deltas[0]!.runtime, undefined);
  const [before, after] = snapshots.slice(-2) as [Snapshot, Snapshot];
  t.same([...after.clusters.keys()], ['plain', 'b']);
  t.equal(after.listeners, before.listeners, 'a map that did not change is not copied');
  nextTurn();
  t.equal(deltas.length, 1, 'nothing is published for nothing');
  publisher.update(changeOf({ removedClusters: ['b'] }));
  nextTurn();
  t.equal(deltas[1]!.generation, 3);
  t.same([...snapshots.at(-1)!.assignments], [], 'members leave with their cluster');
  t.end();
});

t.test('members of one turn are one delta, those of a cluster that has left are nobody’s', (t) => {
  const { publisher, published, nextTurn } = makePublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('a'), dnsCluster('b')] }));
  publisher.ready();
  for (const name of ['a', 'b', 'gone']) publisher.setAssignment(name, assignmentOf('10.0.0.1'));
  nextTurn();
  for (const name of ['a', 'b', 'gone']) publisher.setAssignment(name, assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(published(1), ['members a, members b']);
  t.end();
});

t.test('runtime values go out at once, with what waits for the end of the turn', (t) => {
  const { publisher, deltas, nextTurn } = servingPublisher();
  publisher.update(changeOf({ routes: ['r'] }));
  publisher.setRuntime(new Map([['a', 1]]));
  t.same([namesOf(deltas[0]!), ...deltas[0]!.runtime!], ['routes r', ['a', 1]]);
  nextTurn();
  t.equal(deltas.length, 1);
  t.end();
});

t.test('a DNS cluster that comes later is kept back with what relies on it, the rest is not', (t) => {
  const { publisher, published, waits, nextTurn } = servingPublisher();
  publisher.update(
    changeOf({
      clusters: [dnsCluster('dns'), plainCluster('other')],
      assignments: [['other', assignmentOf('10.0.0.1')]],
      routes: ['r'],
      listeners: ['http'],
      removedClusters: ['plain'],
    }),
  );
  nextTurn();
  t.same(published(), ['cluster other, members other']);
  publisher.update(changeOf({ assignments: [['other', assignmentOf('10.0.0.2')]], routes: ['later'] }));
  nextTurn();
  t.same(published(1), ['members other'], 'later routes stand behind those that wait');
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(published(2), [
    'cluster dns, -cluster plain, members dns, -members plain, routes r, routes later, listener http',
  ]);
  t.same(waits, []);
  t.end();
});

t.test('each wait is bounded by itself', (t) => {
  const { publisher, published, late, waits, nextTurn } = servingPublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('a')], routes: ['of-a'] }));
  publisher.update(changeOf({ clusters: [dnsCluster('b')], routes: ['of-b'] }));
  publisher.setAssignment('b', assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(published(), []);
  waits[0]!.callback();
  t.same(late, [['a']]);
  t.same(published(), ['cluster a, cluster b, members b, routes of-a, routes of-b']);
  t.end();
});

t.test('a change ahead of those that wait is not undone by them', (t) => {
  const { publisher, snapshots, nextTurn } = servingPublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], removedClusters: ['plain'] }));
  publisher.update(changeOf({ clusters: [plainCluster('plain')], assignments: [['plain', assignmentOf('10.0.0.1')]] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same([...snapshots.at(-1)!.clusters.keys()].sort(), ['dns', 'plain']);
  t.same([...snapshots.at(-1)!.assignments.keys()].sort(), ['dns', 'plain']);
  t.end();
});

t.test('a DNS cluster with members that changes is kept back by nothing', (t) => {
  const { publisher, published, nextTurn } = servingPublisher();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], routes: ['r'] }));
  nextTurn();
  t.same(published(1), ['cluster dns, routes r']);
  t.end();
});

t.test('a kept-back cluster that is found another way, or leaves, keeps nothing back', (t) => {
  for (const second of [{ clusters: [plainCluster('dns')] }, { removedClusters: ['dns'] }]) {
    const { publisher, published, resolving, nextTurn } = servingPublisher();
    publisher.update(changeOf({ clusters: [dnsCluster('dns')], routes: ['r'] }));
    publisher.update(changeOf(second));
    t.same(resolving, [['dns'], []]);
    nextTurn();
    t.equal(published().length, 1);
    t.match(published()[0], 'routes r');
  }
  t.end();
});

t.test('secrets go out ahead of what waits for members, and go when it has come', (t) => {
  const { publisher, published, nextTurn } = servingPublisher();
  publisher.update(changeOf({ secrets: ['old'] }));
  nextTurn();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], secrets: ['new'], removedSecrets: ['old'] }));
  nextTurn();
  t.same(published(), ['secret old', 'secret new']);
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(published(2), ['-secret old, cluster dns, members dns']);
  t.end();
});

t.test('a secret that comes back is not removed by an older change that waited', (t) => {
  const { publisher, published, snapshots, nextTurn } = servingPublisher();
  publisher.update(changeOf({ secrets: ['a'] }));
  nextTurn();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], removedSecrets: ['a'] }));
  publisher.update(changeOf({ secrets: ['a'] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(published(1), ['secret a, cluster dns, members dns']);
  t.same([...snapshots.at(-1)!.secrets.keys()], ['a']);
  t.end();
});
