// Listeners that come, change and go.

import type { Sequence } from '../dynamic-comparison.ts';
import { appMesh, changed, listener, rdsChain, routesTo, staticCluster } from '../mesh.ts';
import type { Stage } from '../sequences.ts';

export function listenerSequences({ first, second, ports }: Stage): readonly Sequence[] {
  const [a, b, c] = ports;
  const mesh = changed(appMesh(a, [first]), {
    clusters: { other: staticCluster('other', [second]) },
    routes: { second: routesTo('other') },
  });
  const two = changed(mesh, { listeners: { more: listener(b, [rdsChain('second')]) } });
  const withWeb = (web: object) => changed(two, { listeners: { web: web as never } });
  const loopback = { filter_chain_match: { source_prefix_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] } };
  return [
    {
      name: 'listeners',
      steps: [
        { name: 'first push', mesh, answers: [[a, '/', '200 first']] },
        {
          name: 'another one',
          mesh: two,
          answers: [
            [a, '/', '200 first'],
            [b, '/', '200 second'],
          ],
        },
        {
          name: 'another filter chain',
          mesh: withWeb(
            listener(a, [rdsChain('all', { name: 'all' }), rdsChain('second', { name: 'local', ...loopback })]),
          ),
          answers: [[b, '/', '200 second']],
        },
        {
          name: 'the chain replaced',
          mesh: withWeb(listener(a, [rdsChain('second')])),
          answers: [[b, '/', '200 second']],
        },
        {
          name: 'another port',
          mesh: withWeb(listener(c, [rdsChain('all')])),
          answers: [
            [b, '/', '200 second'],
            [c, '/', '200 first'],
          ],
        },
        { name: 'removed', mesh: changed(two, { listeners: { web: null } }), answers: [[b, '/', '200 second']] },
        {
          name: 'there again',
          mesh: two,
          answers: [
            [a, '/', '200 first'],
            [b, '/', '200 second'],
          ],
        },
      ],
    },
    {
      name: 'listeners that swap ports',
      steps: [
        {
          name: 'first push',
          mesh: two,
          answers: [
            [a, '/', '200 first'],
            [b, '/', '200 second'],
          ],
        },
        {
          name: 'swapped',
          mesh: changed(two, {
            listeners: { web: listener(b, [rdsChain('all')]), more: listener(a, [rdsChain('second')]) },
          }),
        },
      ],
    },
    {
      name: 'a port that is taken',
      steps: [
        { name: 'first push', mesh, answers: [[a, '/', '200 first']] },
        {
          name: 'by another listener',
          mesh: changed(mesh, { listeners: { more: listener(a, [rdsChain('second')]) } }),
          answers: [[a, '/', '200 first']],
        },
      ],
    },
  ];
}
