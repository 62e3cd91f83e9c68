// How much the acceptance tests try: little enough for every run of the tests, or as much as full.ts asks for.

/** Independent runs, each with a seed of its own. */
export const seeds = count('SAMPLER_SEEDS', 100);
/** Of each run, about. */
export const requests = count('SAMPLER_REQUESTS', 10_000);
/** Run number i has seed `firstSeed + i`. */
export const firstSeed = count('SAMPLER_FIRST_SEED', 20_261_121);

export const sizesText = `${seeds} runs of about ${requests} requests, seeds from ${firstSeed}`;

function count(variable: string, otherwise: number): number {
  const text = process.env[variable];
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${variable} must be a number, not "${text}"`);
  return value;
}
