// Routes that change under connections that stay.

import type { Sequence } from '../dynamic-comparison.ts';
import { appMesh, changed, listener, rdsChain, routesTo, staticCluster, virtualHost } from '../mesh.ts';
import type { Stage } from '../sequences.ts';

export function routeSequences({ first, second, ports: [port] }: Stage): readonly Sequence[] {
  const mesh = changed(appMesh(port, [first]), { clusters: { other: staticCluster('other', [second]) } });
  const withRoute = (route: object) =>
    changed(mesh, { routes: { all: { virtual_hosts: [virtualHost([{ match: { prefix: '/' }, ...route }])] } } });
  const named = changed(mesh, {
    listeners: { web: listener(port, [rdsChain('named')]) },
    routes: { named: routesTo('other'), all: null },
  });
  return [
    {
      name: 'routes',
      steps: [
        { name: 'first push', mesh, answers: [[port, '/', '200 first']] },
        {
          name: 'by weights',
          mesh: withRoute({
            route: {
              weighted_clusters: {
                clusters: [
                  { name: 'app', weight: 0 },
                  { name: 'other', weight: 5 },
                ],
              },
            },
          }),
          answers: [[port, '/', '200 second']],
        },
        {
          name: 'a direct response',
          mesh: withRoute({ direct_response: { status: 418, body: { inline_string: 'short' } } }),
          answers: [[port, '/', '418 short']],
        },
        { name: 'a redirect', mesh: withRoute({ redirect: { path_redirect: '/x' } }), answers: [[port, '/', '301']] },
        {
          name: 'of another path only',
          mesh: withRoute({ match: { prefix: '/a' }, route: { cluster: 'app', prefix_rewrite: '/b' } }),
          answers: [
            [port, '/', '404'],
            [port, '/a', '200 first'],
          ],
        },
        {
          name: 'to a cluster that is nowhere',
          mesh: withRoute({ route: { cluster: 'nowhere' } }),
          answers: [[port, '/', '503']],
        },
        { name: 'without virtual hosts', mesh: changed(mesh, { routes: { all: {} } }), answers: [[port, '/', '404']] },
        { name: 'another name', mesh: named, answers: [[port, '/', '200 second']] },
        {
          name: 'removed, which changes nothing',
          mesh: changed(named, { routes: { named: null } }),
          answers: [[port, '/', '200 second']],
        },
      ],
    },
    {
      name: 'routes that are not there',
      steps: [
        { name: 'first push', mesh: changed(mesh, { routes: { all: null } }), answers: [[port, '/', '404']] },
        { name: 'they come', mesh, answers: [[port, '/', '200 first']] },
        {
          name: 'another name that is not there',
          mesh: changed(mesh, { listeners: { web: listener(port, [rdsChain('missing')]) } }),
          answers: [[port, '/', '404']],
        },
      ],
    },
  ];
}
