// Certificates, revocation lists and keys from PEM in memory (RFC 7468): operators' files, secrets of a control plane. What
// is read belongs to the caller, who frees it; text between the blocks and blocks of another kind are passed over.

import { NativeBuffer } from './native-buffer.ts';
import {
  clearOpensslErrors,
  declareOpenssl,
  lastOpensslError,
  type OpensslFunction,
  OpensslPart,
  partOf,
  reasonNumberOf,
  takeOpensslProblem,
} from './openssl.ts';

export type Pem = string | Uint8Array;

/** Pointers to X509, at least one, in the order of the text; or what is wrong with it, as a sentence. */
export function readCertificates(pem: Pem): number[] | string {
  return readAll(pem, { what: 'certificate', read: readCertificate(), free: freeCertificate() });
}

/** As `readCertificates`, as DER. */
export function readCertificateDers(pem: Pem): Buffer[] | string {
  const certificates = readCertificates(pem);
  if (typeof certificates === 'string') return certificates;
  const ders = certificates.map(derOf);
  freeCertificates(certificates);
  return ders;
}

/** As `readCertificates`, to X509_CRL. */
export function readRevocationLists(pem: Pem): number[] | string {
  return readAll(pem, { what: 'revocation list', read: readRevocationList(), free: freeRevocationList() });
}

/** A pointer to EVP_PKEY, or a sentence. The copy that is made of PEM and password is overwritten. */
export function readPrivateKey(pem: Pem, password: string | undefined): number | string {
  const secret = password === undefined ? Buffer.alloc(0) : Buffer.from(password);
  if (secret.includes(0) || secret.length > MAX_PASSWORD_BYTES)
    return `the password of the private key has a zero byte, or more than ${MAX_PASSWORD_BYTES} bytes`;
  const text = copyOf(bytesOf(pem));
  // Never NULL: OpenSSL would ask for a password at the terminal.
  const terminated = copyOf(secret, 1);
  clearOpensslErrors();
  const memory = memoryBio()(text.address, text.length);
  const key = readKey()(memory, 0, 0, terminated.address);
  freeBio()(memory);
  const isEncrypted = text.bytes.includes('ENCRYPTED');
  for (const buffer of [text, terminated, { bytes: secret }]) buffer.bytes.fill(0);
  if (key !== 0) {
    clearOpensslErrors();
    return key;
  }
  const reason = takeOpensslProblem() ?? 'no reason is known';
  if (!isEncrypted) return `the private key cannot be read: ${reason}`;
  if (password === undefined) return 'the private key is encrypted, and there is no password for it';
  return `the private key cannot be read with its password: ${reason}`;
}

export function freeCertificates(certificates: readonly number[]): void {
  for (const certificate of certificates) freeCertificate()(certificate);
}

export function freeRevocationLists(lists: readonly number[]): void {
  for (const list of lists) freeRevocationList()(list);
}

export function freePrivateKey(key: number): void {
  freeKey()(key);
}

/** The certificate's DER (i2d_X509(3)). */
export function derOf(certificate: number): Buffer {
  const length = encodeCertificate()(certificate, 0);
  const der = new NativeBuffer(Math.max(length, 1));
  place.bytes.writeBigUInt64LE(BigInt(der.address));
  encodeCertificate()(certificate, place.address);
  return der.bytes.subarray(0, Math.max(length, 0));
}

/** The DER of each certificate of a STACK_OF(X509), 0 for none. The stack stays the caller's. */
export function derOfStack(stack: number): Buffer[] {
  const count = stack === 0 ? 0 : stackLength()(stack);
  return Array.from({ length: count }, (_, index) => derOf(stackItem()(stack, index)));
}

interface Kind {
  readonly what: string;
  readonly read: OpensslFunction;
  readonly free: OpensslFunction;
}

function readAll(pem: Pem, { what, read, free }: Kind): number[] | string {
  const text = copyOf(bytesOf(pem));
  const found: number[] = [];
  clearOpensslErrors();
  const memory = memoryBio()(text.address, text.length);
  // A block of another kind that is encrypted would be asked a password for: the buffer says there is none.
  for (let one = read(memory, 0, 0, noPassword.address); one !== 0; one = read(memory, 0, 0, noPassword.address))
    found.push(one);
  freeBio()(memory);
  const last = lastOpensslError();
  const isEnd = partOf(last) === OpensslPart.pem && reasonNumberOf(last) === PEM_R_NO_START_LINE;
  const reason = takeOpensslProblem();
  if (isEnd && found.length > 0) return found;
  for (const one of found) free(one);
  if (isEnd) return `there is no ${what} in it`;
  return `${what} ${found.length + 1} cannot be read: ${reason ?? 'no reason is known'}`;
}

function bytesOf(pem: Pem): Uint8Array {
  return typeof pem === 'string' ? Buffer.from(pem) : pem;
}

function copyOf(bytes: Uint8Array, zeros = 0): NativeBuffer {
  // One byte at least: OpenSSL takes no buffer of none.
  const buffer = new NativeBuffer(Math.max(bytes.length + zeros, 1));
  buffer.bytes.fill(0);
  buffer.bytes.set(bytes);
  return buffer;
}

const PEM_R_NO_START_LINE = 108;
const MAX_PASSWORD_BYTES = 1023; // PEM_BUFSIZE, which would cut it
const place = new NativeBuffer(8);
const noPassword = copyOf(new Uint8Array(0));

const memoryBio = declareOpenssl('uint64_t', 'BIO_new_mem_buf', ['uint64_t', 'int']);
const freeBio = declareOpenssl('int', 'BIO_free', ['uint64_t']);
const reader = (name: string) => declareOpenssl('uint64_t', name, ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']);
const readCertificate = reader('PEM_read_bio_X509');
const readRevocationList = reader('PEM_read_bio_X509_CRL');
const readKey = reader('PEM_read_bio_PrivateKey');
const freeCertificate = declareOpenssl('void', 'X509_free', ['uint64_t']);
const freeRevocationList = declareOpenssl('void', 'X509_CRL_free', ['uint64_t']);
const freeKey = declareOpenssl('void', 'EVP_PKEY_free', ['uint64_t']);
const encodeCertificate = declareOpenssl('int', 'i2d_X509', ['uint64_t', 'uint64_t']);
const stackLength = declareOpenssl('int', 'OPENSSL_sk_num', ['uint64_t']);
const stackItem = declareOpenssl('uint64_t', 'OPENSSL_sk_value', ['uint64_t', 'int']);
