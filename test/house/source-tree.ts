// The repository's files as the house rules see them: what people wrote, without what tools made.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const ROOT = join(import.meta.dirname, '../..');

/** Folders whose code is shipped. */
export const SHIPPED = ['config', 'native', 'xds', 'control-plane', 'sampler', 'bpf', 'proxy'];

/** Paths relative to the repository, sorted. `pattern` as in `fs.globSync`. */
export function pathsOf(pattern: string | readonly string[]): readonly string[] {
  const isMade = (path: string) => /(^|\/)(node_modules|dist|generated|\.cache|\.tap|\.git)$/.test(path);
  return globSync(pattern, { cwd: ROOT, exclude: isMade }).sort();
}

export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Lines that are neither blank nor comment. */
export function codeLines(text: string): number {
  return text.split('\n').filter((line) => !/^\s*($|\/\/|\/?\*)/.test(line)).length;
}

export function parse(path: string, text: string = textOf(path)): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
}

/** Every node of the file, parents first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

/** `path:line`, for messages. */
export function placeOf(file: ts.SourceFile, node: ts.Node): string {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}
