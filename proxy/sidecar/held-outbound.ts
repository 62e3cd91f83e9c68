// Connections that an application opens before its sidecar is configured: they wait in the queue of a socket that listens at
// the outbound port already, and are served by the listener that takes it over. Refused, they would be failures of an
// application that was started a second too early.
//
// The queue is bounded by the kernel, and the waiting by the time after which the socket is closed: what waits is reset
// then, and further connections are refused, as they are without this.

import { isIPv6 } from 'node:net';
import type { IpAddress } from '../../config/address.ts';
import { describeErrno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import { openListeningDescriptor } from '../reactor/listening-socket.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';

/** Where Istio has connections of a pod's applications redirected to: the outbound port, in each family that the pod has. */
export function outboundAddresses(instanceIps: readonly string[]): readonly IpAddress[] {
  const wildcards = new Set(instanceIps.map((ip) => (isIPv6(ip) ? '::' : '0.0.0.0')));
  return [...wildcards].map((ip) => ({ kind: 'ip', ip, port: 15_001 }));
}

export interface HeldOutboundOptions {
  readonly address: IpAddress;
  readonly longestMs: number;
  readonly schedule: (delayMs: number, callback: () => void) => void;
  readonly log: ComponentLog;
}

export class HeldOutbound {
  readonly #options: HeldOutboundOptions;
  #socket = -1;

  constructor(options: HeldOutboundOptions) {
    this.#options = options;
  }

  /** Once. Where the address cannot be had, connections are refused until there is a listener, and that is said. */
  open(): void {
    const { address, longestMs, log, schedule } = this.#options;
    this.#socket = openListeningDescriptor(address, { reusePort: true, ipv4Compatible: false });
    if (this.#socket < 0) {
      const reason = describeErrno(-this.#socket);
      log.warn({ address, reason }, 'connections of the application are not held until there is a configuration');
      return;
    }
    schedule(longestMs, () => this.#giveUp());
  }

  /** The socket, which is the caller's from now on, when it listens there. */
  take({ address }: WantedAddress): readonly number[] {
    const { ip, port } = this.#options.address;
    if (this.#socket < 0 || address.kind !== 'ip' || address.ip !== ip || address.port !== port) return [];
    const socket = this.#socket;
    this.#socket = -1;
    return [socket];
  }

  #giveUp(): void {
    if (this.#socket < 0) return;
    const { address, log, longestMs } = this.#options;
    const text = 'no configured listener has taken the address: connections of the application are not held any longer';
    log.warn({ address, longestMs }, text);
    close(this.#socket);
    this.#socket = -1;
  }
}
