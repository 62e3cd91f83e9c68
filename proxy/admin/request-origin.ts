// Whether a page of elsewhere speaks through somebody's browser. What changes something is not taken from another origin;
// and a name that is made to point here (DNS rebinding) would make its page one of ours, so that a browser may change
// something, and is shown the page, only under names that nobody else can give: addresses and localhost. Who only reads
// names no origin, be it a program, which may use any name, such as that of a Kubernetes service, or such a page: it is
// answered, which is one more reason to show no secrets.

import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Of a request that changes something. */
export function isForeignChange({ origin, host }: IncomingHttpHeaders): boolean {
  return origin !== undefined && (origin !== `http://${host}` || !isOwnHost(host));
}

/** Whether `Host` is an address or localhost. HTTP/1.0 has none, and no browser speaks it. */
export function isOwnHost(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d*$/, '').toLowerCase();
  if (name.startsWith('[')) return name.endsWith(']') && isIP(name.slice(1, -1)) === 6;
  return isIP(name) === 4 || name === 'localhost' || name.endsWith('.localhost');
}
