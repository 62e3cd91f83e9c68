// What the sidecar of a pod may ask of the agent, and who may take a sidecar's place. A pod is enrolled with the agent's
// capabilities, by a process that has none: nothing that it asks for may reach beyond its own pod.

import type { CaptureSettings } from '../capture/settings.ts';
import type { PeerIdentity } from './peer-identity.ts';

/**
 * Whether this is the process after `holder` in a hot restart: another one of the same container and user, which enrols while
 * the one before still serves. The one before holds the pod no more.
 */
export function isSuccessor(peer: Pick<PeerIdentity, 'processId' | 'uid' | 'pod'>, holder: typeof peer): boolean {
  const container = peer.pod?.containerPath;
  const isSameContainer = container !== undefined && container === holder.pod?.containerPath;
  return isSameContainer && peer.uid === holder.uid && peer.processId !== holder.processId;
}

/** The settings as the pod's programs get them: the proxy is known by the cgroup of its container. */
export function planSettings(settings: CaptureSettings, { pod }: PeerIdentity): CaptureSettings {
  const cgroup = pod?.containerPath;
  return cgroup === undefined ? settings : { ...settings, proxy: { ...settings.proxy, cgroup } };
}

/** What the settings of a pod may not ask of the node. */
export function reachProblem(
  { pod }: PeerIdentity,
  { outbound, proxy, shortcut, events }: CaptureSettings,
): string | undefined {
  if (shortcut.enabled || events) {
    const what = shortcut.enabled ? 'shortcut.enabled' : 'events';
    return `settings say ${what}, which the agent does not do: a sidecar that loads programs itself can`;
  }
  if (pod === undefined) return undefined;
  const named = [
    ...outbound.includeCgroups,
    ...outbound.excludeCgroups,
    ...(proxy.cgroup === undefined ? [] : [proxy.cgroup]),
  ];
  const stray = named.find((path) => path !== pod.path && !path.startsWith(`${pod.path}/`));
  return stray === undefined ? undefined : `settings name the cgroup ${stray}, which is not of pod ${pod.uid}`;
}
