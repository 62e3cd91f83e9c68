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
    if (tree !== null && tree !== undefined) return tree;
    problems.add('is empty; the least that can be started is {}');
    return undefined;
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    problems.add(mark === undefined ? reason : `line ${mark.line + 1}, column ${mark.column + 1}: ${reason}`);
    return undefined;
  }
}
