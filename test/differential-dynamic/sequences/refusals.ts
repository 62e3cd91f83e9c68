// What is refused, beside what is not.

import type { Sequence } from '../dynamic-comparison.ts';
import {
  adsSource,
  appMesh,
  assignment,
  changed,
  edsCluster,
  listener,
  members,
  rdsChain,
  routesTo,
  socket,
  staticCluster,
} from '../mesh.ts';
import type { Stage } from '../sequences.ts';

export function refusalSequences(stage: Stage): readonly Sequence[] {
  return [
    refusedListeners(stage),
    unopenedLogs(stage),
    refusedClusters(stage),
    refusedFromTheStart(stage),
    refusedRoutes(stage),
  ];
}

function unopenedLogs({ first, ports: [a, b] }: Stage): Sequence {
  const mesh = appMesh(a, [first]);
  const logging = listener(b, [rdsChain('all')], { access_log: accessLogAt('missing-folder/access.log') });
  const served = [[a, '/', '200 first']] as const;
  return {
    name: 'access logs that cannot be opened',
    steps: [
      { name: 'first push', mesh, answers: served },
      {
        name: 'of a new listener',
        mesh: changed(mesh, { listeners: { logging } }),
        answers: served,
      },
      {
        name: 'mended',
        mesh: changed(mesh, {
          listeners: { logging: listener(b, [rdsChain('all')], { access_log: accessLogAt('other.log') }) },
        }),
        answers: [...served, [b, '/', '200 first']],
      },
      {
        name: 'of a newer state',
        mesh: changed(mesh, { listeners: { logging } }),
        answers: [...served, [b, '/', '200 first']],
      },
    ],
  };
}

function accessLogAt(path: string): readonly object[] {
  const type = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';
  return [{ name: 'file', typed_config: { '@type': type, path } }];
}

function refusedListeners({ first, ports: [a, b], taken }: Stage): Sequence {
  const mesh = appMesh(a, [first]);
  const unknownFilter = {
    filters: [{ name: 'unknown', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Struct', value: {} } }],
  };
  const served = [[a, '/', '200 first']] as const;
  return {
    name: 'refused listeners',
    steps: [
      { name: 'first push', mesh, answers: served },
      {
        name: 'an unknown filter beside a good one',
        mesh: changed(mesh, {
          listeners: {
            bad: listener(b, [unknownFilter]),
            web: listener(a, [rdsChain('all')], { per_connection_buffer_limit_bytes: 65536 }),
          },
        }),
        answers: served,
      },
      {
        name: 'mended',
        mesh: changed(mesh, { listeners: { bad: listener(b, [rdsChain('all')]) } }),
        answers: [
          [a, '/', '200 first'],
          [b, '/', '200 first'],
        ],
      },
      {
        name: 'a newer state of one that serves',
        mesh: changed(mesh, {
          listeners: { bad: listener(b, [rdsChain('all')]), web: listener(a, [unknownFilter]) },
        }),
        answers: [
          [a, '/', '200 first'],
          [b, '/', '200 first'],
        ],
      },
      { name: 'taken back', mesh, answers: served },
      {
        name: 'a port of somebody else',
        mesh: changed(mesh, { listeners: { bad: listener(taken, [rdsChain('all')]) } }),
        answers: served,
      },
    ],
  };
}

function refusedClusters({ first, second, ports: [a] }: Stage): Sequence {
  const mesh = appMesh(a, [first]);
  const served = [[a, '/', '200 first']] as const;
  return {
    name: 'refused clusters and members',
    steps: [
      { name: 'first push', mesh, answers: served },
      {
        name: 'a cluster that cannot be, beside a good one',
        mesh: changed(mesh, {
          clusters: {
            bad: staticCluster('bad', [second], { lb_policy: 'CLUSTER_PROVIDED' }),
            good: staticCluster('good', [second]),
          },
          routes: { all: routesTo('good') },
        }),
        answers: [[a, '/', '200 second']],
      },
      { name: 'taken back', mesh, answers: served },
      {
        name: 'members without an address',
        mesh: changed(mesh, {
          assignments: {
            app: assignment('app', [{ lb_endpoints: [{ endpoint: { address: socket(second, 'no.address') } }] }]),
          },
        }),
        answers: served,
      },
      {
        name: 'members again',
        mesh: changed(mesh, { assignments: { app: assignment('app', [members([second])]) } }),
        answers: [[a, '/', '200 second']],
      },
      {
        name: 'the name of a static cluster',
        mesh: changed(mesh, { clusters: { 'control-plane': staticCluster('control-plane', [second]) } }),
        answers: served,
      },
    ],
  };
}

function refusedFromTheStart({ first, ports: [a] }: Stage): Sequence {
  const mesh = appMesh(a, [first]);
  const forEver = adsSource('0s');
  const served = [[a, '/', '200 first']] as const;
  return {
    name: 'refused from the start',
    initialFetchTimeout: '0s',
    steps: [
      {
        name: 'members and routes',
        mesh: changed(mesh, {
          clusters: { app: edsCluster({}, forEver) },
          listeners: { web: listener(a, [rdsChain('all', {}, forEver)]) },
          assignments: { app: assignment('app', [members([first], { priority: 3 })]) },
          routes: {
            all: {
              virtual_hosts: [
                { name: 'a', domains: ['*'] },
                { name: 'b', domains: ['*'] },
              ],
            },
          },
        }),
        answers: [[a, '/', '404']],
      },
      { name: 'mended', mesh, answers: served },
      {
        name: 'other clusters wait for nothing',
        mesh: changed(mesh, { clusters: { more: edsCluster() } }),
        answers: served,
      },
    ],
  };
}

function refusedRoutes({ first, ports: [a] }: Stage): Sequence {
  const mesh = appMesh(a, [first]);
  const served = [[a, '/', '200 first']] as const;
  return {
    name: 'refused routes',
    steps: [
      { name: 'first push', mesh, answers: served },
      {
        name: 'virtual hosts with one domain',
        mesh: changed(mesh, {
          routes: {
            all: {
              virtual_hosts: [
                { name: 'a', domains: ['*'] },
                { name: 'b', domains: ['*'] },
              ],
            },
          },
        }),
        answers: served,
      },
      { name: 'taken back', mesh, answers: served },
    ],
  };
}
