// What a certificate says of its owner, read from its DER by OpenSSL: names, validity, what its key may do; and whether it is
// an X.509-SVID (SPIFFE, standards/X509-SVID.md). Not on the request path: once a handshake.
//
// The names are bytes, never a line of text that is cut again: a name with a comma in it is one name.

import { bytesAt, bytesOfAsn1 } from './asn1-string.ts';
import { timeOf } from './asn1-time.ts';
import { derOfValue, textOfObject, textOfValue } from './asn1-value.ts';
import { NativeBuffer } from './native-buffer.ts';
import { clearOpensslErrors, declareOpenssl } from './openssl.ts';

export interface Certificate {
  /** RFC 2253: `CN=a,O=b`; empty when there is none. */
  readonly subject: string;
  readonly issuer: string;
  /** The last common name of the subject, as Latin-1; empty without. */
  readonly commonName: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** DER of the public key with its algorithm. */
  readonly publicKeyInfo: Buffer;
  /** Subject alternative names, in order, as Latin-1. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ipAddresses: readonly Buffer[];
  /** Names of a type that is told by an object identifier, with dots; what `textOfValue` makes of each. */
  readonly otherNames: readonly OtherName[];
  /** Whether there is such an extension at all: the common name is a name only without. */
  readonly hasAltNames: boolean;
  readonly isAuthority: boolean;
  /** Bits of `KeyUsage`; undefined when it has no such extension, which allows everything. */
  readonly keyUsage: number | undefined;
  /** Bits of `ExtendedKeyUsage`; undefined when it has no such extension. */
  readonly extendedKeyUsage: number | undefined;
  /** It may be shown only together with an OCSP response (RFC 7633). */
  readonly mustStaple: boolean;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface OtherName {
  readonly type: string;
  readonly value: string;
}

/** As OpenSSL has them (X509_get_key_usage(3)). */
export const KeyUsage = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const;

export const ExtendedKeyUsage = { server: 0x1, client: 0x2 } as const;

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
  const { uris, isAuthority, keyUsage, extendedKeyUsage } = certificate;
  if (uris.length !== 1) return `an SVID has exactly one URI, and this certificate has ${uris.length}`;
  const id = uris[0]!;
  const problem = spiffeIdProblem(id);
  if (problem !== undefined) return problem;
  if (isAuthority) return 'the certificate of an authority is no identity';
  if (keyUsage === undefined || (keyUsage & KeyUsage.digitalSignature) === 0)
    return 'the key of the certificate may not make digital signatures';
  if ((keyUsage & (KeyUsage.keyCertSign | KeyUsage.crlSign)) !== 0)
    return 'the key of the certificate may sign certificates or revocation lists';
  if (extendedKeyUsage !== undefined && (extendedKeyUsage & EITHER_SIDE) !== EITHER_SIDE)
    return 'the certificate may not be used on both sides of a connection';
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
  const subject = subjectOf()(pointer);
  return {
    ...names,
    subject: nameText(subject),
    issuer: nameText(issuerOf()(pointer)),
    commonName: commonNameOf(subject),
    serial: serialOf(pointer),
    publicKeyInfo: publicKeyInfoOf(pointer),
    extendedKeyUsage: (flags & EXFLAG_XKUSAGE) === 0 ? undefined : extendedKeyUsageOf()(pointer),
    mustStaple: extensionIndex()(pointer, NID_TLS_FEATURE, -1) >= 0,
    isAuthority: (flags & EXFLAG_CA) !== 0,
    keyUsage: (flags & EXFLAG_KUSAGE) === 0 ? undefined : keyUsageOf()(pointer),
    notBeforeMs,
    notAfterMs,
  };
}

type Names = Pick<Certificate, 'uris' | 'dnsNames' | 'emails' | 'ipAddresses' | 'otherNames' | 'hasAltNames'>;

function namesOf(pointer: number): Names | undefined {
  const stack = extension()(pointer, NID_SUBJECT_ALT_NAME, scratch.address, 0);
  const hasAltNames = stack !== 0;
  const [uris, dnsNames, emails, ipAddresses]: [string[], string[], string[], Buffer[]] = [[], [], [], []];
  const otherNames: OtherName[] = [];
  const names = { uris, dnsNames, emails, ipAddresses, otherNames, hasAltNames };
  // -1: there is none; otherwise it is there twice, or cannot be read.
  if (stack === 0) return scratch.bytes.readInt32LE() === -1 ? names : undefined;
  const count = stackLength()(stack);
  for (let index = 0; index < count; index++) {
    const item = stackItem()(stack, index);
    const value = nameValue()(item, scratch.address);
    const type = scratch.bytes.readInt32LE();
    if (type === GEN_URI) uris.push(bytesOfAsn1(value).toString('latin1'));
    else if (type === GEN_DNS) dnsNames.push(bytesOfAsn1(value).toString('latin1'));
    else if (type === GEN_EMAIL) emails.push(bytesOfAsn1(value).toString('latin1'));
    else if (type === GEN_IPADD) ipAddresses.push(bytesOfAsn1(value));
    else if (type === GEN_OTHERNAME) otherNames.push(otherNameOf(item));
  }
  freeNames()(stack);
  return names;
}

function otherNameOf(name: number): OtherName {
  otherNameParts()(name, parts.address, parts.address + 8);
  const [type, value] = [parts.bytes.readBigUInt64LE(), parts.bytes.readBigUInt64LE(8)];
  return { type: textOfObject(Number(type)), value: textOfValue(derOfValue(Number(value))) };
}

/** As RFC 2253 has it: the last part first, what is no ASCII escaped by its bytes. */
function nameText(name: number): string {
  memoryControl()(nameMemory(), BIO_CTRL_RESET, 0, 0);
  if (printName()(nameMemory(), name, 0, XN_FLAG_RFC2253) < 0) return '';
  const length = memoryControl()(nameMemory(), BIO_CTRL_INFO, 0, place.address);
  return length <= 0 ? '' : bytesAt(Number(place.bytes.readBigUInt64LE()), length).toString('latin1');
}

/** One for all: it is emptied before each use. */
function nameMemory(): number {
  memory ||= newMemory()(memoryMethod()());
  return memory;
}

function commonNameOf(name: number): string {
  let last = -1;
  for (let next = nameIndex()(name, NID_COMMON_NAME, -1); next >= 0; next = nameIndex()(name, NID_COMMON_NAME, next))
    last = next;
  return last < 0 ? '' : bytesOfAsn1(entryData()(nameEntry()(name, last))).toString('latin1');
}

function serialOf(pointer: number): string {
  const digits = bytesOfAsn1(serialNumber()(pointer)).toString('hex').replace(/^0+/, '');
  return digits === '' ? '0' : digits;
}

function publicKeyInfoOf(pointer: number): Buffer {
  const info = publicKey()(pointer);
  const length = encodeKey()(info, 0);
  if (length <= 0) return Buffer.alloc(0);
  const der = new NativeBuffer(length);
  place.bytes.writeBigUInt64LE(BigInt(der.address));
  encodeKey()(info, place.address);
  return der.bytes;
}

const MAX_ID_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;

const EITHER_SIDE = ExtendedKeyUsage.server | ExtendedKeyUsage.client;

const NID_COMMON_NAME = 13;
const NID_SUBJECT_ALT_NAME = 85;
const NID_TLS_FEATURE = 1020;
const GEN_OTHERNAME = 0;
const GEN_EMAIL = 1;
const GEN_DNS = 2;
const GEN_URI = 6;
const GEN_IPADD = 7;
const EXFLAG_KUSAGE = 0x2;
const EXFLAG_XKUSAGE = 0x4;
const EXFLAG_CA = 0x10;
const EXFLAG_INVALID = 0x80;
// ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_DN_REV | XN_FLAG_FN_SN | XN_FLAG_DUMP_UNKNOWN_FIELDS
const XN_FLAG_RFC2253 = 0x1110317;
const BIO_CTRL_RESET = 1;
const BIO_CTRL_INFO = 3;

/** 0: not made yet. */
let memory = 0;
const place = new NativeBuffer(8);
const scratch = new NativeBuffer(8);
const parts = new NativeBuffer(16);

const decode = declareOpenssl('uint64_t', 'd2i_X509', ['uint64_t', 'uint64_t', 'long']);
const free = declareOpenssl('void', 'X509_free', ['uint64_t']);
const extension = declareOpenssl('uint64_t', 'X509_get_ext_d2i', ['uint64_t', 'int', 'uint64_t', 'uint64_t']);
const extensionFlags = declareOpenssl('uint', 'X509_get_extension_flags', ['uint64_t']);
const keyUsageOf = declareOpenssl('uint', 'X509_get_key_usage', ['uint64_t']);
const notBefore = declareOpenssl('uint64_t', 'X509_get0_notBefore', ['uint64_t']);
const notAfter = declareOpenssl('uint64_t', 'X509_get0_notAfter', ['uint64_t']);
const stackLength = declareOpenssl('int', 'OPENSSL_sk_num', ['uint64_t']);
const stackItem = declareOpenssl('uint64_t', 'OPENSSL_sk_value', ['uint64_t', 'int']);
const nameValue = declareOpenssl('uint64_t', 'GENERAL_NAME_get0_value', ['uint64_t', 'uint64_t']);
const otherNameParts = declareOpenssl('int', 'GENERAL_NAME_get0_otherName', ['uint64_t', 'uint64_t', 'uint64_t']);
const freeNames = declareOpenssl('void', 'GENERAL_NAMES_free', ['uint64_t']);
const subjectOf = declareOpenssl('uint64_t', 'X509_get_subject_name', ['uint64_t']);
const issuerOf = declareOpenssl('uint64_t', 'X509_get_issuer_name', ['uint64_t']);
const printName = declareOpenssl('int', 'X509_NAME_print_ex', ['uint64_t', 'uint64_t', 'int', 'uint64_t']);
const nameIndex = declareOpenssl('int', 'X509_NAME_get_index_by_NID', ['uint64_t', 'int', 'int']);
const nameEntry = declareOpenssl('uint64_t', 'X509_NAME_get_entry', ['uint64_t', 'int']);
const entryData = declareOpenssl('uint64_t', 'X509_NAME_ENTRY_get_data', ['uint64_t']);
const memoryMethod = declareOpenssl('uint64_t', 'BIO_s_mem', []);
const newMemory = declareOpenssl('uint64_t', 'BIO_new', ['uint64_t']);
const memoryControl = declareOpenssl('long', 'BIO_ctrl', ['uint64_t', 'int', 'long', 'uint64_t']);
const serialNumber = declareOpenssl('uint64_t', 'X509_get0_serialNumber', ['uint64_t']);
const publicKey = declareOpenssl('uint64_t', 'X509_get_X509_PUBKEY', ['uint64_t']);
const encodeKey = declareOpenssl('int', 'i2d_X509_PUBKEY', ['uint64_t', 'uint64_t']);
const extendedKeyUsageOf = declareOpenssl('uint', 'X509_get_extended_key_usage', ['uint64_t']);
const extensionIndex = declareOpenssl('int', 'X509_get_ext_by_NID', ['uint64_t', 'int', 'int']);
