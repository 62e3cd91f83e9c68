// Folders and clients for the tests of control-plane/.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readResourceFile } from '../../control-plane/resource-file.ts';
import { makeSnapshot, type ServedResource, type ServedSnapshot } from '../../control-plane/served-snapshot.ts';
import { servedTypes } from '../../control-plane/served-type.ts';

export const typeUrls = Object.fromEntries(servedTypes.map(({ shortName, typeUrl }) => [shortName, typeUrl])) as {
  readonly [shortName: string]: string;
};

/** Resources of a text in the form of a file. Throws when there is something wrong with it. */
export function resourcesOfText(text: string, file = 'test.yaml'): readonly ServedResource[] {
  const { resources, problems } = readResourceFile(file, text);
  if (problems.length > 0) throw new Error(problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return resources;
}

export function snapshotOfText(text: string, previous?: ServedSnapshot): ServedSnapshot {
  return makeSnapshot(resourcesOfText(text), { previous });
}

/** A service without a listener: a cluster and its assignment. */
export function serviceText(name: string, port = 9001): string {
  return `service: ${name}\nendpoints: [127.0.0.1:${port}]\n`;
}

/** Files by path, written in place. */
export function writeFiles(folder: string, files: { readonly [path: string]: string }): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** As careful editors and deployments do it. */
export function renameIntoPlace(folder: string, path: string, text: string): void {
  writeFileSync(join(folder, `.${path}.new`), text);
  renameSync(join(folder, `.${path}.new`), join(folder, path));
}
