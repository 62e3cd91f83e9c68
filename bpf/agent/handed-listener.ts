// Listening sockets that a peer handed over. Inbound connections of a whole network namespace will be given to them, so each
// must be a TCP socket that listens, of the family it is said to be, and of the namespace the peer itself is in: a socket
// of another namespace would turn that one's connections to the peer.

import { closeSync, fstatSync, statSync } from 'node:fs';
import { errnoName } from '../../native/errno.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { networkNamespaceOf, socketKind } from '../../native/socket-origin.ts';
import type { ListenerFamily } from './enrolment-protocol.ts';
import type { PeerIdentity } from './peer-identity.ts';

export interface HandedListener {
  readonly family: ListenerFamily;
  readonly fd: number;
}

/** Why a socket cannot be taken, as a sentence; undefined when all can. `peer` absent: its namespace is not checked. */
export function listenerProblem(
  listeners: readonly HandedListener[],
  peer: Pick<PeerIdentity, 'read'> | undefined,
): string | undefined {
  for (const { family, fd } of listeners) {
    const kind = socketKind(fd);
    if (typeof kind === 'number') return `the descriptor handed over for ${family} is no socket`;
    if (kind.type !== SOCK_STREAM || kind.protocol !== IPPROTO_TCP) return `the ${family} socket is not one of TCP`;
    if (kind.family !== FAMILIES[family]) return `the ${family} socket is of another family`;
    if (!kind.isListening) return `the ${family} socket does not listen`;
    if (peer !== undefined && !isListed(fd, family, peer)) {
      return `the ${family} socket is not of the network namespace of the process that hands it over`;
    }
  }
  return undefined;
}

/**
 * A descriptor of the one network namespace of all of them, the caller's to close, or why there is none, as a sentence.
 * Refuses the agent's own: that is the node's, whose incoming connections are not one pod's.
 */
export function commonNamespace(listeners: readonly HandedListener[]): number | string {
  let found = -1;
  for (const { fd } of listeners) {
    const namespace = networkNamespaceOf(fd);
    if (namespace < 0)
      return closing(found, `the socket's network namespace cannot be opened: ${errnoName(-namespace)}`);
    if (found < 0) found = namespace;
    else {
      const isSame = fstatSync(found).ino === fstatSync(namespace).ino;
      closeSync(namespace);
      if (!isSame) return closing(found, 'the sockets are of different network namespaces');
    }
  }
  if (found >= 0 && fstatSync(found).ino === statSync('/proc/self/ns/net').ino) {
    return closing(
      found,
      "this pod uses the node's network (hostNetwork), so its incoming connections cannot be told apart",
    );
  }
  return found;
}

/**
 * By the table of sockets of the peer's namespace. Its link in /proc/PID/ns would say the same, but reading that takes
 * CAP_SYS_PTRACE, with which an agent could do far more than is good. Those that listen come first in the table.
 */
function isListed(fd: number, family: ListenerFamily, peer: Pick<PeerIdentity, 'read'>): boolean {
  const table = peer.read(family === 'ipv4' ? 'net/tcp' : 'net/tcp6', MOST_TABLE_BYTES);
  const inode = String(fstatSync(fd).ino);
  return table?.split('\n').some((row) => row.trim().split(/\s+/)[INODE_COLUMN] === inode) ?? false;
}

function closing(fd: number, reason: string): string {
  if (fd >= 0) closeSync(fd);
  return reason;
}

const FAMILIES: Readonly<Record<ListenerFamily, number>> = { ipv4: AddressFamily.ipv4, ipv6: AddressFamily.ipv6 };
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const INODE_COLUMN = 9;
/** Two thousand rows. */
const MOST_TABLE_BYTES = 1 << 18;
