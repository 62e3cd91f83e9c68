// Clusters that come, change and go.

import type { Sequence } from '../dynamic-comparison.ts';
import { appMesh, assignment, changed, edsCluster, members, routesTo, staticCluster } from '../mesh.ts';
import type { Stage } from '../sequences.ts';

export function clusterSequences({ first, second, ports: [port] }: Stage): readonly Sequence[] {
  const mesh = appMesh(port, [first]);
  const other = changed(mesh, {
    clusters: { other: edsCluster() },
    assignments: { other: assignment('other', [members([second])]) },
    routes: { all: routesTo('other') },
  });
  return [
    {
      name: 'clusters',
      steps: [
        { name: 'first push', mesh, answers: [[port, '/', '200 first']] },
        { name: 'a new one and its route', mesh: other, answers: [[port, '/', '200 second']] },
        {
          name: 'route first, then removed',
          mesh: changed(other, { routes: { all: routesTo('app') } }),
          answers: [[port, '/', '200 first']],
        },
        { name: 'removed', mesh, answers: [[port, '/', '200 first']] },
        {
          name: 'a setting',
          mesh: changed(mesh, { clusters: { app: edsCluster({ connect_timeout: '2s', lb_policy: 'LEAST_REQUEST' }) } }),
          answers: [[port, '/', '200 first']],
        },
        {
          name: 'static',
          mesh: changed(mesh, { clusters: { app: staticCluster('app', [second]) }, assignments: { app: null } }),
          answers: [[port, '/', '200 second']],
        },
        {
          name: 'of DNS',
          mesh: changed(mesh, {
            clusters: { app: staticCluster('app', [first], { type: 'STRICT_DNS' }) },
            assignments: { app: null },
          }),
          answers: [[port, '/', '200 first']],
        },
        { name: 'of a control plane again', mesh, answers: [[port, '/', '200 first']] },
      ],
    },
    {
      name: 'a cluster without an assignment',
      steps: [
        {
          name: 'first push',
          mesh: changed(mesh, { assignments: { app: null } }),
          answers: [[port, '/', '503']],
        },
        { name: 'it comes', mesh, answers: [[port, '/', '200 first']] },
        {
          name: 'another waits',
          mesh: changed(mesh, { clusters: { late: edsCluster() } }),
          answers: [[port, '/', '200 first']],
        },
      ],
    },
  ];
}
