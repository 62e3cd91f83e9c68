// A connection of this process to itself, through whatever is attached to its cgroup.

import { accept, bind, close, connect, createSocket, listen, localAddress } from '../../native/socket.ts';
import { addressFamily } from '../../native/socket-address.ts';
import type { LoadFailure } from '../loader/load-failure.ts';
import { systemFailure } from '../loader/load-failure.ts';

/** Both ends, which their user closes; reads and writes do not wait. */
export interface LoopbackPair {
  readonly active: number;
  readonly passive: number;
}

/** A listening socket at a free port of 127.0.0.1, and connections to it. */
export class LoopbackListener {
  readonly #fd: number;
  readonly port: number;

  private constructor(fd: number, port: number) {
    this.#fd = fd;
    this.port = port;
  }

  static open(): LoopbackListener | LoadFailure {
    const at = { kind: 'ip', ip: '127.0.0.1', port: 0 } as const;
    const fd = createSocket(addressFamily(at));
    if (fd < 0) return systemFailure('open a socket', fd);
    const outcome = bind(fd, at);
    const result = outcome < 0 ? outcome : listen(fd, 1);
    const address = localAddress(fd);
    if (result >= 0 && address?.kind === 'ip') return new LoopbackListener(fd, address.port);
    close(fd);
    return systemFailure('listen on 127.0.0.1', result);
  }

  connect(): LoopbackPair | LoadFailure {
    const at = { kind: 'ip', ip: '127.0.0.1', port: this.port } as const;
    const active = createSocket(addressFamily(at));
    if (active < 0) return systemFailure('open a socket', active);
    // Over loopback the handshake is done before connect returns, even though it says EINPROGRESS.
    connect(active, at);
    const passive = accept(this.#fd);
    if (passive >= 0) return { active, passive };
    close(active);
    return systemFailure('connect to 127.0.0.1', passive);
  }

  close(): void {
    close(this.#fd);
  }
}

export function closePair({ active, passive }: LoopbackPair): void {
  close(active);
  close(passive);
}
