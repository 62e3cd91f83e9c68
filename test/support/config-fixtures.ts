// Configuration written as YAML in tests: read, checked and decoded as a bootstrap is, with problems as lines of text.

import { ConfigError, Problems } from '../../config/problems.ts';
import { type BootstrapSource, loadBootstrap } from '../../xds/bootstrap-file.ts';
import { parseDocument } from '../../xds/document/config-document.ts';
import { checkMessage } from '../../xds/message/message-check.ts';
import type { Message } from '../../xds/message/message-descriptor.ts';
import { readProtoJson } from '../../xds/message/proto-json.ts';

export interface Decoded<D> {
  readonly value: D;
  /** `path: message`, in the order found. */
  readonly problems: readonly string[];
}

/** The YAML as a message in memory. Throws when it cannot be read. */
export function messageOf(typeName: string, yaml: string): Message {
  const { message, problems, unknownFields } = readProtoJson(treeOf(yaml), typeName);
  const found = [...problems, ...unknownFields];
  if (found.length > 0) throw new ConfigError(typeName, found);
  return message;
}

/** Runs a decoder on a message that was read and checked. */
export function decodedAs<M, D>(
  typeName: string,
  yaml: string,
  decode: (message: M, problems: Problems) => D,
): Decoded<D> {
  const message = messageOf(typeName, yaml);
  const problems = new Problems();
  checkMessage(message, typeName, problems);
  const value = decode(message as M, problems);
  return { value, problems: problems.list.map(({ path, message: text }) => `${path}: ${text}`) };
}

/** Loads a bootstrap that must be right. */
export function bootstrapOf(yaml: string, source: Partial<BootstrapSource> = {}) {
  return loadBootstrap({ yaml, allowUnknownFields: false, ...source });
}

/** The problems of a bootstrap that must be wrong, `path: message` each. */
export function bootstrapProblems(yaml: string, source: Partial<BootstrapSource> = {}): readonly string[] {
  try {
    loadBootstrap({ yaml, allowUnknownFields: false, ...source });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

export function treeOf(yaml: string): unknown {
  const problems = new Problems();
  const tree = parseDocument(yaml, problems);
  if (!problems.isEmpty) throw new ConfigError('yaml', problems.list);
  return tree;
}
