// An HTTP origin that answers as its test says, until the end of the test.

import { once } from 'node:events';
import { createServer, type RequestListener, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface OriginOptions extends ServerOptions {
  readonly ip?: string;
  /** 0 lets the kernel choose. */
  readonly port?: number;
}

/** Listens on loopback, and returns its port. */
export async function startHttpOrigin(
  t: Test,
  onRequest: RequestListener,
  { ip = '127.0.0.1', port = 0, ...options }: OriginOptions = {},
): Promise<number> {
  const server = createServer(options, onRequest);
  server.listen(port, ip);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
