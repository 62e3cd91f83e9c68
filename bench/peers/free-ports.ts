// Ports that were free a moment ago: nginx and HAProxy cannot be told to pick one and report it.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

// All are held at once, so that they differ.
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, address));
  await Promise.all(holders.map((holder) => once(holder, 'listening')));
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port);
  await Promise.all(
    holders.map((holder) => {
      holder.close();
      return once(holder, 'close');
    }),
  );
  return ports;
}
