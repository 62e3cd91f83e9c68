// An HTTP origin that answers with its own name, on an address of the test's choice.

import type { Test } from 'tap';
import { startHttpOrigin } from './http-origin.ts';

/** Listens until the end of the test; port 0 lets the kernel choose. Returns the port. */
export function startNamedOrigin(t: Test, name: string, ip = '127.0.0.1', port = 0): Promise<number> {
  return startHttpOrigin(t, (_request, response) => response.end(name), { ip, port });
}
