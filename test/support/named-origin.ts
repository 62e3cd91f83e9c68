// An HTTP origin that answers with its own name, on an address of the test's choice.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** Listens until the end of the test; port 0 lets the kernel choose. Returns the port. */
export async function startNamedOrigin(t: Test, name: string, ip = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer((_request, response) => response.end(name));
  server.listen(port, ip);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
