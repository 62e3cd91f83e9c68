// Consistent probability sampling: a trace has 56 random bits R, a stage of sampling has a threshold T, and the trace is
// kept when R >= T. Equal R and different T anywhere in a mesh give nested sets of traces, and who knows T knows how many
// traces one stands for.
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/
//
// R and T are 14 lower-case hex digits everywhere: the specification chose a form in which comparing texts compares
// numbers, and a double has three bits too few for them. Arithmetic happens here only, a key and second at a time.

/** 14 lower-case hex digits, or `never`. */
export type Threshold = string;

/** Every trace is kept. */
export const always: Threshold = '00000000000000';

/** Greater than every random value: no trace is kept. It is not sent to anybody. */
export const never: Threshold = 'gggggggggggggg';

/** Digits of R and T. */
export const digits = 14;

/**
 * The threshold that keeps a share `probability` of all traces. 1 and more keep all, 0 and less none, and what is above 0
 * but below 2^-56 one trace of 2^56.
 *
 * `precision` is the number of digits after leading `f`s (or zeros), which say only that little is kept (or nearly all):
 * 4 give a probability that is right to a few parts in 100,000, in a text that is short in every request.
 */
export function thresholdOf(probability: number, precision = 4): Threshold {
  // NaN keeps nothing: a mistake must not flood.
  if (!(probability > 0)) return never;
  if (probability >= 1) return always;
  const rejected = steps - BigInt(Math.max(1, Math.round(probability * Number(steps))));
  const dropped = BigInt(Math.max(0, digits - idleDigits(probability) - precision) * 4);
  const unit = 1n << dropped;
  const rounded = ((rejected + unit / 2n) >> dropped) << dropped;
  return hex(rounded < steps ? rounded : rejected);
}

/** The share of traces that a threshold keeps. */
export function probabilityOf(threshold: Threshold): number {
  if (threshold === never) return 0;
  // Exact: the difference is taken before it is made a double.
  return Number(steps - BigInt(`0x${threshold}`)) / Number(steps);
}

/** How many traces a kept one stands for; Infinity for `never`. */
export function adjustedCount(threshold: Threshold): number {
  return 1 / probabilityOf(threshold);
}

/** As texts compare. The hot path compares bytes, in the same order. */
export function isKept(random: string, threshold: Threshold): boolean {
  return random >= threshold;
}

export function higher(a: Threshold, b: Threshold): Threshold {
  return a > b ? a : b;
}

export function lower(a: Threshold, b: Threshold): Threshold {
  return a < b ? a : b;
}

/** The lowest threshold that does not keep `random`. */
export function justAbove(random: string): Threshold {
  const next = BigInt(`0x${random}`) + 1n;
  return next === steps ? never : hex(next);
}

/** The value of `th`: trailing zeros cut, `0` for all. Undefined for `never`, of which nothing is sent. */
export function writeThreshold(threshold: Threshold): string | undefined {
  if (threshold === never) return undefined;
  const text = threshold.replace(/0+$/, '');
  return text === '' ? '0' : text;
}

/** The threshold of a `th` value: 1 to 14 lower-case hex digits. Undefined for anything else. */
export function readThreshold(value: string): Threshold | undefined {
  return /^[0-9a-f]{1,14}$/.test(value) ? value.padEnd(digits, '0') : undefined;
}

/** R of an `rv` value: exactly 14 lower-case hex digits. Undefined for anything else. */
export function readRandom(value: string): string | undefined {
  return /^[0-9a-f]{14}$/.test(value) ? value : undefined;
}

/** R of 32 lower-case hex digits of a trace id: its last 7 bytes. */
export function randomOf(traceId: string): string {
  return traceId.slice(-digits);
}

/** 2^56. */
const steps = 1n << 56n;

/** How many digits of the threshold are `f`, or zero: each says that the probability, or what it lacks to 1, is a 16th. */
function idleDigits(probability: number): number {
  return Math.floor(-Math.log2(Math.min(probability, 1 - probability)) / 4);
}

function hex(value: bigint): Threshold {
  return value.toString(16).padStart(digits, '0');
}
