// Which pod a cgroup belongs to, by the names that kubelet gives (its cgroupfs and systemd drivers):
//   /kubepods/burstable/pod<uid>/<container>
//   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<container>.scope
// Nested clusters put all of it below further folders. The outermost pod counts: a container that may write its own
// cgroups could make one inside that is called like somebody else's pod.

export interface PodCgroup {
  /** As the API server has it, with dashes. */
  readonly uid: string;
  /** Of the pod, from the root of cgroup2, with a slash in front. */
  readonly path: string;
  /** Of the container within it; undefined for the pod's own cgroup. */
  readonly containerPath?: string;
}

/** The pod of a cgroup's path; undefined when it is in none. */
export function podOfCgroup(path: string): PodCgroup | undefined {
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments.includes('..')) return undefined;
  const root = segments.findIndex((segment) => KUBEPODS.test(segment));
  if (root < 0) return undefined;
  const at = segments.findIndex((segment, index) => index > root && POD.test(segment));
  if (at < 0) return undefined;
  const uid = POD.exec(segments[at]!)![1]!.replaceAll('_', '-');
  const pod = `/${segments.slice(0, at + 1).join('/')}`;
  const container = segments[at + 1];
  return { uid, path: pod, ...(container !== undefined && { containerPath: `${pod}/${container}` }) };
}

const KUBEPODS = /^(?:[a-z]+-)?kubepods(?:\.slice)?$/;
// Pods of files on the node (static pods) have a hash for a uid, without dashes.
const POD =
  /^(?:kubepods-(?:[a-z]+-)?|[a-z]+-kubepods-(?:[a-z]+-)?)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;
