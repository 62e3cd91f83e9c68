// The compiled objects that ship with the package. Whatever is given to the kernel has the sha256 that the manifest
// names, checked at every load over the very bytes that are loaded; the manifest itself is signed when it is a release.
//
// The key that ships beside the objects finds damage and mistakes. Whoever can replace the objects can replace that key
// as well: who must exclude it gives a key of their own and requires the signature (`outrigger bpf --audit`).

import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../../native/sha256.ts';
import { isFailure, type LoadFailure } from './load-failure.ts';
import { type ManifestObject, type ObjectManifest, parseManifest } from './object-manifest.ts';

export type ObjectName = 'outbound' | 'inbound' | 'shortcut' | 'events';

export interface ObjectFilesOptions {
  /** Where manifest.json is; when absent, the folder that ships with this program. */
  readonly folder?: string | undefined;
  /**
   * PEM of an ed25519 public key, whose signature is required then: or it would be enough to take the signature away. When
   * absent, `release-key.pem` beside the folder where there is one.
   */
  readonly releaseKey?: string | undefined;
  /** Refuses objects without a signature. A wrong signature is always refused. */
  readonly requireSigned?: boolean | undefined;
}

export type SignatureState =
  /** `key` is the sha256 of the public key in SPKI form, in hex. */
  { readonly kind: 'signed'; readonly key: string } | { readonly kind: 'unsigned'; readonly because: string };

export class ObjectFiles {
  readonly folder: string;
  readonly manifest: ObjectManifest;
  readonly signature: SignatureState;

  private constructor(folder: string, manifest: ObjectManifest, signature: SignatureState) {
    this.folder = folder;
    this.manifest = manifest;
    this.signature = signature;
  }

  static open(options: ObjectFilesOptions = {}): ObjectFiles | LoadFailure {
    const folder = options.folder ?? shippedFolder();
    const bytes = readBytes(join(folder, MANIFEST));
    if (isFailure(bytes)) return { ...bytes, wayOut: BUILD };
    const manifest = parseManifest(bytes.toString('utf8'));
    if (typeof manifest === 'string') {
      return { reason: `${join(folder, MANIFEST)} is damaged: ${manifest}`, wayOut: REINSTALL };
    }
    const signature = checkSignature(folder, bytes, options);
    return isFailure(signature) ? signature : new ObjectFiles(folder, manifest, signature);
  }

  /** The object's bytes, which are the ones that the manifest names. */
  read(name: string): Buffer | LoadFailure {
    const entry = this.manifest.objects.get(name);
    if (entry === undefined) {
      const known = [...this.manifest.objects.keys()].join(', ');
      return { reason: `there is no BPF object ${name} in ${this.folder}, only ${known}`, wayOut: BUILD };
    }
    const path = join(this.folder, entry.file);
    const bytes = readBytes(path);
    return isFailure(bytes) ? { ...bytes, wayOut: REINSTALL } : checkHash(path, bytes, entry);
  }
}

/** sha256 in hex. */
export function hashOf(bytes: Uint8Array): string {
  const digest = sha256(bytes);
  return digest === undefined ? createHash('sha256').update(bytes).digest('hex') : Buffer.from(digest).toString('hex');
}

const MANIFEST = 'manifest.json';
const SIGNATURE = 'manifest.json.sig';
const RELEASE_KEY = 'release-key.pem';
const SIGNATURE_BYTES = 64;

const BUILD = 'build the objects with `npm run build:bpf`, or install the released package, which has them';
const RELEASE = 'take the objects of a release, or leave --require-signed and --release-key out';
const REINSTALL = 'install the package again, or build the objects anew with `npm run build:bpf`';

/** This file is dist/bpf.cjs in the package and bpf/loader/object-files.ts in a clone. */
function shippedFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [join(here, '../objects'), join(here, '../bpf/objects')];
  return places.find((place) => existsSync(join(place, MANIFEST))) ?? places[1]!;
}

function checkHash(path: string, bytes: Buffer, { sha256 }: ManifestObject): Buffer | LoadFailure {
  const found = hashOf(bytes);
  if (found === sha256) return bytes;
  const reason = `${path} is not the released object: its sha256 is ${found}, the manifest has ${sha256}`;
  return { reason, wayOut: REINSTALL };
}

function checkSignature(folder: string, manifest: Buffer, options: ObjectFilesOptions): SignatureState | LoadFailure {
  const key = releaseKey(folder, options.releaseKey);
  if (isFailure(key)) return key;
  const path = join(folder, SIGNATURE);
  if (!existsSync(path)) return unsigned('not signed: a development build', folder, options);
  if (key === undefined) return unsigned('signed, but there is no release key to check it with', folder, options);
  const signature = readBytes(path);
  if (isFailure(signature)) return signature;
  const raw = Buffer.from(signature.toString('latin1'), 'base64');
  if (raw.length !== SIGNATURE_BYTES || !verify(null, manifest, key, raw)) {
    return { reason: `${path} is not the release key's signature of ${MANIFEST}`, wayOut: REINSTALL };
  }
  return { kind: 'signed', key: hashOf(key.export({ type: 'spki', format: 'der' })) };
}

function unsigned(because: string, folder: string, options: ObjectFilesOptions): SignatureState | LoadFailure {
  const isRequired = options.requireSigned === true || options.releaseKey !== undefined;
  if (!isRequired) return { kind: 'unsigned', because };
  return { reason: `the BPF objects in ${folder} are ${because}, and a signature is required`, wayOut: RELEASE };
}

function releaseKey(folder: string, given: string | undefined): KeyObject | undefined | LoadFailure {
  const path = join(folder, '..', RELEASE_KEY);
  if (given === undefined && !existsSync(path)) return undefined;
  const name = given === undefined ? path : 'the release key';
  const pem = given ?? readBytes(path);
  if (isFailure(pem)) return pem;
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    return { reason: `${name} is no public key in PEM: ${(error as Error).message}` };
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  return { reason: `${name} is of type ${key.asymmetricKeyType}, not ed25519` };
}

function readBytes(path: string): Buffer | LoadFailure {
  try {
    return readFileSync(path);
  } catch (error) {
    return { reason: `cannot read ${path}: ${(error as Error).message}` };
  }
}
