import type { FileProblem } from './resource-file.ts';

/** `shop.yaml:3: routes[0].to: expected text`, which editors and terminals know how to open. */
export function problemText({ file, line, path, message }: FileProblem): string {
  return [line === undefined ? file : `${file}:${line}`, path, message].filter((part) => part !== '').join(': ');
}

/** Enough to see what is wrong; of a thousand files that a script broke nobody reads each. */
const maxLines = 20;

/**
 * What to tell of the problems after those in `reported` were told: the new ones, or what is left when some were mended.
 * Nothing when they are the same.
 */
export function problemLines(problems: readonly string[], reported: ReadonlySet<string>): readonly string[] {
  const added = problems.filter((problem) => !reported.has(problem));
  if (added.length === 0 && problems.length === reported.size) return [];
  const told = (added.length > 0 ? added : problems).slice(0, maxLines);
  const rest = problems.length - told.length;
  return rest === 0 ? told : [...told, `and ${rest} more: /status names all, as --check does`];
}
