// A figure as it is reported: the median of the rounds and their full range. No round is dropped for its value.

export type Spread = { readonly median: number; readonly least: number; readonly most: number };

// Throws an Error on no values.
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('no values to take a median of');
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}
