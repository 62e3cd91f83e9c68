// Where a process waits for its successor: a Unix socket with the base id and the epoch in its name. Names that begin with
// @ are abstract: each network namespace has its own, and they vanish with the process.

import { lstatSync, unlinkSync } from 'node:fs';
import type { PipeAddress } from '../../config/address.ts';
import { describeErrno, Errno } from '../../native/errno.ts';
import { bind, close, connect, listen } from '../../native/socket.ts';
import { createUnixSocket } from '../../native/unix-message.ts';
import { describeListenFailure } from '../listener/listen-failure.ts';
import { bindPipe } from '../reactor/pipe-file.ts';

export interface RendezvousName {
  readonly socketPath: string;
  /** Of the file, when the path is one. */
  readonly socketMode: number;
  readonly baseId: number;
  readonly epoch: number;
}

export interface Rendezvous {
  readonly baseId: number;
  readonly path: string;
  /** Listens. */
  readonly fd: number;
}

/** Listens for a successor, or says in words why that cannot be. */
export function openRendezvous(name: RendezvousName): Rendezvous | string {
  const address = addressOf(name);
  const fd = createUnixSocket('seqpacket');
  if (fd < 0) return describeErrno(-fd);
  let result = isTaken(address) ? -Errno.EADDRINUSE : 0;
  if (result >= 0) result = address.path.startsWith('@') ? bind(fd, address) : bindPipe(fd, address);
  if (result >= 0) result = listen(fd, backlog);
  if (result >= 0) return { baseId: name.baseId, path: address.path, fd };
  close(fd);
  return result === -Errno.EADDRINUSE
    ? `${address.path} is in use: another process has base id ${name.baseId} and restart epoch ${name.epoch}`
    : `cannot listen on ${address.path}: ${describeListenFailure(-result, address)}`;
}

/** As `openRendezvous`, with a base id that no process has. `random` gives 0 or more, less than 1. */
export function openUnusedRendezvous(name: Omit<RendezvousName, 'baseId'>, random: () => number): Rendezvous | string {
  let problem = '';
  for (let attempt = 0; attempt < dynamicAttempts; attempt++) {
    const opened = openRendezvous({ ...name, baseId: Math.floor(random() * dynamicIds) });
    if (typeof opened !== 'string') return opened;
    problem = opened;
  }
  return problem;
}

/** A connection to the process of this name: its descriptor, or a negated errno. */
export function connectTo(name: RendezvousName): number {
  const fd = createUnixSocket('seqpacket');
  if (fd < 0) return fd;
  const result = connect(fd, addressOf(name));
  if (result >= 0) return fd;
  close(fd);
  return result;
}

/** Nobody is waited for any more. */
export function closeRendezvous({ fd, path }: Rendezvous): void {
  close(fd);
  if (!path.startsWith('@') && lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
}

export function addressOf({ socketPath, socketMode, baseId, epoch }: RendezvousName): PipeAddress {
  return { kind: 'pipe', path: `${socketPath}_${baseId}_${epoch}`, mode: socketMode };
}

/** A file may be left by a process that died; one that somebody listens at is not replaced. */
function isTaken(address: PipeAddress): boolean {
  const fd = createUnixSocket('seqpacket');
  if (fd < 0) return false;
  const result = connect(fd, address);
  close(fd);
  return result >= 0 || result === -Errno.EAGAIN;
}

/** Two successors at once are one too many. */
const backlog = 16;
const dynamicAttempts = 100;
const dynamicIds = 1_000_000;
