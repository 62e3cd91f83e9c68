// The control plane and the process: absent, restarted, with other state.

import type { Sequence } from '../dynamic-comparison.ts';
import { appMesh, assignment, changed, members, routesTo, staticCluster } from '../mesh.ts';
import type { Stage } from '../sequences.ts';

export function processSequences({ first, second, ports: [port] }: Stage): readonly Sequence[] {
  const mesh = appMesh(port, [first]);
  const served = [[port, '/', '200 first']] as const;
  return [
    {
      name: 'a control plane that is restarted',
      steps: [
        { name: 'first push', mesh, answers: served },
        { name: 'gone', controlPlane: 'stops', answers: served },
        {
          name: 'back with other state',
          controlPlane: 'starts',
          mesh: changed(mesh, { assignments: { app: assignment('app', [members([second])]) } }),
          answers: [[port, '/', '200 second']],
        },
        { name: 'gone again', controlPlane: 'stops', answers: [[port, '/', '200 second']] },
        {
          name: 'back with less',
          controlPlane: 'starts',
          mesh: { ...mesh, clusters: { other: staticCluster('other', [first]) }, routes: { all: routesTo('other') } },
          answers: served,
        },
      ],
    },
    {
      name: 'a control plane that is absent at the start',
      startsAlone: true,
      initialFetchTimeout: '0s',
      steps: [{ name: 'alone' }, { name: 'it comes', controlPlane: 'starts', mesh, answers: served }],
    },
    {
      name: 'a control plane that is absent for longer than is waited',
      startsAlone: true,
      initialFetchTimeout: '1s',
      steps: [{ name: 'alone' }, { name: 'it comes', controlPlane: 'starts', mesh, answers: served }],
    },
    {
      name: 'runtime',
      bootstrap: {
        layered_runtime: {
          layers: [
            { name: 'static', static_layer: { 'some.key': 1 } },
            { name: 'pushed', rtds_layer: { name: 'layer', rtds_config: { ads: {}, resource_api_version: 'V3' } } },
          ],
        },
      },
      steps: [
        { name: 'first push', mesh: { ...mesh, runtime: { layer: { layer: { 'some.key': 2 } } } }, answers: served },
        {
          name: 'changed',
          mesh: { ...mesh, runtime: { layer: { layer: { 'some.key': 3, 'other.key': 'x' } } } },
          answers: served,
        },
        { name: 'emptied', mesh: { ...mesh, runtime: { layer: { layer: {} } } }, answers: served },
      ],
    },
  ];
}
