// The name that was probably meant, for "did you mean" in problems.

/** The candidate nearest to `name` when at most `slips` letters are wrong, a third of them unless told; or undefined. */
export function nearestName(
  name: string,
  candidates: Iterable<string>,
  slips: number = Math.max(1, Math.floor(name.length / 3)),
): string | undefined {
  let nearest: string | undefined;
  let nearestDistance = slips + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= nearestDistance) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/**
 * The field that was probably meant. People leave words out (`weight` for `load_balancing_weight`) or add some, which no
 * count of letters finds.
 */
export function nearestField(name: string, fields: readonly string[]): string | undefined {
  const near = nearestName(name, fields);
  if (near !== undefined) return near;
  const words = wordsOf(name);
  const candidates = fields.filter((field) => isWithin(words, wordsOf(field)) || isWithin(wordsOf(field), words));
  const distance = (field: string) => Math.abs(wordsOf(field).length - words.length);
  // Of equals the one that begins alike: `port` is `port_value` rather than `named_port`.
  const rank = (field: string) => distance(field) * 2 + (wordsOf(field)[0] === words[0] ? 0 : 1);
  return candidates.sort((a, b) => rank(a) - rank(b))[0];
}

function wordsOf(name: string): readonly string[] {
  return name.replaceAll(/[A-Z]/g, '_$&').toLowerCase().split('_');
}

function isWithin(words: readonly string[], others: readonly string[]): boolean {
  return words.every((word) => others.includes(word));
}

/** Levenshtein distance with two rows. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
