// Who is at the other end of a Unix socket, as the kernel knows it, and which pod that is. Nothing that a peer says of
// itself takes part.
//
// A process id is a number that comes to mean another process once the first is gone, and a peer can arrange that. So the
// process is held by a descriptor of it (SO_PEERPIDFD) while its folder in /proc is opened; that folder stays the
// process's own, and reads fail when it is gone, whoever has its number by then. Kernels before 6.5 have no such descriptor:
// the folder is opened by the number, and given up when the process began after its connection was accepted.

import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { Errno, errnoName } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { peerProcess } from '../../native/socket-origin.ts';
import { peerCredentials } from '../../native/unix-message.ts';
import type { CgroupTree } from '../cgroup/cgroup-tree.ts';
import { type PodCgroup, podOfCgroup } from '../cgroup/pod-cgroup.ts';
import { unlessExhausted } from './descriptor-room.ts';

export interface PeerIdentity {
  readonly processId: number;
  readonly uid: number;
  /** Its pod; undefined for a process of the node itself. */
  readonly pod?: PodCgroup;
  /** Text of a file in the peer's folder of /proc; undefined when the process is gone. */
  readonly read: (file: string, mostBytes: number) => string | undefined;
  /** Gives the folder up. */
  readonly close: () => void;
}

/** Who connected, or why that cannot be said, as a sentence. */
export function identifyPeer(fd: number, tree: CgroupTree): PeerIdentity | string {
  return unlessExhausted(() => identify(fd, tree));
}

function identify(fd: number, tree: CgroupTree): PeerIdentity | string {
  const credentials = peerCredentials(fd);
  if (typeof credentials === 'number') return `the kernel does not say who connected: ${errnoName(-credentials)}`;
  const { pid, uid } = credentials;
  if (pid === 0) return 'the peer is in another PID namespace; the agent needs that of the node (hostPID: true)';
  const folder = openProcess(fd, pid);
  if (folder === undefined) return `process ${pid} is gone`;
  const peer = { processId: pid, uid, read: readerOf(folder), close: () => closeSync(folder) };
  return closingUnless(folder, () => {
    const cgroup = peer.read('cgroup', 65_536);
    if (cgroup === undefined) return `process ${pid} is gone`;
    const path = tree.pathOf(cgroup);
    if (path === undefined) return `the cgroup of process ${pid} is not in ${tree.mountPath}`;
    const pod = podOfCgroup(path);
    return { ...peer, ...(pod !== undefined && { pod }) };
  });
}

/** Closes the folder unless there is a peer to have it. */
function closingUnless(folder: number, identity: () => PeerIdentity | string): PeerIdentity | string {
  let found: PeerIdentity | string = '';
  try {
    found = identity();
    return found;
  } finally {
    if (typeof found === 'string') closeSync(folder);
  }
}

/** A descriptor of /proc/PID that is the peer's; undefined when it is gone. */
function openProcess(fd: number, pid: number): number | undefined {
  const acceptedAtTicks = uptimeTicks();
  const processFd = peerProcess(fd);
  if (processFd === -Errno.ENOPROTOOPT) return openByNumber(pid, acceptedAtTicks);
  if (processFd < 0) return undefined;
  let folder: number | undefined;
  let isAlive = false;
  try {
    folder = openFolder(pid);
    // -1 once it is gone; so while it is not, the number was its own all the time.
    const state = readFileSync(`/proc/self/fdinfo/${processFd}`, 'latin1');
    isAlive = /^Pid:\s*(\d+)$/m.exec(state)?.[1] === String(pid);
  } finally {
    close(processFd);
    if (folder !== undefined && !isAlive) closeSync(folder);
  }
  return isAlive ? folder : undefined;
}

function openByNumber(pid: number, acceptedAtTicks: number): number | undefined {
  const folder = openFolder(pid);
  if (folder === undefined) return undefined;
  let isOlder = false;
  try {
    // Field 22 of proc_pid_stat(5); the name in front, in brackets, may hold anything.
    const stat = readerOf(folder)('stat', 4096);
    isOlder = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) < acceptedAtTicks;
  } finally {
    if (!isOlder) closeSync(folder);
  }
  return isOlder ? folder : undefined;
}

/** In clock ticks since the machine started, as /proc tells when processes began; user space always sees 100 a second. */
function uptimeTicks(): number {
  return Math.floor(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 100);
}

function openFolder(pid: number): number | undefined {
  try {
    return openSync(`/proc/${pid}`, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function readerOf(folder: number): PeerIdentity['read'] {
  return (file, mostBytes) => {
    try {
      return readUpTo(`/proc/self/fd/${folder}/${file}`, mostBytes);
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  };
}

/** Files of /proc may be longer than memory should hold: a table of sockets has a line for each connection. */
function readUpTo(path: string, mostBytes: number): string {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(mostBytes);
    let length = 0;
    for (let count = 1; count > 0 && length < mostBytes; length += count) {
      count = readSync(fd, bytes, length, mostBytes - length, null);
    }
    return bytes.toString('latin1', 0, length);
  } finally {
    closeSync(fd);
  }
}
