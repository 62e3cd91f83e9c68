// The BPF objects as the flags of a command ask for them.

import { readFileSync } from 'node:fs';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { ObjectFiles } from '../loader/object-files.ts';
import type { BpfCommand } from './arguments.ts';

/** By --objects, --release-key and --require-signed. */
export function openObjects({ values }: BpfCommand): ObjectFiles | LoadFailure {
  const releaseKey = keyOf(values.get('release-key'));
  if (isFailure(releaseKey)) return releaseKey;
  return ObjectFiles.open({
    folder: values.get('objects'),
    releaseKey,
    requireSigned: values.has('require-signed'),
  });
}

function keyOf(path: string | undefined): string | undefined | LoadFailure {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return { reason: `cannot read the release key: ${(error as Error).message}`, wayOut: '--release-key FILE in PEM' };
  }
}
