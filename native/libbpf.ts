// libbpf: the library that reads, relocates and loads BPF objects (docs.kernel.org/bpf/libbpf). It is loaded when the first
// of its functions is called: a proxy that captures nothing needs neither the library nor its 6 ms.
//
// Version 1 of its ABI, that is `libbpf.so.1`: every function that fails returns its errno negated, those that return
// pointers return NULL and set errno.

import koffi from 'koffi';
import { Errno } from './errno.ts';
import type { ForeignType } from './libc.ts';

/** Why libbpf cannot be used here and what to do about it, as a sentence; undefined when it can. */
export function libbpfProblem(library = LIBRARY): string | undefined {
  const opened = library === LIBRARY ? theLibrary() : open(library);
  return typeof opened === 'string' ? opened : undefined;
}

/**
 * A function of libbpf that is looked up when it is first needed: what it returns is the function itself. Without the
 * library that is one that does nothing and returns -ENOSYS. Pointers are numbers.
 */
export function declareLibbpf(result: ForeignType, name: string, parameters: ForeignType[]): () => ForeignFunction {
  let found: ForeignFunction | undefined;
  return () => {
    if (found === undefined) {
      const library = theLibrary();
      found = typeof library === 'string' ? notThere : (library.func(name, result, parameters) as ForeignFunction);
    }
    return found;
  };
}

/** Where a function of libbpf lies, for a thread that begins with it (`ForeignThread`); 0 without the library. */
export function libbpfAddress(name: string): number {
  const library = theLibrary();
  return typeof library === 'string' ? 0 : Number(koffi.address(library.symbol(name)));
}

export type ForeignFunction = (...values: (number | string | boolean)[]) => number;

type Library = ReturnType<typeof koffi.load>;

const LIBRARY = 'libbpf.so.1';

let opened: Library | string | undefined;

function theLibrary(): Library | string {
  opened ??= open(LIBRARY);
  return opened;
}

function open(name: string): Library | string {
  const wayOut = 'install libbpf 1.x (package libbpf1 of Debian and Ubuntu, libbpf elsewhere)';
  let library: Library;
  try {
    library = koffi.load(name);
  } catch (error) {
    return `${name} cannot be loaded (${(error as Error).message}): ${wayOut}`;
  }
  try {
    // It writes to standard error on its own otherwise.
    library.func('libbpf_set_print', 'uint64_t', ['uint64_t'])(0);
  } catch (error) {
    return `${name} is not libbpf 1.x (${(error as Error).message}): ${wayOut}`;
  }
  return library;
}

function notThere(): number {
  return -Errno.ENOSYS;
}
