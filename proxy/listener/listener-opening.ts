// Opens a listener's sockets on the main thread, for all workers. Descriptors belong to the process, so a worker gets
// numbers: its own sockets that share the port (SO_REUSEPORT), or duplicates of one. Opened one by one in the workers,
// port 0 would be another port in each, and a Unix socket would replace the one before.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto (enable_reuse_port)

import { type Address, formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { describeErrno } from '../../native/errno.ts';
import { close, duplicate, localAddress } from '../../native/socket.ts';
import { openListeningDescriptor } from '../reactor/listening-socket.ts';

export interface OpenedListener {
  /** With the ports that the kernel gave. */
  readonly addresses: readonly string[];
  /** By worker: a listening socket for each address, which the worker owns from now on. */
  readonly descriptors: readonly (readonly number[])[];
}

export interface OpenFailure {
  readonly address: string;
  /** A sentence about the errno. */
  readonly reason: string;
}

/** Nothing stays open after a failure. */
export function openListener(config: Listener, workerCount: number): OpenedListener | OpenFailure {
  const addresses: string[] = [];
  const descriptors: number[][] = Array.from({ length: workerCount }, () => []);
  if (!config.bindToPort) return { addresses, descriptors };
  for (const address of [config.address, ...config.additionalAddresses]) {
    const errno = openAddress(config, address, descriptors);
    if (errno > 0) {
      for (const descriptor of descriptors.flat()) close(descriptor);
      return { address: formatAddress(address), reason: describeErrno(errno) };
    }
    addresses.push(formatAddress(boundAddress(descriptors[0]!, address)));
  }
  return { addresses, descriptors };
}

/** Adds a descriptor for each worker. Returns 0 or an errno. */
function openAddress(config: Listener, address: Address, descriptors: number[][]): number {
  const reusePort = config.reusePort && address.kind === 'ip';
  const options = { ...config, reusePort };
  for (const [worker, own] of descriptors.entries()) {
    const first = descriptors[0]!;
    const descriptor =
      worker > 0 && !reusePort
        ? duplicate(first.at(-1)!)
        : openListeningDescriptor(worker === 0 ? address : boundAddress(first, address), options);
    if (descriptor < 0) return -descriptor;
    own.push(descriptor);
  }
  return 0;
}

function boundAddress(descriptors: readonly number[], configured: Address): Address {
  return localAddress(descriptors.at(-1)!) ?? configured;
}
