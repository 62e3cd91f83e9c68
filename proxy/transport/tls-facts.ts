// What is known of a TLS connection once its handshake is done. Made once a connection, read by routes, headers, logs and
// spans; strings are ready-made so that a request only reads them.

export interface TlsFacts {
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  /** As the RFCs have it, such as `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
  /** Of the key exchange, such as `X25519MLKEM768`; empty when unknown. */
  readonly group: string;
  /** What was agreed on; empty without one. */
  readonly alpn: string;
  /** SNI, lower case; empty without one. */
  readonly serverName: string;
  readonly isResumed: boolean;
  /** Lower-case hex; absent or empty where the session has none. */
  readonly sessionId?: string;
  /** What the peer has shown; null when it has shown nothing. */
  readonly peer: CertificateFacts | null;
  /** Whether the peer's certificate was verified against roots of ours: only then it is an identity. */
  readonly isPeerVerified: boolean;
  /** What we have shown; null for a client without one. */
  readonly own: CertificateFacts | null;
}

export interface CertificateFacts {
  /** RFC 2253, `CN=a,O=b`; may be empty. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** SHA-256 and SHA-1 of the DER form, lower-case hex. */
  readonly sha256: string;
  readonly sha1: string;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emails: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER: its own, then what came along. */
  readonly chain: readonly Uint8Array[];
}
