// What all connections of one configuration share (SSL_CTX): who we are, whom we trust, which versions and ciphers.
//
// Made when a configuration is compiled, never changed: a rotated certificate is another context. Connections that were made
// with the old one keep it alive after its owner has let go, and the last of them frees it.
//
// What is off for good: renegotiation (one side may make the other work, RFC 9325 3.5), compression of records (CRIME) and
// of certificates, whose Brotli is more than half of the CPU of a handshake, and which lets a peer send bombs.

import { createHash, type Hash } from 'node:crypto';
import { NativeBuffer } from './native-buffer.ts';
import { clearOpensslErrors, declareOpenssl, opensslProblem, takeOpensslProblem } from './openssl.ts';
import { type AlpnChoice, addAlpnChoice, alpnCallback, encodeProtocols, removeAlpnChoice } from './tls-alpn.ts';
import { addChoice, removeChoice, type StaplePolicy } from './tls-choice.ts';
import { freeIdentity, type LoadedIdentity, loadIdentity, type TlsIdentity, useInContext } from './tls-identity.ts';
import { forgetPeers } from './tls-peer.ts';
import { forgetTickets, setTickets, TICKET_KEY_BYTES, type TlsTickets } from './tls-tickets.ts';
import { setVerification, type TlsVerification } from './tls-trust.ts';

/** As on the wire, and as `TlsSession.version` has them. */
export const TlsVersion = { tls12: 0x0303, tls13: 0x0304 } as const;
export type TlsVersion = (typeof TlsVersion)[keyof typeof TlsVersion];

export interface TlsParameters {
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  /** Of TLS 1.2, and of TLS 1.3, in OpenSSL's words; its own defaults when left out. */
  readonly ciphers?: string | undefined;
  readonly cipherSuites?: string | undefined;
  /** `X25519MLKEM768:X25519:P-256`. */
  readonly groups?: string | undefined;
  /** `ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256`. */
  readonly signatureAlgorithms?: string | undefined;
}

export interface TlsServerOptions extends TlsParameters, TlsVerification {
  readonly side: 'server';
  readonly identity: TlsIdentity;
  /** Shown in its place, by the name that a client asks for and by what kinds of keys it can. */
  readonly otherIdentities?: readonly TlsIdentity[] | undefined;
  /** Who asks for a name that no certificate has may be shown any of them, and not the first alone. */
  readonly triesAllIdentities?: boolean | undefined;
  /** Clients that ask for OCSP responses get none when left out. */
  readonly staples?: StaplePolicy | undefined;
  readonly alpn?: AlpnChoice | undefined;
  /** None when left out. */
  readonly tickets?: TlsTickets | undefined;
}

export interface TlsClientOptions extends TlsParameters, TlsVerification {
  readonly side: 'client';
  readonly identity?: TlsIdentity | undefined;
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
  #choiceNumber = 0;
  #identities: readonly LoadedIdentity[] = [];
  #openSessions = 0;
  #givesTickets = false;
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
    context.#givesTickets = options.side === 'server' && options.tickets !== undefined;
    const refusal = context.#pointer === 0 ? failed('no context can be made') : context.#configure(options);
    if (refusal === undefined) return context;
    context.close();
    return refusal;
  }

  /** How many connections hold it. */
  get openSessions(): number {
    return this.#openSessions;
  }

  /** Whether clients are to get a ticket with what is first sent to them (`giveTicket`). */
  get givesTickets(): boolean {
    return this.#givesTickets;
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

  /** DER of an own certificate, which is of this context; one and the same buffer each time. */
  ownCertificate(certificate: number): Buffer | undefined {
    return this.#identities.find((identity) => identity.certificate === certificate)?.der;
  }

  endSession(session: number): void {
    freeSession()(session);
    this.#openSessions -= 1;
    this.#freeUnused();
  }

  #freeUnused(): void {
    if (!this.#isLetGo || this.#openSessions > 0 || this.#pointer === 0) return;
    freeContext()(this.#pointer);
    removeAlpnChoice(this.#alpnNumber);
    removeChoice(this.#choiceNumber);
    forgetTickets(this.#pointer);
    forgetPeers(this.#pointer);
    this.#identities.forEach(freeIdentity);
    this.#identities = [];
    this.#pointer = 0;
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
      this.#setIdentities(options, digest) ??
      setVerification(context, options, { isServer: options.side === 'server', digest }) ??
      this.#setAlpn(options) ??
      setResumption(context, options, digest)
    );
  }

  #setIdentities(options: TlsContextOptions, digest: Hash): string | undefined {
    const wanted = [...(options.identity ? [options.identity] : [])];
    if (options.side === 'server') wanted.push(...(options.otherIdentities ?? []));
    for (const identity of wanted) {
      const loaded = loadIdentity(identity);
      if (typeof loaded === 'string') return loaded;
      this.#identities = [...this.#identities, loaded];
      digest.update(loaded.der);
    }
    const [first, ...others] = this.#identities;
    // Several are chosen from for each connection: none of them is the context's, where it would be a choice for all.
    if (first !== undefined && others.length === 0 && !useInContext(this.#pointer, first))
      return failed('the certificate is refused');
    if (options.side === 'client') return undefined;
    const { triesAllIdentities: triesAll = false, staples } = options;
    this.#choiceNumber = addChoice(this.#pointer, { identities: this.#identities, triesAll, staples });
    return undefined;
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

function setParameters(context: number, options: TlsParameters): string | undefined {
  const { minVersion = TlsVersion.tls12, maxVersion = TlsVersion.tls13, ciphers, cipherSuites } = options;
  if (minVersion > maxVersion) return 'the lowest TLS version is above the highest';
  control()(context, SSL_CTRL_SET_MIN_PROTO_VERSION, minVersion, 0);
  control()(context, SSL_CTRL_SET_MAX_PROTO_VERSION, maxVersion, 0);
  if (ciphers !== undefined && setCiphers()(context, ciphers) !== 1)
    return failed(`the ciphers "${ciphers}" are unknown`);
  if (cipherSuites !== undefined && setCipherSuites()(context, cipherSuites) !== 1)
    return failed(`the cipher suites "${cipherSuites}" are unknown`);
  return (
    setList(context, { what: 'groups', command: SSL_CTRL_SET_GROUPS_LIST, list: options.groups }) ??
    setList(context, {
      what: 'signature algorithms',
      command: SSL_CTRL_SET_SIGALGS_LIST,
      list: options.signatureAlgorithms,
    })
  );
}

interface ParameterList {
  readonly what: string;
  readonly command: number;
  readonly list: string | undefined;
}

function setList(context: number, { what, command, list }: ParameterList): string | undefined {
  if (list === undefined) return undefined;
  const text = copyOf(Buffer.from(`${list}\0`));
  return control()(context, command, 0, text.address) === 1 ? undefined : failed(`the ${what} "${list}" are unknown`);
}

function setResumption(context: number, options: TlsContextOptions, digest: Hash): string | undefined {
  // Clients take what they are given: whether it is kept is their owner's (`TlsSession.takeResumption`).
  if (options.side === 'client') return undefined;
  const { tickets } = options;
  if (tickets?.keys?.().some(({ length }) => length !== TICKET_KEY_BYTES))
    return `keys of tickets are ${TICKET_KEY_BYTES} bytes`;
  setTickets(context, tickets, digest);
  return undefined;
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

const SSL_CTRL_MODE = 33;
const SSL_CTRL_SET_READ_AHEAD = 41;
const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const SSL_CTRL_CLEAR_MODE = 78;
const SSL_CTRL_SET_GROUPS_LIST = 92;
const SSL_CTRL_SET_SIGALGS_LIST = 98;
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
const setAlpnOffer = declareOpenssl('int', 'SSL_CTX_set_alpn_protos', ['uint64_t', 'uint64_t', 'uint']);
const setAlpnSelection = declareOpenssl('void', 'SSL_CTX_set_alpn_select_cb', ['uint64_t', 'uint64_t', 'uint64_t']);
