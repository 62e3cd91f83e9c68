// Data sources: a value in place, in a file, or in an environment variable. Read once, when the configuration is loaded,
// but for secrets of our own calls, which are read when they are used.

import { readFileSync } from 'node:fs';
import type { SecretText } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { DataSource } from '../generated/messages.ts';

/** The bytes of a data source; undefined when they cannot be had (recorded). */
export function decodeDataSource(message: DataSource, problems: Problems): Uint8Array | undefined {
  if (message.inlineString !== undefined) return new Uint8Array(Buffer.from(message.inlineString));
  if (message.inlineBytes !== undefined) return message.inlineBytes;
  if (message.environmentVariable !== undefined) return readVariable(message.environmentVariable, problems);
  return message.filename === undefined ? undefined : readFile(message.filename, problems);
}

/** The same as text in UTF-8. */
export function decodeTextSource(message: DataSource, problems: Problems): string | undefined {
  if (message.inlineString !== undefined) return message.inlineString;
  const bytes = decodeDataSource(message, problems);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

/** Where the text is, to be read when it is used. Undefined when the source says nothing, which was reported. */
export function decodeSecretText(message: DataSource): SecretText | undefined {
  if (message.filename !== undefined) return { kind: 'file', path: message.filename };
  const variable = message.environmentVariable;
  if (variable !== undefined) return { kind: 'environment', variable };
  const text = message.inlineString ?? (message.inlineBytes && Buffer.from(message.inlineBytes).toString());
  return text === undefined ? undefined : { kind: 'inline', text };
}

function readVariable(name: string, problems: Problems): Uint8Array | undefined {
  const value = process.env[name];
  if (value !== undefined) return new Uint8Array(Buffer.from(value));
  problems.at('environment_variable').add(`there is no environment variable ${name}`);
  return undefined;
}

function readFile(path: string, problems: Problems): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    problems.at('filename').add(`${path} ${cannotBeRead(path, error)}`);
    return undefined;
  }
}
