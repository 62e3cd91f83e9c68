// What the two ends of a connection (SSL) have agreed on, once its handshake is done: before that it says nothing.

import { bytesAt } from './asn1-string.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl, declareOpensslText } from './openssl.ts';

/** One of `TlsVersion`. */
export const versionOf = (session: number): number => sslVersion()(session);

/** As the RFCs have it: `TLS_AES_128_GCM_SHA256`. */
export function cipherOf(session: number): string | undefined {
  const cipher = currentCipher()(session);
  return cipher === 0 ? undefined : (standardName()(cipher) ?? undefined);
}

/** Of the key exchange, as OpenSSL calls it: `x25519`, `X25519MLKEM768`. */
export const groupOf = (session: number): string | undefined => groupName()(session) ?? undefined;

/** The application protocol, as Latin-1; undefined when none was agreed on. */
export function alpnOf(session: number): string | undefined {
  selectedAlpn()(session, place.address, place.address + 8);
  const length = place.bytes.readUInt32LE(8);
  if (length === 0) return undefined;
  return bytesAt(Number(place.bytes.readBigUInt64LE(0)), length).toString('latin1');
}

/** SNI, as the client has sent it. */
export const serverNameOf = (session: number): string | undefined => sentName()(session, HOST_NAME) ?? undefined;

/** Whether keys come from an earlier session: nothing was verified anew. */
export const wasResumed = (session: number): boolean => sessionReused()(session) === 1;

const HOST_NAME = 0; // TLSEXT_NAMETYPE_host_name

const place = new NativeBuffer(16);

const sslVersion = declareOpenssl('int', 'SSL_version', ['uint64_t']);
const currentCipher = declareOpenssl('uint64_t', 'SSL_get_current_cipher', ['uint64_t']);
const standardName = declareOpensslText('SSL_CIPHER_standard_name', ['uint64_t']);
const groupName = declareOpensslText('SSL_get0_group_name', ['uint64_t']);
const selectedAlpn = declareOpenssl('void', 'SSL_get0_alpn_selected', ['uint64_t', 'uint64_t', 'uint64_t']);
const sentName = declareOpensslText('SSL_get_servername', ['uint64_t', 'int']);
const sessionReused = declareOpenssl('int', 'SSL_session_reused', ['uint64_t']);
