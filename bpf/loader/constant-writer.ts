// Constants are set before an object is loaded, by name, through the tables made of its BTF: the verifier then removes
// the branches that they rule out, and nothing can change them afterwards.

import type { LoadFailure } from './load-failure.ts';
import type { ConstantLayout } from './object-layout.ts';

export type ConstantValues = Readonly<Record<string, number | bigint>>;

/** Writes `values` into `section`, the initial bytes of .rodata. Nothing is written when one of them cannot be. */
export function writeConstants(
  section: Uint8Array,
  layouts: readonly ConstantLayout[],
  values: ConstantValues,
): LoadFailure | undefined {
  const writes: { layout: ConstantLayout; value: bigint }[] = [];
  for (const [name, given] of Object.entries(values)) {
    const layout = layouts.find((constant) => constant.name === name);
    if (layout === undefined) return { reason: `there is no constant ${name}; there are ${namesOf(layouts)}` };
    const value = wholeNumber(given);
    if (value === undefined) return { reason: `constant ${name} takes whole numbers, not ${given}` };
    const { least, most } = range(layout);
    if (value < least || value > most) {
      return { reason: `constant ${name} takes ${least} to ${most}, not ${value}` };
    }
    if (layout.offset + layout.bytes > section.length) {
      return { reason: `constant ${name} lies beyond the object's constants: the object is of another version` };
    }
    writes.push({ layout, value });
  }
  for (const { layout, value } of writes) writeInteger(section, layout, value);
  return undefined;
}

function wholeNumber(value: number | bigint): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return Number.isSafeInteger(value) ? BigInt(value) : undefined;
}

function range({ bytes, signed }: ConstantLayout): { least: bigint; most: bigint } {
  const bits = BigInt(bytes * 8);
  return signed
    ? { least: -(1n << (bits - 1n)), most: (1n << (bits - 1n)) - 1n }
    : { least: 0n, most: (1n << bits) - 1n };
}

/** Little-endian, as every machine is that we run on; two's complement where it is negative. */
function writeInteger(section: Uint8Array, { offset, bytes }: ConstantLayout, value: bigint): void {
  let rest = BigInt.asUintN(bytes * 8, value);
  for (let index = 0; index < bytes; index++) {
    section[offset + index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function namesOf(layouts: readonly ConstantLayout[]): string {
  return layouts.length === 0 ? 'none' : layouts.map(({ name }) => name).join(', ');
}
