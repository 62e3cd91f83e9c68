// The network namespace of a capture: the number by which programs know it, whoever's it is.

import { closeSync, existsSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { enterNetworkNamespace, networkNamespaceCookie } from '../../native/namespaces.ts';
import { close, createSocket } from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { type LoadFailure, systemFailure } from '../loader/load-failure.ts';

/** This process's own; the descriptor is the caller's. */
export function openOwnNamespace(): number {
  return openSync(OWN, 'r');
}

/**
 * Whether the namespace that `fd` stands for has ::6, from which Istio has the proxy connect to the application: never
 * on a kernel without IPv6, which has no list of addresses. Entering another than the own one takes CAP_SYS_ADMIN.
 */
export function hasIstioSource6(fd: number): boolean | LoadFailure {
  return inNamespace(fd, () => existsSync(IP6_ADDRESSES) && listsIstioSource6(readFileSync(IP6_ADDRESSES, 'latin1')));
}

/** The same by the text of /proc/PID/net/if_inet6, which is empty where there is no IPv6. */
export function listsIstioSource6(addresses: string): boolean {
  return addresses.split('\n').some((line) => line.startsWith(ISTIO_SOURCE6));
}

/** The cookie of the namespace that `fd` stands for. Entering another than the own one takes CAP_SYS_ADMIN. */
export function cookieOf(fd: number): bigint | LoadFailure {
  return inNamespace(fd, cookieHere);
}

/**
 * Does `action` in the namespace that `fd` stands for; undefined is this process's own. Sockets that it opens and programs
 * that it runs to their end are there.
 */
export function inNamespace<Result>(fd: number | undefined, action: () => Result): Result | LoadFailure {
  if (fd === undefined || fstatSync(fd).ino === statSync(OWN).ino) return action();
  const home = openOwnNamespace();
  try {
    const entered = enterNetworkNamespace(fd);
    if (entered < 0) return systemFailure('enter the network namespace to capture in', entered);
    return returningTo(home, action);
  } finally {
    closeSync(home);
  }
}

/** Also when the action throws: whatever opened a socket from then on would do so in somebody else's network. */
function returningTo<Result>(home: number, action: () => Result): Result {
  try {
    return action();
  } finally {
    goBack(home);
  }
}

function goBack(home: number): void {
  const back = enterNetworkNamespace(home);
  if (back < 0) throw new Error(`cannot return to the network namespace of this process: error ${-back}`);
}

const OWN = '/proc/thread-self/ns/net';
const IP6_ADDRESSES = '/proc/thread-self/net/if_inet6';
/** ::6 in 32 hex digits, before the space that ends them. */
const ISTIO_SOURCE6 = `${'6'.padStart(32, '0')} `;

function cookieHere(): bigint | LoadFailure {
  const socket = createSocket(AddressFamily.ipv4);
  if (socket < 0) return systemFailure('open a socket in the network namespace to capture in', socket);
  const cookie = networkNamespaceCookie(socket);
  close(socket);
  return typeof cookie === 'bigint' ? cookie : systemFailure('ask for the cookie of a network namespace', cookie);
}
