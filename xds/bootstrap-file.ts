// From an Envoy bootstrap file to a `Bootstrap`, or to one error that lists everything that is wrong with it.
//
// Text → tree (config-document) → message (proto-json) → checks (message-check) → domain types (decode/).
// Each step goes on after a problem with what it could read, so that an operator repairs a file once.

import { readFileSync } from 'node:fs';
import type { Bootstrap } from '../config/bootstrap.ts';
import { ConfigError, type Problem, Problems } from '../config/problems.ts';
import { cannotBeRead } from '../config/unreadable-file.ts';
import { decodeBootstrap } from './decode/bootstrap.ts';
import type { NodeOverrides } from './decode/process.ts';
import { parseDocument, parseFile } from './document/config-document.ts';
import { mergeDocuments } from './document/document-merge.ts';
import { readDocumentMessage } from './document/document-message.ts';
import { inDocumentOrder } from './document/written-path.ts';

export interface BootstrapSource {
  /** A file with YAML or JSON (`-c`). */
  readonly path?: string;
  /** YAML or JSON that is merged over the file (`--config-yaml`). */
  readonly yaml?: string;
  /** Unknown fields become warnings (`--allow-unknown-static-fields`). */
  readonly allowUnknownFields: boolean;
  readonly overrides?: NodeOverrides;
}

export interface LoadedBootstrap {
  readonly bootstrap: Bootstrap;
  /** Unknown fields that were allowed. */
  readonly warnings: readonly Problem[];
  /** The tree as it was written, for `/config_dump`. */
  readonly document: unknown;
}

export const bootstrapType = 'envoy.config.bootstrap.v3.Bootstrap';

/** Throws `ConfigError` with every problem when there is one. */
export function loadBootstrap(source: BootstrapSource): LoadedBootstrap {
  const subject = source.path ?? '--config-yaml';
  const document = readDocument(source, subject);
  const { value, problems, unknownFields } = readDocumentMessage(document, bootstrapType, (message, found) =>
    decodeBootstrap(message, source.overrides ?? {}, found),
  );
  const found = [...problems];
  if (!source.allowUnknownFields) found.push(...unknownFields);
  if (found.length > 0) throw new ConfigError(subject, inDocumentOrder(found, document));
  return { bootstrap: value, warnings: unknownFields, document };
}

function readDocument(source: BootstrapSource, subject: string): unknown {
  const file = source.path === undefined ? undefined : parseText(readText(source.path), subject, source.path);
  const inline = source.yaml === undefined ? undefined : parseText(source.yaml, '--config-yaml');
  if (file === undefined && inline === undefined) {
    throw new ConfigError(subject, [{ path: '', message: 'there is no configuration; give -c or --config-yaml' }]);
  }
  return file === undefined || inline === undefined ? (file ?? inline) : mergeDocuments(file, inline, bootstrapType);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, [{ path: '', message: cannotBeRead(path, error) }]);
  }
}

function parseText(text: string, subject: string, path?: string): unknown {
  const problems = new Problems();
  const document = path === undefined ? parseDocument(text, problems) : parseFile(path, text, problems);
  if (!problems.isEmpty) throw new ConfigError(subject, problems.list);
  return document;
}
