// A configuration file as a tree of plain values: JSON, or YAML, which has JSON inside but takes ten times as long to read.

import { load, loadAll, YAMLException } from 'js-yaml';
import type { Problems } from '../../config/problems.ts';
import { jsonProblem } from './json-problem.ts';

export interface IndexedDocument {
  /** Position among the documents of the text, from 0. */
  readonly index: number;
  readonly tree: unknown;
}

/** The tree; undefined when the text is neither, or empty (recorded, with line and column where there is one). */
export function parseDocument(text: string, problems: Problems): unknown {
  if (/^\s*\{/.test(text)) {
    const parsed = parseJson(text);
    if (parsed !== undefined && !isDeeper(parsed, mostLevels)) return parsed;
    // YAML flow mappings begin with a brace too; its parser says best what is wrong.
  }
  return parseYaml(text, problems);
}

/**
 * The tree of a file. One that is called `.json` has to be JSON, as for Envoy: what a parser of YAML says of a comma too many
 * in it helps nobody.
 */
export function parseFile(path: string, text: string, problems: Problems): unknown {
  const json = text.replace(/^\ufeff/, '');
  if (!/\.json$/i.test(path) || json.trim() === '') return parseDocument(text, problems);
  const parsed = parseJson(json);
  if (parsed !== undefined) return parsed;
  problems.add(`is not JSON: ${jsonProblem(json)}; a file with YAML must be called .yaml`);
  return undefined;
}

/**
 * The trees of a text that may have several documents, parted by `---`. Empty ones are left out; their places in the
 * text are still counted by the index. Undefined when the text cannot be read (recorded).
 */
export function parseDocuments(text: string, problems: Problems): readonly IndexedDocument[] | undefined {
  if (/^\s*\{/.test(text)) {
    const parsed = parseJson(text);
    if (parsed !== undefined && !isDeeper(parsed, mostLevels)) return [{ index: 0, tree: parsed }];
  }
  const trees = recordingSyntaxErrors(() => loadAll(text), problems);
  if (trees === undefined) return undefined;
  if (text.includes('&') && valuesIn(trees, new Map()) > maxValues) {
    problems.add(tooManyValues);
    return undefined;
  }
  return trees.map((tree, index) => ({ index, tree })).filter(({ tree }) => tree !== null && tree !== undefined);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** One more is too many for the parser of YAML, which finds the lines in JSON too. Nor is a stack without end. */
const mostLevels = 99;

function isDeeper(tree: unknown, levels: number): boolean {
  if (levels === 0) return true;
  return typeof tree === 'object' && tree !== null && Object.values(tree).some((value) => isDeeper(value, levels - 1));
}

function parseYaml(text: string, problems: Problems): unknown {
  const isBlank = text.replace(/^\s*(#.*)?$/gm, '').trim() === '';
  const tree = isBlank ? null : recordingSyntaxErrors(() => load(text), problems);
  if (tree === undefined && !isBlank) return undefined;
  if (tree === null) problems.add('is empty; the least that can be started is {}');
  else if (text.includes('&') && valuesIn(tree, new Map()) > maxValues) problems.add(tooManyValues);
  else return tree;
  return undefined;
}

/** What `parse` returns, or undefined when the text is not YAML. */
function recordingSyntaxErrors<T>(parse: () => T, problems: Problems): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    problems.add(mark === undefined ? reason : `line ${mark.line + 1}, column ${mark.column + 1}: ${reason}`);
    return undefined;
  }
}

/** Twenty times what 10,000 clusters with their routes have. */
const maxValues = 10_000_000;
const tooManyValues = `has more than ${maxValues} values when its aliases are unfolded`;

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
