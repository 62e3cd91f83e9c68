// What a certificate says of its owner, read from its DER by OpenSSL: names, validity, what its key may do; and whether it is
// an X.509-SVID (SPIFFE, standards/X509-SVID.md). Not on the request path: once a handshake.
//
// The names are bytes, never a line of text that is cut again: a name with a comma in it is one name.

import { declare } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { clearOpensslErrors, declareOpenssl } from './openssl.ts';

export interface Certificate {
  /** Subject alternative names, in order, as Latin-1. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ipAddresses: readonly Buffer[];
  readonly isAuthority: boolean;
  /** Bits of `KeyUsage`; undefined when it has no such extension, which allows everything. */
  readonly keyUsage: number | undefined;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** As OpenSSL has them (X509_get_key_usage(3)). */
export const KeyUsage = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const;

/** Undefined for what is no certificate, has bytes behind it, or an extension twice or in a wrong form. */
export function readCertificate(der: Uint8Array): Certificate | undefined {
  if (der.length === 0) return undefined;
  clearOpensslErrors();
  const copy = new NativeBuffer(der.length);
  copy.bytes.set(der);
  place.bytes.writeBigUInt64LE(BigInt(copy.address));
  const pointer = decode()(0, place.address, copy.length);
  if (pointer === 0) return afterFailure();
  const isWhole = Number(place.bytes.readBigUInt64LE()) === copy.address + copy.length;
  const certificate = isWhole ? factsOf(pointer) : undefined;
  free()(pointer);
  return certificate ?? afterFailure();
}

/** The SPIFFE id of a peer's own certificate, or why it is no SVID, as a sentence. */
export function spiffeIdOf(certificate: Certificate): { readonly id: string } | string {
  const { uris, isAuthority, keyUsage } = certificate;
  if (uris.length !== 1) return `an SVID has exactly one URI, and this certificate has ${uris.length}`;
  const id = uris[0]!;
  const problem = spiffeIdProblem(id);
  if (problem !== undefined) return problem;
  if (isAuthority) return 'the certificate of an authority is no identity';
  if (keyUsage === undefined || (keyUsage & KeyUsage.digitalSignature) === 0)
    return 'the key of the certificate may not make digital signatures';
  if ((keyUsage & (KeyUsage.keyCertSign | KeyUsage.crlSign)) !== 0)
    return 'the key of the certificate may sign certificates or revocation lists';
  return { id };
}

/** Why `id` is no id of a workload (SPIFFE-ID.md 2), as a sentence; undefined when it is one. */
export function spiffeIdProblem(id: string): string | undefined {
  if (id.length > MAX_ID_BYTES) return `a SPIFFE id has at most ${MAX_ID_BYTES} bytes`;
  const [, trustDomain, path] = /^spiffe:\/\/([^/]*)(.*)$/s.exec(id) ?? [];
  if (trustDomain === undefined || path === undefined) return 'a SPIFFE id begins with spiffe://';
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES || !/^[a-z0-9._-]+$/.test(trustDomain))
    return 'the trust domain of a SPIFFE id has 1 to 255 lower-case letters, digits, dots, dashes and underscores';
  if (path === '') return 'the SPIFFE id of a workload has a path';
  if (!/^(\/[A-Za-z0-9._-]+)+$/.test(path) || /\/\.{1,2}(\/|$)/.test(path))
    return 'the path of a SPIFFE id has segments of letters, digits, dots, dashes and underscores, none of them . or ..';
  return undefined;
}

function afterFailure(): undefined {
  clearOpensslErrors();
  return undefined;
}

function factsOf(pointer: number): Certificate | undefined {
  const names = namesOf(pointer);
  const notBeforeMs = timeOf(notBefore()(pointer));
  const notAfterMs = timeOf(notAfter()(pointer));
  const flags = extensionFlags()(pointer);
  if (names === undefined || Number.isNaN(notBeforeMs + notAfterMs) || (flags & EXFLAG_INVALID) !== 0) return undefined;
  return {
    ...names,
    isAuthority: (flags & EXFLAG_CA) !== 0,
    keyUsage: (flags & EXFLAG_KUSAGE) === 0 ? undefined : keyUsageOf()(pointer),
    notBeforeMs,
    notAfterMs,
  };
}

type Names = Pick<Certificate, 'uris' | 'dnsNames' | 'emails' | 'ipAddresses'>;

function namesOf(pointer: number): Names | undefined {
  const stack = extension()(pointer, NID_SUBJECT_ALT_NAME, scratch.address, 0);
  const names = { uris: [] as string[], dnsNames: [] as string[], emails: [] as string[], ipAddresses: [] as Buffer[] };
  // -1: there is none; otherwise it is there twice, or cannot be read.
  if (stack === 0) return scratch.bytes.readInt32LE() === -1 ? names : undefined;
  const count = stackLength()(stack);
  for (let index = 0; index < count; index++) {
    const value = nameValue()(stackItem()(stack, index), scratch.address);
    const type = scratch.bytes.readInt32LE();
    if (type === GEN_URI) names.uris.push(bytesOf(value).toString('latin1'));
    else if (type === GEN_DNS) names.dnsNames.push(bytesOf(value).toString('latin1'));
    else if (type === GEN_EMAIL) names.emails.push(bytesOf(value).toString('latin1'));
    else if (type === GEN_IPADD) names.ipAddresses.push(bytesOf(value));
  }
  freeNames()(stack);
  return names;
}

/** A copy of what an ASN1_STRING holds. */
function bytesOf(text: number): Buffer {
  const length = textLength()(text);
  if (length <= 0) return Buffer.alloc(0);
  const copy = new NativeBuffer(length);
  sysMemcpy(copy.address, textData()(text), length);
  return copy.bytes;
}

/** Of an ASN1_TIME, whichever of its two forms; NaN when it cannot be read. */
function timeOf(time: number): number {
  const generalized = toGeneralizedTime()(time, 0);
  if (generalized === 0) return Number.NaN;
  const text = bytesOf(generalized).toString('latin1');
  freeText()(generalized);
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

const MAX_ID_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;

const NID_SUBJECT_ALT_NAME = 85;
const GEN_EMAIL = 1;
const GEN_DNS = 2;
const GEN_URI = 6;
const GEN_IPADD = 7;
const EXFLAG_KUSAGE = 0x2;
const EXFLAG_CA = 0x10;
const EXFLAG_INVALID = 0x80;

const place = new NativeBuffer(8);
const scratch = new NativeBuffer(8);

const decode = declareOpenssl('uint64_t', 'd2i_X509', ['uint64_t', 'uint64_t', 'long']);
const free = declareOpenssl('void', 'X509_free', ['uint64_t']);
const extension = declareOpenssl('uint64_t', 'X509_get_ext_d2i', ['uint64_t', 'int', 'uint64_t', 'uint64_t']);
const extensionFlags = declareOpenssl('uint', 'X509_get_extension_flags', ['uint64_t']);
const keyUsageOf = declareOpenssl('uint', 'X509_get_key_usage', ['uint64_t']);
const notBefore = declareOpenssl('uint64_t', 'X509_get0_notBefore', ['uint64_t']);
const notAfter = declareOpenssl('uint64_t', 'X509_get0_notAfter', ['uint64_t']);
const toGeneralizedTime = declareOpenssl('uint64_t', 'ASN1_TIME_to_generalizedtime', ['uint64_t', 'uint64_t']);
const stackLength = declareOpenssl('int', 'OPENSSL_sk_num', ['uint64_t']);
const stackItem = declareOpenssl('uint64_t', 'OPENSSL_sk_value', ['uint64_t', 'int']);
const nameValue = declareOpenssl('uint64_t', 'GENERAL_NAME_get0_value', ['uint64_t', 'uint64_t']);
const freeNames = declareOpenssl('void', 'GENERAL_NAMES_free', ['uint64_t']);
const textLength = declareOpenssl('int', 'ASN1_STRING_length', ['uint64_t']);
const textData = declareOpenssl('uint64_t', 'ASN1_STRING_get0_data', ['uint64_t']);
const freeText = declareOpenssl('void', 'ASN1_STRING_free', ['uint64_t']);
const sysMemcpy = declare('uint64_t', 'memcpy', ['uint64_t', 'uint64_t', 'size_t']) as (
  to: number,
  from: number,
  length: number,
) => number;
