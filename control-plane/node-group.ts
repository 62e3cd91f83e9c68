// Which group of nodes a client belongs to: the one whose glob matches its node id, of several the one that
// says most about it.

/** `*` stands for any text, also none; everything else for itself. */
export function matchesGlob(glob: string, nodeId: string): boolean {
  const parts = glob.split('*');
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (parts.length === 1) return glob === nodeId;
  if (!nodeId.startsWith(first) || !nodeId.endsWith(last) || nodeId.length < first.length + last.length) return false;
  let from = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = nodeId.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return from <= nodeId.length - last.length;
}

/** Undefined when no glob matches: such nodes get what is for every node. */
export function groupOf(nodeId: string, globs: Iterable<string>): string | undefined {
  let group: string | undefined;
  for (const glob of globs) {
    if (matchesGlob(glob, nodeId) && (group === undefined || isBefore(glob, group))) group = glob;
  }
  return group;
}

/** By the text that is not `*`; of equals the first of the alphabet. */
function isBefore(glob: string, other: string): boolean {
  const difference = glob.replaceAll('*', '').length - other.replaceAll('*', '').length;
  return difference === 0 ? glob < other : difference > 0;
}
