// What libbpf prints, as text: which map could not be made, which program was refused. It hands over a format and C's list
// of arguments, which only C can read; on both of our machines that list is passed as an address (System V AMD64 ABI, 3.5.7;
// AAPCS64, B.4 applied to va_list), so that vsnprintf takes it as it came.

import koffi from 'koffi';
import { ForeignThread } from './foreign-thread.ts';
import { declareLibbpf } from './libbpf.ts';
import { declare } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Runs `call`, which must end before it returns, and adds what libbpf warned of meanwhile to `warnings`, one a line. */
export function gatherWarnings<Outcome>(warnings: string[], call: () => Outcome): Outcome {
  const line = new NativeBuffer(LINE_BYTES);
  const print = (level: number, format: number, values: number): number => {
    if (level !== LIBBPF_WARN) return 0;
    const length = sysVsnprintf(line.address, line.length, format, values);
    const text = line.bytes.toString('utf8', 0, Math.max(0, Math.min(length, line.length - 1)));
    warnings.push(text.replace(/^libbpf: /, '').trimEnd());
    return length;
  };
  const callback = koffi.register(print, printPointer);
  // It has one function to print with, which may not be called on another thread.
  ForeignThread.waitForAll();
  setPrint()(Number(callback));
  try {
    return call();
  } finally {
    setPrint()(0);
    koffi.unregister(callback);
  }
}

const LIBBPF_WARN = 0;
const LINE_BYTES = 4096;

const printPointer = koffi.pointer(koffi.proto('int', ['int', 'uint64_t', 'uint64_t']));
const setPrint = declareLibbpf('uint64_t', 'libbpf_set_print', ['uint64_t']);
const sysVsnprintf = declare('int', 'vsnprintf', ['uint64_t', 'size_t', 'uint64_t', 'uint64_t']) as (
  ...values: [number, number, number, number]
) => number;
