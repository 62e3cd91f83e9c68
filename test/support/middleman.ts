// Somebody between a client and a listener who passes bytes on, or holds, cuts and damages them.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { Address, IpAddress } from '../../config/address.ts';

export interface Middleman {
  /** Where to connect to instead. */
  readonly address: Address;
  /** What becomes of the bytes that the client sends, and of those that it is sent; passed on when left out. */
  upward: ((bytes: Buffer) => Buffer) | undefined;
  downward: ((bytes: Buffer) => Buffer) | undefined;
  /** Towards the client and towards the listener; once there was a connection. */
  readonly client: Socket;
  readonly listener: Socket;
}

/** Between one client and `address`. Ends are passed on as they come. */
export async function middlemanTo(t: Test, address: Address): Promise<Middleman> {
  const { ip, port } = address as IpAddress;
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const listener = connect({ host: ip, port, allowHalfOpen: true });
    sockets.push(client, listener);
    pass(client, listener, (bytes) => middleman.upward?.(bytes) ?? bytes);
    pass(listener, client, (bytes) => middleman.downward?.(bytes) ?? bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const middleman: Middleman = {
    address: { kind: 'ip', ip: '127.0.0.1', port: (server.address() as AddressInfo).port },
    upward: undefined,
    downward: undefined,
    get client() {
      return sockets[0]!;
    },
    get listener() {
      return sockets[1]!;
    },
  };
  return middleman;
}

function pass(from: Socket, to: Socket, change: (bytes: Buffer) => Buffer): void {
  from.setNoDelay(true);
  from.on('data', (bytes: Buffer) => {
    const changed = change(bytes);
    if (changed.length > 0) to.write(changed);
  });
  from.on('end', () => to.end());
  // A reset of one side ends the other.
  from.on('error', () => to.destroy());
}
