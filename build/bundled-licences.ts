// dist/THIRD-PARTY-LICENSES: whose code is in the bundle, and under which terms. MIT, BSD and Apache-2.0 all want their text
// beside copies of the code, and the packages are not installed beside the bundle.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/** Apache-2.0, section 4 (d): a NOTICE goes along. */
const TEXTS = /^(licen[cs]e|copying|notice)/i;

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/** The text of the file. Throws where a package has no licence to show. Paths of `metafile` are relative to `source`. */
export function bundledLicences(metafile: Metafile, source: string): string {
  const folders = new Set<string>();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = PACKAGE.exec(path)?.[0];
      if (folder !== undefined && bytesInOutput > 0) folders.add(join(source, folder));
    }
  }
  return `The programs in this folder contain code of these packages.\n${[...folders].map(entryOf).sort().join('')}`;
}

function entryOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder)
    .filter((file) => TEXTS.test(file))
    .sort();
  if (texts.length === 0) throw new Error(`${name} is to be bundled, and has no licence text`);
  const text = texts.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  return `\n\n${name} ${version}, ${license}\n\n${text.replaceAll(/^/gm, '  ').replaceAll(/ +$/gm, '')}\n`;
}
