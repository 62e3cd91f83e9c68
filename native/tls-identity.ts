// Own certificates: a chain with its key, and the OCSP response that is shown with it (RFC 6066 8).

import { timeOf } from './asn1-time.ts';
import { NativeBuffer } from './native-buffer.ts';
import { clearOpensslErrors, declareOpenssl, takeOpensslProblem } from './openssl.ts';
import { derOf, freeCertificates, freePrivateKey, type Pem, readCertificates, readPrivateKey } from './tls-pem.ts';
import { type Certificate, readCertificate } from './x509.ts';

export interface TlsIdentity {
  /** PEM, the own certificate first. */
  readonly certificateChain: Pem;
  /** PEM. */
  readonly privateKey: Pem;
  /** Of the private key. */
  readonly password?: string | undefined;
  /** DER. Only servers show it. */
  readonly ocspStaple?: Uint8Array | undefined;
}

/** Pointers that are the holder's until `freeIdentity`. */
export interface LoadedIdentity {
  readonly certificate: number;
  readonly key: number;
  /** EVP_PKEY_…: one of each can be shown, whichever the client can verify. */
  readonly keyKind: number;
  /** STACK_OF(X509) without the own certificate. */
  readonly issuers: number;
  readonly certificates: readonly number[];
  readonly der: Buffer;
  readonly facts: Certificate;
  readonly staple: OcspStaple | undefined;
}

export interface OcspValidity {
  /** Milliseconds since 1970. */
  readonly validFromMs: number;
  /** Infinity when it does not say. */
  readonly expiresAtMs: number;
}

export interface OcspStaple extends OcspValidity {
  readonly der: Uint8Array;
}

/** What was read, or what is wrong with it: a sentence without key material. */
export function loadIdentity(identity: TlsIdentity): LoadedIdentity | string {
  const certificates = readCertificates(identity.certificateChain);
  if (typeof certificates === 'string') return `the certificate chain is refused: ${certificates}`;
  const key = readPrivateKey(identity.privateKey, identity.password);
  const loaded = typeof key === 'string' ? key : joined(certificates, key, identity.ocspStaple);
  if (typeof loaded !== 'string') return loaded;
  freeCertificates(certificates);
  if (typeof key === 'number') freePrivateKey(key);
  return loaded;
}

export function freeIdentity({ certificates, key, issuers }: LoadedIdentity): void {
  freeStack()(issuers);
  freeCertificates(certificates);
  freePrivateKey(key);
}

/** Makes it the own identity of all connections of the context (SSL_CTX). */
export function useInContext(context: number, { certificate, key, issuers }: LoadedIdentity): boolean {
  return useForContext()(context, certificate, key, issuers, REPLACES) === 1;
}

/** Adds it to what one connection (SSL) may show, beside those of other kinds of keys. */
export function useInSession(session: number, { certificate, key, issuers }: LoadedIdentity): boolean {
  return useForSession()(session, certificate, key, issuers, REPLACES) === 1;
}

/** When what the response says is true (OCSP_RESPONSE, RFC 6960); undefined for what is no good response. */
export function ocspValidity(der: Uint8Array): OcspValidity | undefined {
  if (der.length === 0) return undefined;
  clearOpensslErrors();
  const copy = new NativeBuffer(der.length);
  copy.bytes.set(der);
  place.bytes.writeBigUInt64LE(BigInt(copy.address));
  const response = decodeResponse()(0, place.address, copy.length);
  if (response === 0) return afterFailure();
  const basic = responseStatus()(response) === OCSP_SUCCESSFUL ? basicOf()(response) : 0;
  const validity = basic === 0 ? undefined : validityOf(basic);
  if (basic !== 0) freeBasic()(basic);
  freeResponse()(response);
  return validity ?? afterFailure();
}

function joined(certificates: readonly number[], key: number, ocspStaple?: Uint8Array): LoadedIdentity | string {
  const [certificate, ...others] = certificates as [number, ...number[]];
  // Asked of the two alone: a context would keep a key of another kind than the certificate's without a word.
  if (isPair()(certificate, key) !== 1) {
    const reason = takeOpensslProblem();
    return `the private key does not go with the certificate${reason === undefined ? '' : `: ${reason}`}`;
  }
  const der = derOf(certificate);
  const facts = readCertificate(der);
  if (facts === undefined) return 'the certificate has an extension twice or in a wrong form';
  const validity = ocspStaple && ocspValidity(ocspStaple);
  if (ocspStaple !== undefined && validity === undefined) return 'the OCSP response cannot be read';
  const issuers = newStack()();
  for (const issuer of others) pushToStack()(issuers, issuer);
  const staple = ocspStaple && { der: ocspStaple, ...validity! };
  return { certificate, key, keyKind: kindOf()(key), issuers, certificates, der, facts, staple };
}

/** Of the first answer in it; there is one for each certificate that was asked for. */
function validityOf(basic: number): OcspValidity | undefined {
  const single = singleResponse()(basic, 0);
  if (single === 0) return undefined;
  const [revokedAt, updatedAt, nextUpdate] = [place.address + 8, place.address + 16, place.address + 24];
  place.bytes.fill(0);
  if (certificateStatus()(single, place.address, revokedAt, updatedAt, nextUpdate) < 0) return undefined;
  const [from, until] = [place.bytes.readBigUInt64LE(16), place.bytes.readBigUInt64LE(24)];
  const validFromMs = from === 0n ? Number.NaN : timeOf(Number(from));
  const expiresAtMs = until === 0n ? Number.POSITIVE_INFINITY : timeOf(Number(until));
  return Number.isNaN(validFromMs + expiresAtMs) ? undefined : { validFromMs, expiresAtMs };
}

function afterFailure(): undefined {
  clearOpensslErrors();
  return undefined;
}

const REPLACES = 1;
const OCSP_SUCCESSFUL = 0;

const place = new NativeBuffer(32);

const isPair = declareOpenssl('int', 'X509_check_private_key', ['uint64_t', 'uint64_t']);
const kindOf = declareOpenssl('int', 'EVP_PKEY_get_base_id', ['uint64_t']);
const newStack = declareOpenssl('uint64_t', 'OPENSSL_sk_new_null', []);
const pushToStack = declareOpenssl('int', 'OPENSSL_sk_push', ['uint64_t', 'uint64_t']);
const freeStack = declareOpenssl('void', 'OPENSSL_sk_free', ['uint64_t']);
const useAs = (name: string) => declareOpenssl('int', name, ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t', 'int']);
const useForContext = useAs('SSL_CTX_use_cert_and_key');
const useForSession = useAs('SSL_use_cert_and_key');
const decodeResponse = declareOpenssl('uint64_t', 'd2i_OCSP_RESPONSE', ['uint64_t', 'uint64_t', 'long']);
const responseStatus = declareOpenssl('int', 'OCSP_response_status', ['uint64_t']);
const basicOf = declareOpenssl('uint64_t', 'OCSP_response_get1_basic', ['uint64_t']);
const freeBasic = declareOpenssl('void', 'OCSP_BASICRESP_free', ['uint64_t']);
const freeResponse = declareOpenssl('void', 'OCSP_RESPONSE_free', ['uint64_t']);
const singleResponse = declareOpenssl('uint64_t', 'OCSP_resp_get0', ['uint64_t', 'int']);
const certificateStatus = declareOpenssl('int', 'OCSP_single_get0_status', [
  'uint64_t',
  'uint64_t',
  'uint64_t',
  'uint64_t',
  'uint64_t',
]);
