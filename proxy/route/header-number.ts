// Whole numbers that peers write into headers, as Envoy reads them: 64 bits without a sign. A double does not hold all of
// them, so nothing here makes one number of all digits.

/** The largest number of 64 bits. */
const largest = '18446744073709551615';

/** The digits of a whole number of 64 bits, without leading zeros; null when `text` is none. */
export function unsignedDigits(text: string): string | null {
  const digits = unsignedNumber.exec(text)?.[1];
  if (digits === undefined || digits.length > largest.length) return null;
  return digits.length === largest.length && digits > largest ? null : digits;
}

// Only one way leads through any text: who sends it chooses how long it is. Zeros that could be part of both halves took 21 s
// for 60 KB of them.
const unsignedNumber = /^\s*\+?0*(0|[1-9][0-9]*)\s*$/;

/** What is left of the number in `text` when it is divided by `divisor`; -1 when it is no whole number of 64 bits. */
export function remainderOf(text: string, divisor: number): number {
  const digits = unsignedDigits(text);
  if (digits === null) return -1;
  let rest = 0;
  for (let at = 0; at < digits.length; at++) rest = (rest * 10 + digits.charCodeAt(at) - 0x30) % divisor;
  return rest;
}
