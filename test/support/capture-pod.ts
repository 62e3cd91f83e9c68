// A pod for the real sidecar, in the network namespace of the test: cgroups of the pod, its application and its sidecar, and
// a link to a world outside that has a namespace of its own.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { cgroupRoot } from './bpf-environment.ts';
import { CapturePeer } from './capture-peer.ts';

/** Addresses of both ends; the world has two hosts. */
export const POD = { v4: '10.9.1.2', v6: 'fd00:9::2' } as const;
export const WORLD = { v4: '10.9.1.1', v6: 'fd00:9::1' } as const;
export const OTHER = { v4: '10.9.1.3', v6: 'fd00:9::3' } as const;

/** As Istio's sidecars have it. */
export const PROXY_GROUP = 1337;

export interface CapturePod {
  /** In the application's cgroup. */
  readonly application: CapturePeer;
  /** In the namespace outside. */
  readonly world: CapturePeer;
  /** Folders. */
  readonly podCgroup: string;
  readonly sidecarCgroup: string;
  /** For `startSidecar`: in the sidecar's cgroup and group. */
  readonly asSidecar: { readonly before: string; readonly runner: string };
}

export async function startPod(t: Test): Promise<CapturePod> {
  // Named as kubelet does, so that the sidecar finds its pod.
  const top = join(cgroupRoot()!, `outrigger-test-${process.pid}`);
  const podCgroup = join(top, 'kubepods', `pod${randomUUID()}`);
  const [applicationCgroup, sidecarCgroup] = [join(podCgroup, 'application'), join(podCgroup, 'sidecar')];
  const folders = [top, join(top, 'kubepods'), podCgroup, applicationCgroup, sidecarCgroup];
  for (const folder of folders) mkdirSync(folder);
  const outside = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', '--net', 'sh', '-c', 'ip link set lo up; echo ready; exec sleep infinity'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(outside.stdout!, 'data');
  link(outside.pid!);
  const peers = await Promise.all([
    CapturePeer.start({ before: `echo $$ > ${applicationCgroup}/cgroup.procs` }),
    CapturePeer.start({ namespaceOf: outside.pid! }),
  ]);
  const [application, world] = peers;
  t.teardown(async () => {
    for (const peer of peers) await peer.stop();
    await end(outside);
    for (const folder of folders.toReversed()) rmdirSync(folder);
  });
  const before = `echo $$ > ${sidecarCgroup}/cgroup.procs`;
  const runner = `setpriv --regid ${PROXY_GROUP} --clear-groups`;
  return { application, world, podCgroup, sidecarCgroup, asSidecar: { before, runner } };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

function link(outside: number): void {
  const inside = (command: string): void => run(`ip ${command}`);
  const there = (command: string): void => run(`nsenter --target ${outside} --net ip ${command}`);
  inside('link set lo up');
  inside(`link add eth0 type veth peer name eth0 netns ${outside}`);
  // Without duplicate address detection an address of IPv6 can be used at once.
  const add = ({ v4, v6 }: { readonly v4: string; readonly v6: string }, ip: (command: string) => void): void => {
    ip(`address add ${v4}/24 dev eth0`);
    ip(`address add ${v6}/64 dev eth0 nodad`);
  };
  add(POD, inside);
  add(WORLD, there);
  add(OTHER, there);
  inside('link set eth0 up');
  there('link set eth0 up');
}

function run(command: string): void {
  const [program, ...args] = command.split(' ');
  execFileSync(program!, args);
}
