// The end of a connection that a probe leaves from, as Node's sockets take it.

import { isIPv6 } from 'node:net';

/** The kernel's choice when it is undefined. A name, such as `localhost`, is looked up in the family of the source alone. */
export function leavingFrom(source: string | undefined): {
  readonly localAddress?: string;
  readonly family?: 4 | 6;
} {
  return source === undefined ? {} : { localAddress: source, family: isIPv6(source) ? 6 : 4 };
}
