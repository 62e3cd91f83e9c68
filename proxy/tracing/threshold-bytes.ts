// Thresholds and random values as 14 digits in bytes, as the hot path compares them: of lower-case hex digits the greater byte
// is the greater digit (sampler/threshold.ts).

import { always, type Threshold, thresholdOf } from '../../sampler/threshold.ts';
import { randomLength } from './trace-context.ts';

export function thresholdBytes(threshold: Threshold): Uint8Array {
  return Uint8Array.from(Buffer.from(threshold, 'latin1'));
}

/** Of a share that configuration states: the exact one, whatever its length. */
export function percentageThreshold(share: number): Uint8Array {
  return thresholdBytes(thresholdOf(share, randomLength));
}

export const alwaysBytes: Uint8Array = thresholdBytes(always);

/** Whether the 14 digits at `a[aAt]` are those at `b[bAt]` or greater. */
export function isAtLeast(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let index = 0; index < randomLength; index++) {
    const difference = a[aAt + index]! - b[bAt + index]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export function copyThreshold(target: Uint8Array, source: Uint8Array, at: number): void {
  for (let index = 0; index < randomLength; index++) target[index] = source[at + index]!;
}

/** Leaves the greater of both in `target`. */
export function raiseThreshold(target: Uint8Array, source: Uint8Array): void {
  if (!isAtLeast(target, 0, source, 0)) copyThreshold(target, source, 0);
}

/** 1 to 14 digits, the zeros at their end cut, as `th` is written. */
export function readThresholdText(target: Uint8Array, text: string): void {
  for (let index = 0; index < randomLength; index++) {
    target[index] = index < text.length ? text.charCodeAt(index) : digitZero;
  }
}

/** The text of `th`. */
export function thresholdText(threshold: Uint8Array): string {
  let length = randomLength;
  while (length > 1 && threshold[length - 1] === digitZero) length--;
  let text = '';
  for (let index = 0; index < length; index++) text += String.fromCharCode(threshold[index]!);
  return text;
}

const digitZero = 0x30;
