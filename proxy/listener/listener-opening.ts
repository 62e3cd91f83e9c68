// Opens a listener's sockets on the main thread, for all workers. Descriptors belong to the process, so a worker gets
// numbers: its own sockets that share the port (SO_REUSEPORT), or duplicates of one. Opened one by one in the workers,
// port 0 would be another port in each, and a Unix socket would replace the one before.
//
// As in Envoy, an address is bound when the listener comes and listened at when it begins: the kernel deals connections out
// among all who listen at a port, and whoever got one that is not served yet would wait, or be reset when it never is.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto (enable_reuse_port)

import { type Address, formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { ownOverlap } from '../../config/listening-overlap.ts';
import { describeErrno } from '../../native/errno.ts';
import { close, duplicate, localAddress } from '../../native/socket.ts';
import { openBoundDescriptor, openListeningDescriptor, startListening } from '../reactor/listening-socket.ts';
import { adjustInherited, type InheritSockets, type ListeningAddress } from './inherited-sockets.ts';
import { describeListenFailure } from './listen-failure.ts';

export interface OpenedListener {
  /** With the ports that the kernel gave. */
  readonly addresses: readonly string[];
  /** By worker: listening sockets of each address, which the worker owns from now on. */
  readonly descriptors: readonly (readonly number[])[];
}

/** The sockets that listen at one address of a listener: no two descriptors are one socket. */
export interface OpenedAddress extends ListeningAddress {
  readonly sockets: number[];
  readonly isInherited: boolean;
}

export interface OpenFailure {
  readonly address: string;
  /** A sentence about the errno, with the way out where there is one. */
  readonly reason: string;
  /** Positive, where it was the kernel that refused. */
  readonly errno?: number;
}

/** Nothing stays open after a failure. */
export function openListener(config: Listener, workerCount: number): OpenedListener | OpenFailure {
  const opened = openAddresses(config, workerCount);
  if ('reason' in opened) return opened;
  const descriptors = listenAt(config, opened) ?? dealSockets(opened, workerCount, false);
  if ('reason' in descriptors) {
    closeAddresses(opened);
    return descriptors;
  }
  return { addresses: opened.map(({ bound }) => formatAddress(bound)), descriptors };
}

/**
 * The sockets of each address, of which new ones do not listen yet: those that `inherit` finds, or new ones. After a failure
 * nothing stays open, and what was inherited is as it was: whoever gave it may have it still.
 */
export function openAddresses(
  config: Listener,
  workerCount: number,
  inherit: InheritSockets = () => [],
): readonly OpenedAddress[] | OpenFailure {
  const opened: OpenedAddress[] = [];
  const failure = openEach(config, workerCount, inherit, opened) ?? adjustEach(config, opened);
  if (failure === undefined) return opened;
  closeAddresses(opened);
  return failure;
}

function openEach(
  config: Listener,
  workerCount: number,
  inherit: InheritSockets,
  opened: OpenedAddress[],
): OpenFailure | undefined {
  if (!config.bindToPort) return undefined;
  const twice = config.reusePort ? undefined : ownOverlap(config);
  if (twice !== undefined) {
    const reason = `the listener has ${formatAddress(twice.others)} too, and only with enable_reuse_port it can have both`;
    return { address: formatAddress(twice.own), reason };
  }
  for (const configured of [config.address, ...config.additionalAddresses]) {
    const { name: listener, ipv4Compatible } = config;
    const sockets = [...inherit({ listener, address: configured, ipv4Compatible })];
    const isInherited = sockets.length > 0;
    const wanted = isReusePort(config, configured) ? workerCount : 1;
    const result = isInherited ? 0 : openSockets(config, configured, sockets, wanted);
    opened.push({ configured, bound: boundAddress(sockets, configured), sockets, isInherited });
    if (result < 0) return failureAt(configured, -result);
  }
  return undefined;
}

function adjustEach(config: Listener, opened: readonly OpenedAddress[]): OpenFailure | undefined {
  for (const { configured, isInherited, sockets } of opened) {
    const result = isInherited ? adjustInherited(sockets, configured, config) : 0;
    if (result < 0) return failureAt(configured, -result);
  }
  return undefined;
}

/** The listener begins. */
export function listenAt(config: Listener, opened: readonly OpenedAddress[]): OpenFailure | undefined {
  for (const { configured, sockets } of opened) {
    for (const socket of sockets) {
      const result = startListening(socket, config);
      if (result < 0) return failureAt(configured, -result);
    }
  }
  return undefined;
}

function failureAt(address: Address, errno: number): OpenFailure {
  return { address: formatAddress(address), reason: describeListenFailure(errno, address), errno };
}

/**
 * Opens what inherited sockets lack for each worker to have its own, when the listener begins: connections that arrive
 * there while the earlier process still serves have nobody else. Where that cannot be, workers share what there is.
 */
export function openMissing(config: Listener, opened: readonly OpenedAddress[], workerCount: number): void {
  for (const { configured, isInherited, sockets } of opened) {
    if (isInherited && isReusePort(config, configured)) openSockets(config, configured, sockets, workerCount);
  }
}

/**
 * Descriptors by worker, each of which has at least one of each address: where there are more sockets than workers, some
 * have several; where there are less, some share one. With `keeps` all are duplicates and `opened` stays the caller's.
 * After a failure it is, too, and nothing else stays open.
 */
export function dealSockets(
  opened: readonly OpenedAddress[],
  workerCount: number,
  keeps: boolean,
): readonly (readonly number[])[] | OpenFailure {
  const dealt: number[][] = Array.from({ length: workerCount }, () => []);
  const duplicates: number[] = [];
  for (const { bound, sockets } of opened) {
    for (let index = 0; index < Math.max(sockets.length, workerCount); index++) {
      const socket = sockets[index % sockets.length]!;
      const isOwn = !keeps && index < sockets.length;
      const descriptor = isOwn ? socket : duplicate(socket);
      if (descriptor < 0) {
        for (const each of duplicates) close(each);
        return { address: formatAddress(bound), reason: describeErrno(-descriptor), errno: -descriptor };
      }
      if (!isOwn) duplicates.push(descriptor);
      dealt[index % workerCount]!.push(descriptor);
    }
  }
  return dealt;
}

/** Whether each worker has a socket of its own at this address of a listener, rather than all one. */
export function isReusePort({ reusePort }: Listener, address: Address): boolean {
  return reusePort && address.kind === 'ip';
}

export function closeAddresses(opened: readonly OpenedAddress[]): void {
  for (const { sockets } of opened) for (const socket of sockets) close(socket);
}

/** Adds sockets until there are `count`. Returns 0 or a negated errno. */
function openSockets(config: Listener, address: Address, sockets: number[], count: number): number {
  const options = { ...config, reusePort: isReusePort(config, address) };
  // A Unix socket takes the place of the one before as it is bound: who comes from then on waits, rather than be refused.
  const open = address.kind === 'pipe' ? openListeningDescriptor : openBoundDescriptor;
  while (sockets.length < count) {
    const descriptor = open(boundAddress(sockets, address), options);
    if (descriptor < 0) return descriptor;
    sockets.push(descriptor);
  }
  return 0;
}

function boundAddress(sockets: readonly number[], configured: Address): Address {
  const [first] = sockets;
  return (first === undefined ? undefined : localAddress(first)) ?? configured;
}
