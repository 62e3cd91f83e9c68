import t from 'tap';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import { emptySnapshot, type Snapshot } from '../../../config/snapshot.ts';
import { SamplingReplicas } from '../../../proxy/command/sampling-replicas.ts';
import { makeAssignment, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';

const members = (...ips: readonly string[]) => makeAssignment([makeLocality(ips.map((ip) => makeEndpoint(ip)))]);

function snapshot(generation: number, assignments: Readonly<Record<string, LoadAssignment>>): Snapshot {
  return { ...emptySnapshot, generation, assignments: new Map(Object.entries(assignments)) };
}

t.test('our instances are the members of the service that has us among them', (t) => {
  const replicas = new SamplingReplicas('10.0.0.1');
  t.equal(replicas.count(null), 1, 'before there is a configuration');
  const first = { reviews: members('10.0.0.1', '10.0.0.2', '10.0.0.3'), other: members('10.0.1.1', '10.0.1.2') };
  t.equal(replicas.count(snapshot(1, first)), 3);
  t.equal(replicas.count(snapshot(1, {})), 3, 'a generation that is known is not looked through again');
  t.equal(replicas.count(snapshot(2, { reviews: members('10.0.0.1', '10.0.0.2') })), 2);
  t.equal(replicas.count(snapshot(3, { other: members('10.0.1.1', '10.0.1.2') })), 1, 'nobody knows us');
  t.end();
});

t.test('of several with us among them the largest counts, every instance once', (t) => {
  const twoPorts = makeAssignment([
    makeLocality([makeEndpoint('10.0.0.1'), makeEndpoint('10.0.0.1', { port: 81 })]),
    makeLocality([makeEndpoint('10.0.0.2')], { zone: 'b' }),
  ]);
  const assignments = { 'outbound|80|v1|reviews': members('10.0.0.1'), 'outbound|80||reviews': twoPorts };
  t.equal(new SamplingReplicas('10.0.0.1').count(snapshot(1, assignments)), 2);
  t.end();
});

t.test('instances that take no requests take no part of the budget', (t) => {
  const endpoints = [
    makeEndpoint('10.0.0.1'),
    makeEndpoint('10.0.0.2', { health: 'unhealthy' }),
    makeEndpoint('10.0.0.3', { health: 'draining' }),
    makeEndpoint('10.0.0.4', { health: 'degraded' }),
  ];
  t.equal(new SamplingReplicas('10.0.0.1').count(snapshot(1, { a: makeAssignment([makeLocality(endpoints)]) })), 2);
  t.end();
});
