// What ends a process that begins, or leaves it without a listener, in sentences that say what to do.

import { type Address, formatAddress } from '../../config/address.ts';
import { Errno } from '../../native/errno.ts';
import type { OpenFailure } from '../listener/listener-opening.ts';

/** Nobody would find the admin interface of a process that has ended. */
export function listenerFailureText(
  listener: string,
  { address, reason, errno }: OpenFailure,
  admin: Address | undefined,
): string {
  const isOfAdmin = errno === Errno.EADDRINUSE && admin !== undefined && formatAddress(admin) === address;
  const why = isOfAdmin ? 'it is the address of the admin interface; give one of them another' : reason;
  return `listener ${listener} cannot listen on ${address}: ${why}`;
}

/** Of a fault of ours the stack is told, too. */
export function workerFailureText(worker: number, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_WORKER_INIT_FAILED' && error.message.includes('EMFILE')) {
    return `worker ${worker} cannot begin: this process has as many files open as it may; raise its limit (ulimit -n)`;
  }
  const what = error.stack ?? error.message;
  return `worker ${worker} died and with it all its connections; the process ends: ${what}`;
}
