// The cgroups of a capture: where connections are captured, where the proxy asks for original destinations, and those
// that lists name. A cgroup's id is the inode number of its folder, in a private cgroup namespace too.

import { readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { CgroupTree } from '../cgroup/cgroup-tree.ts';
import { podOfCgroup } from '../cgroup/pod-cgroup.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { type Mount, mountsOfType } from '../loader/mounts.ts';
import type { CaptureSettings } from './settings.ts';

export interface CgroupPlace {
  readonly folder: string;
  readonly id: bigint;
}

export interface CgroupPlaces {
  readonly application: CgroupPlace;
  /** Undefined when nobody knows it. */
  readonly proxy: CgroupPlace | undefined;
  /** The proxy's id when its connections can be told by it: not when the application is below it. */
  readonly proxyId: bigint | undefined;
  /** Ids of the cgroups that lists name, by path. */
  readonly listed: ReadonlyMap<string, bigint>;
}

export interface WantedCgroups {
  readonly settings: CaptureSettings;
  /** Folder of the cgroup to capture; looked for when absent. */
  readonly application?: string | undefined;
  /** Folder of the proxy's cgroup; by default what settings say, or this process's own; null when nobody knows it. */
  readonly proxy?: string | null | undefined;
  /** The mounts of cgroup2; a test gives its own. */
  readonly mounts?: readonly Mount[];
}

/** Finds them, or says which one cannot be reached and what to do. */
export function findCgroups(wanted: WantedCgroups): CgroupPlaces | LoadFailure {
  const { settings, mounts = mountsOfType('cgroup2') } = wanted;
  const mount = mounts[0];
  if (mount === undefined) {
    return {
      reason: 'cgroup2 is not mounted here, so that no cgroup can be reached',
      wayOut: 'mount it (mount -t cgroup2 none /sys/fs/cgroup/unified), or capture with iptables',
    };
  }
  const tree = CgroupTree.open(mount.path);
  if (typeof tree === 'string') return { reason: tree, wayOut: AGENT };
  const own = tree.pathOf(readFileSync('/proc/self/cgroup', 'utf8')) ?? '/';
  const folder = wanted.application ?? applicationFolder(settings, tree, own);
  if (isFailure(folder)) return folder;
  const application = placeOf(folder);
  if (isFailure(application)) return application;
  const proxyFolder = wanted.proxy === undefined ? tree.folderOf(settings.proxy.cgroup ?? own) : wanted.proxy;
  const proxy = proxyFolder === null ? undefined : placeOf(proxyFolder);
  if (isFailure(proxy)) return proxy;
  const listed = listedCgroups(settings, tree);
  if (isFailure(listed)) return listed;
  const isTold = proxy !== undefined && !isAtOrBelow(application.folder, proxy.folder);
  return { application, proxy, proxyId: isTold ? proxy.id : undefined, listed };
}

/** The cgroup to capture when nobody names it: what holds all that are included, or the pod that this process is in. */
function applicationFolder(settings: CaptureSettings, tree: CgroupTree, own: string): string | LoadFailure {
  const included = settings.outbound.includeCgroups;
  if (included.length > 0) return tree.folderOf(commonAncestor(included));
  const pod = podOfCgroup(own);
  if (pod !== undefined) return tree.folderOf(pod.path);
  return {
    reason: `the cgroup of the application cannot be reached: this process sees ${tree.folderOf(own)}, its own, and no pod around it`,
    wayOut: AGENT,
  };
}

const AGENT =
  'run `outrigger bpf agent` on the node and capture with agent:SOCKET, or name the cgroup in the settings (outbound.include_cgroups)';

function placeOf(folder: string): CgroupPlace | LoadFailure {
  const found = statSync(folder, { bigint: true, throwIfNoEntry: false });
  if (found?.isDirectory() && statSync(join(folder, 'cgroup.procs'), { throwIfNoEntry: false }) !== undefined)
    return { folder, id: found.ino };
  return { reason: `${folder} is not a cgroup`, wayOut: AGENT };
}

function listedCgroups(settings: CaptureSettings, tree: CgroupTree): ReadonlyMap<string, bigint> | LoadFailure {
  const ids = new Map<string, bigint>();
  for (const path of [...settings.outbound.includeCgroups, ...settings.outbound.excludeCgroups]) {
    const place = placeOf(tree.folderOf(path));
    if (isFailure(place)) return place;
    ids.set(path, place.id);
  }
  return ids;
}

function commonAncestor(paths: readonly string[]): string {
  const [first, ...rest] = paths.map((path) => path.split('/').filter((name) => name !== ''));
  const depth = first!.findIndex((name, index) => rest.some((path) => path[index] !== name));
  return posix.join('/', ...(depth === -1 ? first! : first!.slice(0, depth)));
}

function isAtOrBelow(folder: string, ancestor: string): boolean {
  return folder === ancestor || folder.startsWith(ancestor.endsWith('/') ? ancestor : `${ancestor}/`);
}
