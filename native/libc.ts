// The C library and the one convention for its outcomes: what a call returns when it is 0 or more, the errno negated
// when it failed. A data path without exceptions needs failures to be plain numbers, and JavaScript has no errno.
//
// Calls on the request path take integers only: 0.14 us over the system call, where strings, structs and
// out-parameters cost several times that.

import koffi from 'koffi';

// The symbols of the running process: node is linked to the C library, whichever that is (glibc or musl).
const process = koffi.load(null);

export type ForeignType = 'int' | 'uint' | 'long' | 'uint64_t' | 'size_t' | 'bool' | 'str' | 'void' | 'void *';

/**
 * Declares a function of the C library, such as `declare('long', 'recv', ['int', 'uint64_t', 'size_t', 'int'])`. Throws
 * when the process does not have it.
 */
export function declare(result: ForeignType, name: string, parameters: ForeignType[]): (...values: never[]) => number {
  return process.func(name, result, parameters) as (...values: never[]) => number;
}

/** `result`, or the errno of the call that just returned -1, negated. Nothing may be called in between. */
export function outcome(result: number): number {
  return result === -1 ? -koffi.errno() : result;
}

/** The errno of the call that just failed in its own way, such as by returning NULL, negated. Otherwise as `outcome`. */
export function failure(): number {
  return -koffi.errno();
}

/** Before a call whose errno is looked at whether it failed or not, so that an older one is not taken for its own. */
export function clearErrno(): void {
  koffi.errno(0);
}
