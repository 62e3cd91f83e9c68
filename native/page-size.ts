// The unit in which memory is mapped. 4 KiB on x86, up to 64 KiB on ARM.

import { declare } from './libc.ts';

/** Bytes of a page on this machine. */
export function pageBytes(): number {
  return sysSysconf(SC_PAGESIZE);
}

const SC_PAGESIZE = 30;
const sysSysconf = declare('long', 'sysconf', ['int']) as (name: number) => number;
