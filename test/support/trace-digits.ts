// Ids that are the same at every run.

import { RandomDigits } from '../../proxy/tracing/random-digits.ts';
import { seededRandom } from './cluster-fixtures.ts';

export function seededDigits(seed: number): RandomDigits {
  const chance = seededRandom(seed);
  return new RandomDigits((bytes) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = chance() * 256;
  });
}
