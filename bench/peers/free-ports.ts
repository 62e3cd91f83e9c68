// Ports for those who cannot pick one and report it, such as nginx and HAProxy. None is given twice while a process to
// which it was given lives: an abstract socket named after it is held until then. And none is of those that the kernel
// picks itself, for a client's end or for port 0, so nobody gets it in between by chance.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Below what Linux picks from (`ip_local_port_range`, 32768), above Istio's ports. */
const FIRST = 16_000;
const COUNT = 16_000;

/** Free at `address`, and different. */
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const ports: number[] = [];
  for (let tried = 0; ports.length < count; tried++) {
    if (tried === COUNT) throw new Error(`there are no ${count} free ports at ${address}`);
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await claim(port, address)) ports.push(port);
  }
  return ports;
}

async function claim(port: number, address: string): Promise<boolean> {
  const mark = await listening({ path: `\0outrigger-port-${address}-${port}` });
  if (mark === undefined) return false;
  const holder = await listening({ port, host: address });
  if (holder === undefined) {
    mark.close();
    return false;
  }
  mark.unref();
  holder.close();
  await once(holder, 'close');
  return true;
}

/** Nothing where somebody else has the address. */
async function listening(where: { readonly path: string } | { readonly port: number; readonly host: string }) {
  const server: Server = createServer().listen(where);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
