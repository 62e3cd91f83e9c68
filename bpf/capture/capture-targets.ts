// Where to capture: the cgroups and the network namespace as the kernel wants them, opened, and by number.

import { closeSync, fstatSync, openSync } from 'node:fs';
import { duplicate } from '../../native/socket.ts';
import type { AttachTarget } from '../loader/attachment.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { Mount } from '../loader/mounts.ts';
import type { KernelNumbers } from './capture-plan.ts';
import { type CgroupPlace, findCgroups } from './cgroup-places.ts';
import { cookieOf, openOwnNamespace } from './network-namespace.ts';
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
  const namespace = wanted.netnsFd === null ? undefined : namespacePlace(wanted.netnsFd);
  const cookie = namespace === undefined || wanted.isPod === true ? undefined : cookieOf(namespace.fd);
  if (isFailure(cookie)) {
    closeSync(namespace!.fd);
    return cookie;
  }
  const application = cgroupPlace(cgroups.application);
  const proxy = cgroups.proxy === undefined ? undefined : cgroupPlace(cgroups.proxy);
  return {
    proxyCgroup: cgroups.proxyId,
    networkNamespaceCookie: cookie,
    cgroups: cgroups.listed,
    hasInbound: namespace !== undefined,
    places: { application, proxy, namespace },
    close: () => {
      for (const place of [application, proxy, namespace]) if (place !== undefined) closeSync(place.fd);
    },
  };
}

function cgroup2At(path: string): Mount {
  return { path, type: 'cgroup2', isReadOnly: true, root: '/' };
}

function namespacePlace(given: number | undefined): TargetPlace {
  const fd = given === undefined ? openOwnNamespace() : duplicate(given);
  return { kind: 'netns', fd, name: 'the network namespace', number: fstatSync(fd, { bigint: true }).ino };
}

function cgroupPlace({ folder, id }: CgroupPlace): TargetPlace {
  return { kind: 'cgroup', fd: openSync(folder, 'r'), name: folder, number: id };
}
