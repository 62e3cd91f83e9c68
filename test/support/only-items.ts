// In a pattern of `t.match`, a list matches any that begins so: tap looks only at what the pattern has. With a length among
// that, it is the whole list.

/** Matches a list of so many items, each of which matches its pattern. Where objects have no more fields, use `t.matchOnly`. */
export function onlyItems(...patterns: readonly unknown[]): object {
  return { ...patterns, length: patterns.length };
}
