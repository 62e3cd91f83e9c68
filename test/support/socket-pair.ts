// Two connected sockets as bare descriptors, for tests of what lies under the reactor.

import type { Address } from '../../config/address.ts';
import { accept, bind, close, connect, createSocket, listen, localAddress } from '../../native/socket.ts';
import { addressFamily } from '../../native/socket-address.ts';

/** The connecting side first. The caller closes both. */
export function connectedPair(at: Address = { kind: 'ip', ip: '127.0.0.1', port: 0 }): [number, number] {
  const listening = createSocket(addressFamily(at));
  must(bind(listening, at));
  must(listen(listening, 1));
  const client = createSocket(addressFamily(at));
  // Over loopback the handshake is done before connect returns, even though it says EINPROGRESS.
  connect(client, localAddress(listening)!);
  const accepted = must(accept(listening));
  close(listening);
  return [client, accepted];
}

function must(result: number): number {
  if (result < 0) throw new Error(`failed with errno ${-result}`);
  return result;
}

/** An address that stays: pairs over it as `connectedPair`, and what ends it. */
export function listeningEndpoint(): { readonly connect: () => [number, number]; readonly stop: () => void } {
  const at: Address = { kind: 'ip', ip: '127.0.0.1', port: 0 };
  const listening = createSocket(addressFamily(at));
  must(bind(listening, at));
  must(listen(listening, 16));
  return {
    connect: () => {
      const client = createSocket(addressFamily(at));
      connect(client, localAddress(listening)!);
      return [client, must(accept(listening))];
    },
    stop: () => close(listening),
  };
}
