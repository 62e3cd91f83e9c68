// A configuration file as a tree of plain values: JSON, or YAML, which has JSON inside but takes ten times as long to read.

import { load, YAMLException } from 'js-yaml';
import type { Problems } from '../config/problems.ts';

/** The tree; undefined when the text is neither, or empty (recorded, with line and column where there is one). */
export function parseDocument(text: string, problems: Problems): unknown {
  if (/^\s*\{/.test(text)) {
    const parsed = parseJson(text);
    if (parsed !== undefined) return parsed;
    // YAML flow mappings begin with a brace too; its parser says best what is wrong.
  }
  return parseYaml(text, problems);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseYaml(text: string, problems: Problems): unknown {
  try {
    const tree = text.replace(/^\s*(#.*)?$/gm, '').trim() === '' ? null : load(text);
    if (tree === null || tree === undefined) problems.add('is empty; the least that can be started is {}');
    else if (text.includes('&') && valuesIn(tree, new Map()) > maxValues) {
      problems.add(`has more than ${maxValues} values when its aliases are unfolded`);
    } else return tree;
    return undefined;
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    problems.add(mark === undefined ? reason : `line ${mark.line + 1}, column ${mark.column + 1}: ${reason}`);
    return undefined;
  }
}

/** Twenty times what 10,000 clusters with their routes have. */
const maxValues = 10_000_000;

/** How many values there are to walk. A part that several aliases name is counted as often, but looked at once. */
function valuesIn(tree: unknown, known: Map<object, number>): number {
  if (typeof tree !== 'object' || tree === null) return 1;
  const before = known.get(tree);
  if (before !== undefined) return before;
  // A part that contains itself has no end.
  known.set(tree, Number.POSITIVE_INFINITY);
  let count = 1;
  for (const value of Object.values(tree)) count += valuesIn(value, known);
  known.set(tree, count);
  return count;
}
