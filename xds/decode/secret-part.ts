// Where a part of a secret is (`config.core.v3.DataSource`), and its bytes. It is read when the secret is, and again when
// files move.

import { readFileSync } from 'node:fs';
import type { Problems } from '../../config/problems.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { SecretPart } from '../../config/written-secret.ts';
import type { DataSource } from '../generated/messages.ts';

/** Undefined when the source says nothing, which was reported. */
export function decodeSecretPart(message: DataSource): SecretPart | undefined {
  if (message.filename !== undefined) return { kind: 'file', path: message.filename };
  if (message.environmentVariable !== undefined) return { kind: 'environment', variable: message.environmentVariable };
  if (message.inlineBytes !== undefined) return { kind: 'inline', bytes: message.inlineBytes };
  if (message.inlineString === undefined) return undefined;
  return { kind: 'inline', bytes: new Uint8Array(Buffer.from(message.inlineString)) };
}

/** Undefined when they cannot be had (recorded, without what is in them). */
export function readSecretPart(part: SecretPart, problems: Problems): Uint8Array | undefined {
  if (part.kind === 'inline') return part.bytes;
  if (part.kind === 'environment') {
    const value = process.env[part.variable];
    if (value !== undefined) return new Uint8Array(Buffer.from(value));
    problems.at('environment_variable').add(`there is no environment variable ${part.variable}`);
    return undefined;
  }
  try {
    return new Uint8Array(readFileSync(part.path));
  } catch (error) {
    problems.at('filename').add(`${part.path} ${cannotBeRead(part.path, error)}`);
    return undefined;
  }
}
