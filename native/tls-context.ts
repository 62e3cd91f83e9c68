// What all connections of one configuration share (SSL_CTX): who we are, whom we trust, which versions and ciphers.
//
// Made when a configuration is compiled, never changed: a rotated certificate is another context. Connections that were made
// with the old one keep it alive after its owner has let go, and the last of them frees it.
//
// What is off for good: renegotiation (one side may make the other work, RFC 9325 3.5), compression of records (CRIME) and
// of certificates, whose Brotli is more than half of the CPU of a handshake, and which lets a peer send bombs.

import { createHash } from 'node:crypto';
import { NativeBuffer } from './native-buffer.ts';
import { clearOpensslErrors, declareOpenssl, opensslProblem, takeOpensslProblem } from './openssl.ts';
import { type AlpnChoice, addAlpnChoice, alpnCallback, encodeProtocols, removeAlpnChoice } from './tls-alpn.ts';
import {
  derOf,
  freeCertificates,
  freePrivateKey,
  freeRevocationLists,
  type Pem,
  readCertificates,
  readPrivateKey,
  readRevocationLists,
} from './tls-pem.ts';

/** As on the wire, and as `TlsSession.version` has them. */
export const TlsVersion = { tls12: 0x0303, tls13: 0x0304 } as const;
export type TlsVersion = (typeof TlsVersion)[keyof typeof TlsVersion];

export interface TlsIdentity {
  /** PEM, the own certificate first. */
  readonly certificateChain: Pem;
  /** PEM. */
  readonly privateKey: Pem;
  /** Of the private key. */
  readonly password?: string | undefined;
}

export interface TlsTrust {
  /** PEM. */
  readonly roots: Pem;
  /** PEM. Issuers without a list are refused then. */
  readonly revocationLists?: Pem | undefined;
  /** Whether revocation of issuers is looked for as well; true when left out. */
  readonly revokesIssuers?: boolean | undefined;
  /** Whether a chain may end at a root of ours that somebody else has signed. */
  readonly allowsPartialChain?: boolean | undefined;
}

export interface TlsTickets {
  /** Tickets are taken back only where it is the same, with the same certificate and the same trust. */
  readonly identity: string;
  /** 80 bytes shared by the threads that take each other's tickets (16 name, 32 HMAC, 32 AES); random when left out. */
  readonly keys?: Uint8Array | undefined;
}

export interface TlsParameters {
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  /** Of TLS 1.2, and of TLS 1.3, in OpenSSL's words; its own defaults when left out. */
  readonly ciphers?: string | undefined;
  readonly cipherSuites?: string | undefined;
  /** `X25519MLKEM768:X25519:P-256`. */
  readonly groups?: string | undefined;
}

export interface TlsServerOptions extends TlsParameters {
  readonly side: 'server';
  readonly identity: TlsIdentity;
  readonly trust?: TlsTrust | undefined;
  /** Of the client's certificate. One that is presented must be good unless it is `none`. */
  readonly verification: 'none' | 'optional' | 'required';
  readonly alpn?: AlpnChoice | undefined;
  /** None when left out. */
  readonly tickets?: TlsTickets | undefined;
}

export interface TlsClientOptions extends TlsParameters {
  readonly side: 'client';
  readonly identity?: TlsIdentity | undefined;
  readonly trust?: TlsTrust | undefined;
  /** Of the server's certificate; `none` finds the result all the same, and goes on. */
  readonly verification: 'none' | 'required';
  /** What is offered. */
  readonly alpn?: readonly string[] | undefined;
}

export type TlsContextOptions = TlsServerOptions | TlsClientOptions;

export class TlsContext {
  readonly side: 'server' | 'client';
  #pointer: number;
  #alpnNumber = 0;
  #openSessions = 0;
  #isLetGo = false;

  private constructor(side: 'server' | 'client') {
    this.side = side;
    this.#pointer = newContext()(side === 'server' ? serverMethod()() : clientMethod()());
  }

  /** The context, or why there is none, as a sentence without key material. */
  static create(options: TlsContextOptions): TlsContext | string {
    const problem = opensslProblem();
    if (problem !== undefined) return problem;
    clearOpensslErrors();
    const context = new TlsContext(options.side);
    const refusal = context.#pointer === 0 ? failed('no context can be made') : context.#configure(options);
    if (refusal === undefined) return context;
    context.close();
    return refusal;
  }

  /** How many connections hold it. */
  get openSessions(): number {
    return this.#openSessions;
  }

  get isFreed(): boolean {
    return this.#pointer === 0;
  }

  /** The owner lets go: no new connections, and those there are go on. Again, it does nothing. */
  close(): void {
    this.#isLetGo = true;
    this.#freeUnused();
  }

  /** For `TlsSession`: a pointer to a new SSL, 0 when there is none. Given back by `endSession`, once. */
  beginSession(): number {
    const session = this.#isLetGo ? 0 : newSession()(this.#pointer);
    if (session !== 0) this.#openSessions += 1;
    return session;
  }

  endSession(session: number): void {
    freeSession()(session);
    this.#openSessions -= 1;
    this.#freeUnused();
  }

  #freeUnused(): void {
    if (!this.#isLetGo || this.#openSessions > 0 || this.#pointer === 0) return;
    freeContext()(this.#pointer);
    this.#pointer = 0;
    removeAlpnChoice(this.#alpnNumber);
  }

  #configure(options: TlsContextOptions): string | undefined {
    const context = this.#pointer;
    control()(context, SSL_CTRL_MODE, MODES, 0);
    control()(context, SSL_CTRL_CLEAR_MODE, SSL_MODE_AUTO_RETRY, 0);
    control()(context, SSL_CTRL_SET_READ_AHEAD, 1, 0);
    control()(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, 0);
    setOptions()(context, OPTIONS);
    const digest = createHash('sha256');
    return (
      setParameters(context, options) ??
      (options.identity && setIdentity(context, options.identity, digest)) ??
      setVerification(context, options, digest) ??
      this.#setAlpn(options) ??
      setTickets(context, options, digest)
    );
  }

  #setAlpn(options: TlsContextOptions): string | undefined {
    const protocols = options.side === 'server' ? options.alpn?.protocols : options.alpn;
    if (protocols === undefined || protocols.length === 0) return undefined;
    const encoded = encodeProtocols(protocols);
    if (encoded === undefined) return 'the name of an ALPN protocol has 1 to 255 bytes';
    if (options.side === 'server') {
      this.#alpnNumber = addAlpnChoice(options.alpn!);
      setAlpnSelection()(this.#pointer, alpnCallback(), this.#alpnNumber);
      return undefined;
    }
    const list = copyOf(encoded);
    // 0 is its success.
    const result = setAlpnOffer()(this.#pointer, list.address, list.length);
    return result === 0 ? undefined : failed('these ALPN protocols cannot be offered');
  }
}

type Digest = ReturnType<typeof createHash>;

function setParameters(context: number, options: TlsParameters): string | undefined {
  const { minVersion = TlsVersion.tls12, maxVersion = TlsVersion.tls13, ciphers, cipherSuites, groups } = options;
  if (minVersion > maxVersion) return 'the lowest TLS version is above the highest';
  control()(context, SSL_CTRL_SET_MIN_PROTO_VERSION, minVersion, 0);
  control()(context, SSL_CTRL_SET_MAX_PROTO_VERSION, maxVersion, 0);
  if (ciphers !== undefined && setCiphers()(context, ciphers) !== 1)
    return failed(`the ciphers "${ciphers}" are unknown`);
  if (cipherSuites !== undefined && setCipherSuites()(context, cipherSuites) !== 1)
    return failed(`the cipher suites "${cipherSuites}" are unknown`);
  if (groups === undefined) return undefined;
  const text = copyOf(Buffer.from(`${groups}\0`));
  if (control()(context, SSL_CTRL_SET_GROUPS_LIST, 0, text.address) === 1) return undefined;
  return failed(`the groups "${groups}" are unknown`);
}

function setIdentity(context: number, identity: TlsIdentity, digest: Digest): string | undefined {
  const certificates = readCertificates(identity.certificateChain);
  if (typeof certificates === 'string') return `the certificate chain is refused: ${certificates}`;
  const key = readPrivateKey(identity.privateKey, identity.password);
  let refusal = typeof key === 'string' ? key : undefined;
  if (typeof key === 'number') {
    const [leaf, ...issuers] = certificates;
    // Asked of the two alone: a context would keep a key of another kind than the certificate's without a word.
    if (isPair()(leaf!, key) !== 1) refusal = failed('the private key does not go with the certificate');
    else if (useCertificate()(context, leaf!) !== 1) refusal = failed('the certificate is refused');
    else if (useKey()(context, key) !== 1) refusal = failed('the private key is refused');
    for (const issuer of issuers) {
      if (control()(context, SSL_CTRL_CHAIN_CERT, KEEP_CALLERS, issuer) !== 1)
        refusal ??= failed('a certificate of the chain is refused');
    }
    freePrivateKey(key);
  }
  digest.update(derOf(certificates[0]!));
  freeCertificates(certificates);
  return refusal;
}

function setVerification(context: number, options: TlsContextOptions, digest: Digest): string | undefined {
  const { trust, verification } = options;
  if (verification !== 'none' && trust === undefined) return 'certificates cannot be verified without trust anchors';
  setVerify()(context, VERIFY_MODES[verification], 0);
  digest.update(verification);
  return trust && setTrust(context, options.side === 'server', trust, digest);
}

function setTrust(...[context, isServer, trust, digest]: [number, boolean, TlsTrust, Digest]): string | undefined {
  const store = storeOf()(context);
  const roots = readCertificates(trust.roots);
  if (typeof roots === 'string') return `the trust anchors are refused: ${roots}`;
  for (const root of roots) {
    addRoot()(store, root);
    // Which certificates we would take: clients that have several choose by it (RFC 8446 4.2.4).
    if (isServer) addClientAuthority()(context, root);
    digest.update(derOf(root));
  }
  freeCertificates(roots);
  if (trust.allowsPartialChain) setStoreFlags()(store, X509_V_FLAG_PARTIAL_CHAIN);
  digest.update(trust.allowsPartialChain ? 'partial' : 'whole');
  if (trust.revocationLists === undefined) return undefined;
  const lists = readRevocationLists(trust.revocationLists);
  if (typeof lists === 'string') return `the revocation lists are refused: ${lists}`;
  for (const list of lists) addRevocationList()(store, list);
  freeRevocationLists(lists);
  setStoreFlags()(store, X509_V_FLAG_CRL_CHECK | (trust.revokesIssuers === false ? 0 : X509_V_FLAG_CRL_CHECK_ALL));
  digest.update(trust.revocationLists).update(trust.revokesIssuers === false ? 'leaf' : 'chain');
  return undefined;
}

/** A session that is resumed is not verified again, so it must have been verified by the same rules (RFC 5246 F.1.4). */
function setTickets(context: number, options: TlsContextOptions, digest: Digest): string | undefined {
  const tickets = options.side === 'server' ? options.tickets : undefined;
  if (tickets === undefined) {
    setOptions()(context, SSL_OP_NO_TICKET);
    setTicketCount()(context, 0);
    return undefined;
  }
  const identity = copyOf(digest.update(tickets.identity).digest());
  setSessionIdContext()(context, identity.address, identity.length);
  if (tickets.keys === undefined) return undefined;
  if (tickets.keys.length !== TICKET_KEY_BYTES) return `keys of tickets are ${TICKET_KEY_BYTES} bytes`;
  const keys = copyOf(tickets.keys);
  const result = control()(context, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, keys.length, keys.address);
  keys.bytes.fill(0);
  return result === 1 ? undefined : failed('the keys of tickets are refused');
}

function failed(what: string): string {
  const reason = takeOpensslProblem();
  return reason === undefined ? what : `${what}: ${reason}`;
}

function copyOf(bytes: Uint8Array): NativeBuffer {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}

const VERIFY_MODES = { none: 0, optional: 1, required: 1 | 2 } as const; // SSL_VERIFY_PEER, FAIL_IF_NO_PEER_CERT
const TICKET_KEY_BYTES = 80;
const KEEP_CALLERS = 1; // SSL_CTX_add1_chain_cert: the chain takes a reference of its own

const SSL_CTRL_MODE = 33;
const SSL_CTRL_SET_READ_AHEAD = 41;
const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59;
const SSL_CTRL_CLEAR_MODE = 78;
const SSL_CTRL_CHAIN_CERT = 89;
const SSL_CTRL_SET_GROUPS_LIST = 92;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
const SSL_SESS_CACHE_OFF = 0;

const SSL_MODE_ENABLE_PARTIAL_WRITE = 0x1;
const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x2;
// The chain is sent as it is configured: OpenSSL would look for more of it among the trust anchors.
const SSL_MODE_NO_AUTO_CHAIN = 0x8;
// A call returns after each record that is not data, so that a peer which sends only those does not keep the thread.
const SSL_MODE_AUTO_RETRY = 0x4;
const SSL_MODE_RELEASE_BUFFERS = 0x10; // 34 KiB less for an idle connection
const MODES =
  SSL_MODE_ENABLE_PARTIAL_WRITE |
  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
  SSL_MODE_NO_AUTO_CHAIN |
  SSL_MODE_RELEASE_BUFFERS;

const SSL_OP_NO_TICKET = 2 ** 14;
const SSL_OP_NO_COMPRESSION = 2 ** 17;
const SSL_OP_CIPHER_SERVER_PREFERENCE = 2 ** 22;
const SSL_OP_NO_RENEGOTIATION = 2 ** 30;
const SSL_OP_NO_TX_CERTIFICATE_COMPRESSION = 2 ** 32;
const SSL_OP_NO_RX_CERTIFICATE_COMPRESSION = 2 ** 33;
const OPTIONS =
  SSL_OP_NO_COMPRESSION +
  SSL_OP_CIPHER_SERVER_PREFERENCE +
  SSL_OP_NO_RENEGOTIATION +
  SSL_OP_NO_TX_CERTIFICATE_COMPRESSION +
  SSL_OP_NO_RX_CERTIFICATE_COMPRESSION;

const X509_V_FLAG_CRL_CHECK = 0x4;
const X509_V_FLAG_CRL_CHECK_ALL = 0x8;
const X509_V_FLAG_PARTIAL_CHAIN = 0x80000;

const serverMethod = declareOpenssl('uint64_t', 'TLS_server_method', []);
const clientMethod = declareOpenssl('uint64_t', 'TLS_client_method', []);
const newContext = declareOpenssl('uint64_t', 'SSL_CTX_new', ['uint64_t']);
const freeContext = declareOpenssl('void', 'SSL_CTX_free', ['uint64_t']);
const newSession = declareOpenssl('uint64_t', 'SSL_new', ['uint64_t']);
const freeSession = declareOpenssl('void', 'SSL_free', ['uint64_t']);
const control = declareOpenssl('long', 'SSL_CTX_ctrl', ['uint64_t', 'int', 'long', 'uint64_t']);
const setOptions = declareOpenssl('uint64_t', 'SSL_CTX_set_options', ['uint64_t', 'uint64_t']);
const setCiphers = declareOpenssl('int', 'SSL_CTX_set_cipher_list', ['uint64_t', 'str']);
const setCipherSuites = declareOpenssl('int', 'SSL_CTX_set_ciphersuites', ['uint64_t', 'str']);
const useCertificate = declareOpenssl('int', 'SSL_CTX_use_certificate', ['uint64_t', 'uint64_t']);
const useKey = declareOpenssl('int', 'SSL_CTX_use_PrivateKey', ['uint64_t', 'uint64_t']);
const isPair = declareOpenssl('int', 'X509_check_private_key', ['uint64_t', 'uint64_t']);
const setVerify = declareOpenssl('void', 'SSL_CTX_set_verify', ['uint64_t', 'int', 'uint64_t']);
const storeOf = declareOpenssl('uint64_t', 'SSL_CTX_get_cert_store', ['uint64_t']);
const addRoot = declareOpenssl('int', 'X509_STORE_add_cert', ['uint64_t', 'uint64_t']);
const addRevocationList = declareOpenssl('int', 'X509_STORE_add_crl', ['uint64_t', 'uint64_t']);
const setStoreFlags = declareOpenssl('int', 'X509_STORE_set_flags', ['uint64_t', 'uint64_t']);
const addClientAuthority = declareOpenssl('int', 'SSL_CTX_add_client_CA', ['uint64_t', 'uint64_t']);
const setAlpnOffer = declareOpenssl('int', 'SSL_CTX_set_alpn_protos', ['uint64_t', 'uint64_t', 'uint']);
const setAlpnSelection = declareOpenssl('void', 'SSL_CTX_set_alpn_select_cb', ['uint64_t', 'uint64_t', 'uint64_t']);
const setTicketCount = declareOpenssl('int', 'SSL_CTX_set_num_tickets', ['uint64_t', 'size_t']);
const setSessionIdContext = declareOpenssl('int', 'SSL_CTX_set_session_id_context', ['uint64_t', 'uint64_t', 'uint']);
