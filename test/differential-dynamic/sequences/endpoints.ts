// Members of a cluster that change.

import type { Sequence } from '../dynamic-comparison.ts';
import { appMesh, assignment, changed, members } from '../mesh.ts';
import type { Stage } from '../sequences.ts';

const noMember = '503';

export function endpointSequences({ first, second, ports: [port] }: Stage): readonly Sequence[] {
  const mesh = appMesh(port, [first]);
  const withMembers = (...localities: Parameters<typeof assignment>[1]) =>
    changed(mesh, { assignments: { app: assignment('app', localities) } });
  const none = { load_balancing_weight: 1, priority: 0 };
  return [
    {
      name: 'endpoints',
      steps: [
        { name: 'first push', mesh, answers: [[port, '/', '200 first']] },
        { name: 'replaced', mesh: withMembers(members([second])), answers: [[port, '/', '200 second']] },
        { name: 'emptied', mesh: withMembers(), answers: [[port, '/', noMember]] },
        { name: 'an empty locality', mesh: withMembers(members([], none)), answers: [[port, '/', noMember]] },
        { name: 'back', mesh: withMembers(members([first])), answers: [[port, '/', '200 first']] },
        {
          name: 'unhealthy',
          mesh: withMembers(members([first], {}, { health_status: 'UNHEALTHY' }), members([second], { priority: 1 })),
          answers: [[port, '/', '200 second']],
        },
        {
          name: 'draining',
          mesh: withMembers(members([first], {}, { health_status: 'DRAINING' }), members([second], { priority: 1 })),
          answers: [[port, '/', '200 second']],
        },
        {
          name: 'priorities swapped',
          mesh: withMembers(members([second]), members([first], { priority: 1 })),
          answers: [[port, '/', '200 second']],
        },
        {
          name: 'priorities swapped back',
          mesh: withMembers(members([first]), members([second], { priority: 1 })),
          answers: [[port, '/', '200 first']],
        },
        {
          name: 'weights and localities',
          mesh: withMembers(
            members(
              [first],
              { locality: { region: 'r', zone: 'z' }, load_balancing_weight: 3 },
              { load_balancing_weight: 7 },
            ),
          ),
          answers: [[port, '/', '200 first']],
        },
        {
          name: 'removed, which changes nothing',
          mesh: changed(mesh, { assignments: { app: null } }),
          answers: [[port, '/', '200 first']],
        },
      ],
    },
  ];
}
