// With which scheme the peer of a connection (SSL) has signed in the handshake, under the names of TLS 1.3 (RFC 8446 4.2.3).

import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

/**
 * `ecdsa_secp256r1_sha256`; undefined when it has shown no certificate, and for a scheme without such a name. Under TLS 1.2 an
 * ECDSA key may be of another curve than the name says.
 */
export function peerSignatureOf(session: number): string | undefined {
  if (keyKindOf()(session, place.address) !== 1) return undefined;
  const kind = kinds.get(place.bytes.readInt32LE());
  if (kind === undefined || typeof kind === 'string') return kind;
  if (control()(session, SSL_CTRL_GET_PEER_SIGNATURE_NID, 0, place.address) !== 1) return undefined;
  return kind.get(place.bytes.readInt32LE());
}

const SSL_CTRL_GET_PEER_SIGNATURE_NID = 108;

const digests = (name: (bits: string) => string): ReadonlyMap<number, string> =>
  new Map([
    [672, name('256')], // NID_sha256 …
    [673, name('384')],
    [674, name('512')],
  ]);

/** By the NID of the kind of signature: its names by the NID of the digest, or its one name. */
const kinds: ReadonlyMap<number, string | ReadonlyMap<number, string>> = new Map<
  number,
  string | ReadonlyMap<number, string>
>([
  [6, digests((bits) => `rsa_pkcs1_sha${bits}`)], // NID_rsaEncryption
  [912, digests((bits) => `rsa_pss_rsae_sha${bits}`)], // NID_rsassaPss
  [408, digests((bits) => `ecdsa_secp${bits === '512' ? '521' : bits}r1_sha${bits}`)], // NID_X9_62_id_ecPublicKey
  [1087, 'ed25519'], // NID_ED25519
]);

const place = new NativeBuffer(4);
const keyKindOf = declareOpenssl('int', 'SSL_get_peer_signature_type_nid', ['uint64_t', 'uint64_t']);
const control = declareOpenssl('long', 'SSL_ctrl', ['uint64_t', 'int', 'long', 'uint64_t']);
