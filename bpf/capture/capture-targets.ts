// Where to capture: the cgroups and the network namespace as the kernel wants them, opened, and by number.

import { closeSync, fstatSync, openSync } from 'node:fs';
import type { AttachTarget } from '../loader/attachment.ts';
import { attemptOnFiles } from '../loader/file-attempt.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { Mount } from '../loader/mounts.ts';
import type { KernelNumbers } from './capture-plan.ts';
import { type CgroupPlace, type CgroupPlaces, findCgroups } from './cgroup-places.ts';
import { cookieOf, hasIstioSource6, openOwnNamespace } from './network-namespace.ts';
import type { ProgramPlace } from './program-places.ts';
import type { CaptureSettings } from './settings.ts';

export interface CaptureTargets {
  /** Folder of the cgroup whose connections are captured; when absent, what settings include, or the pod around this process. */
  readonly cgroup?: string | undefined;
  /** Folder of the proxy's cgroup; when absent, what settings say, or this process's own; null when nobody knows it. */
  readonly sidecarCgroup?: string | null | undefined;
  /** Network namespace of the pod, stays the caller's; when absent, this process's own; null leaves inbound alone. */
  readonly netnsFd?: number | null | undefined;
  /**
   * Whether `cgroup` is a pod's, all of it in one network namespace: programs need not tell namespaces apart, and the number
   * of another namespace than ours takes CAP_SYS_ADMIN to learn.
   */
  readonly isPod?: boolean;
  /** Whether the namespace has ::6; when absent, it is entered and asked, which takes CAP_SYS_ADMIN for another's. */
  readonly hasIstioSource6?: boolean | undefined;
  /** Where the cgroup2 is mounted that paths of settings are in; when absent, what the mount table says first. */
  readonly cgroupRoot?: string | undefined;
}

/** Something to attach to, and the number by which the kernel tells of links to it. */
export interface TargetPlace extends AttachTarget {
  /** A cgroup's id, or the inode number of a namespace. */
  readonly number: bigint;
}

export interface FoundTargets extends KernelNumbers {
  readonly hasInbound: boolean;
  /** Connections from ::6 are the proxy's own. */
  readonly hasIstioSource6: boolean;
  /** Undefined where nothing is to be attached. */
  readonly places: Readonly<Record<ProgramPlace['at'], TargetPlace | undefined>>;
  /** Gives up the descriptors; what was attached stays. */
  close(): void;
}

export function findTargets(settings: CaptureSettings, wanted: CaptureTargets): FoundTargets | LoadFailure {
  const { cgroup, sidecarCgroup, cgroupRoot } = wanted;
  const mounts = cgroupRoot === undefined ? {} : { mounts: [cgroup2At(cgroupRoot)] };
  const cgroups = findCgroups({ settings, application: cgroup, proxy: sidecarCgroup, ...mounts });
  if (isFailure(cgroups)) return cgroups;
  const places: OpenPlaces = { application: undefined, proxy: undefined, namespace: undefined };
  const close = () => {
    for (const place of Object.values(places)) if (place !== undefined) closeSync(place.fd);
  };
  let signs: NamespaceSigns | LoadFailure | undefined;
  // Cgroups go while they are looked at: a container may end with the request of its last process.
  const failure = attemptOnFiles('open what to attach to', () => {
    openPlaces(places, cgroups, wanted.netnsFd);
    signs = signsOf(places.namespace, wanted);
  });
  if (failure !== undefined || signs === undefined || isFailure(signs)) {
    close();
    return failure ?? (signs as LoadFailure);
  }
  const hasInbound = places.namespace !== undefined;
  return { ...signs, proxyCgroup: cgroups.proxyId, cgroups: cgroups.listed, hasInbound, places, close };
}

type NamespaceSigns = Pick<FoundTargets, 'networkNamespaceCookie' | 'hasIstioSource6'>;

function signsOf(namespace: TargetPlace | undefined, wanted: CaptureTargets): NamespaceSigns | LoadFailure {
  if (namespace === undefined) return { networkNamespaceCookie: undefined, hasIstioSource6: false };
  const networkNamespaceCookie = wanted.isPod === true ? undefined : cookieOf(namespace.fd);
  if (isFailure(networkNamespaceCookie)) return networkNamespaceCookie;
  const source6 = wanted.hasIstioSource6 ?? hasIstioSource6(namespace.fd);
  return isFailure(source6) ? source6 : { networkNamespaceCookie, hasIstioSource6: source6 };
}

type OpenPlaces = Record<ProgramPlace['at'], TargetPlace | undefined>;

/** One after another, so that what was opened before one that cannot be is known. */
function openPlaces(
  places: OpenPlaces,
  { application, proxy }: CgroupPlaces,
  netnsFd: number | null | undefined,
): void {
  if (netnsFd !== null) places.namespace = namespacePlace(netnsFd);
  places.application = cgroupPlace(application);
  if (proxy !== undefined) places.proxy = cgroupPlace(proxy);
}

function cgroup2At(path: string): Mount {
  return { path, type: 'cgroup2', isReadOnly: true, root: '/' };
}

function namespacePlace(given: number | undefined): TargetPlace {
  // By its name, since a duplicate that cannot be had is no error that Node knows.
  const fd = given === undefined ? openOwnNamespace() : openSync(`/proc/thread-self/fd/${given}`, 'r');
  return { kind: 'netns', fd, name: 'the network namespace', number: fstatSync(fd, { bigint: true }).ino };
}

function cgroupPlace({ folder, id }: CgroupPlace): TargetPlace {
  return { kind: 'cgroup', fd: openSync(folder, 'r'), name: folder, number: id };
}
