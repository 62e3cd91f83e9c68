// Where outrigger shows or does something else than Envoy, on purpose: the section "Changes of the configuration" of
// docs/differences-from-envoy.md. An entry that explains nothing any more fails the test.

import { absent, type Difference } from './dynamic-comparison.ts';

export interface AcceptedDifference {
  readonly reason: string;
  readonly explains: (difference: Difference) => boolean;
}

export const acceptedDifferences: readonly AcceptedDifference[] = [
  {
    reason: 'the cluster that leads to the control plane is no cluster of requests',
    explains: ({ field, envoy, outrigger }) =>
      (/\bcontrol-plane\b/.test(field) && !field.startsWith('dump.') && outrigger === absent) ||
      (field === 'stat.cluster_manager.active_clusters' && Number(envoy) === Number(outrigger) + 1),
  },
  {
    reason: 'a cluster is added when it serves: not one that is refused, nor the one of the control plane',
    explains: ({ field, envoy, outrigger }) =>
      field === 'stat.cluster_manager.cluster_added' && Number(envoy) > Number(outrigger),
  },
  {
    reason: 'every new state of members counts as an update of their cluster, also one that changes nothing',
    explains: ({ field, envoy, outrigger }) =>
      field === 'stat.cluster_manager.cluster_updated' && Number(outrigger) > Number(envoy),
  },
  {
    reason: 'whatever was refused is shown with its name, and the reason',
    explains: ({ field, envoy }) => field.startsWith('dump.') && !field.includes('_state.') && envoy === absent,
  },
  {
    reason: 'in the state-of-the-world protocol the version of a resource is that of the last response that had it',
    explains: ({ protocol, field, envoy, outrigger }) =>
      protocol === 'GRPC' && /^dump\..*(version_info|_state)$/.test(field) && envoy !== absent && outrigger !== absent,
  },
  {
    reason: 'the version of a listener is that of its last state, also when only its filter chains changed',
    explains: ({ protocol, field, envoy, outrigger }) =>
      protocol === 'DELTA_GRPC' &&
      /^dump\.dynamic_listeners\..*\.active_state$/.test(field) &&
      envoy !== absent &&
      outrigger !== absent,
  },
  {
    reason: 'what never came has no version',
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.version_text') && envoy === '""' && outrigger === absent,
  },
  {
    reason: 'a cluster with the name of a static one is refused; Envoy says that it took it, and does not',
    explains: ({ step, field }) =>
      step === 'the name of a static cluster' && field.startsWith('stat.cluster_manager.cds.'),
  },
  {
    reason: 'statistics of a cluster begin with its first request',
    explains: ({ field }) => /^stat\.cluster\.[^.]+\.(update_|init_fetch_|version_|membership_)/.test(field),
  },
  {
    reason: 'nothing is counted of a type that nobody was asked for yet',
    explains: ({ field, envoy, outrigger }) =>
      /^stat\.listener_manager\.lds\./.test(field) && (envoy === '0' || envoy === '""') && outrigger === absent,
  },
  {
    reason: 'clusters and listeners that are waited for are one state, and a process that waits is not live',
    explains: ({ field, envoy, outrigger }) =>
      (field === 'ready' && envoy === 'PRE_INITIALIZING' && outrigger === 'INITIALIZING') ||
      (field === 'stat.server.state' && envoy === '2' && outrigger === '3') ||
      (field === 'stat.server.live' && outrigger === '0'),
  },
  {
    reason: 'routes of which the control plane says that they do not exist are not waited for',
    explains: ({ sequence, protocol }) => sequence === 'routes that are not there' && protocol === 'DELTA_GRPC',
  },
];
