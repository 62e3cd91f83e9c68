// How many connections are open to the origin. Only proxies connect to it while the soak runs.
// https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
import { readFileSync } from 'node:fs';

const ESTABLISHED = '01';

export function countUpstreamConnections(originPort: number): number {
  return parseEstablishedTo(readFileSync('/proc/net/tcp', 'utf8'), originPort);
}

// Counts lines of /proc/net/tcp whose remote port it is.
export function parseEstablishedTo(text: string, remotePort: number): number {
  const suffix = `:${remotePort.toString(16).toUpperCase().padStart(4, '0')}`;
  const connections = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return connections.filter(([, , remote, state]) => state === ESTABLISHED && remote?.endsWith(suffix)).length;
}
