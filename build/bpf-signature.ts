// `npm run sign:bpf -- --key FILE`: signs bpf/objects/manifest.json, which names every object by its hash, with the release
// key (Ed25519, RFC 8032). bpf/loader/object-files.ts checks it against the public half. The private half never lies in
// the repository: whoever has it decides what may run in the kernels of all users.

import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const OBJECTS = join(import.meta.dirname, '../bpf/objects');
const MANIFEST = 'manifest.json';

/** Writes `manifest.json.sig` into `folder`, in base64. `pem`: PKCS #8. Throws an error that says what is wrong. */
export function signManifest(folder: string, pem: string): void {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`the key is of type ${key.asymmetricKeyType}, not ed25519`);
  const path = join(folder, `${MANIFEST}.sig`);
  const signature = sign(null, readFileSync(join(folder, MANIFEST)), key);
  writeFileSync(`${path}.new`, `${signature.toString('base64')}\n`);
  renameSync(`${path}.new`, path);
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({
      options: { key: { type: 'string' }, objects: { type: 'string', default: OBJECTS } },
    });
    if (values.key === undefined) {
      throw new Error(
        '--key FILE is missing: the private key in PEM, as `openssl genpkey -algorithm ed25519` makes one',
      );
    }
    signManifest(resolve(values.objects), readFileSync(values.key, 'utf8'));
  } catch (error) {
    console.error(`build/bpf-signature.ts: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
