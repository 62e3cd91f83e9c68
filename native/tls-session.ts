// One TLS connection (SSL) on a non-blocking descriptor: handshake, records, close_notify (RFC 8446, RFC 5246).
//
// OpenSSL reads and writes the descriptor itself. Through memory BIOs a small record costs 9 % more CPU and bulk is slower
// (README.md, "What TLS costs"): six foreign calls instead of two, and a copy in each direction.
//
// Outcomes are numbers as everywhere here: 0 or more, -EAGAIN with `want` saying for what, -ECONNABORTED for a stream that was
// cut off, -EPROTO for what TLS does not allow, or the errno of the socket, negated. The failure that ends a connection is told
// by every later call, and `problem` has the words; a write that the socket refuses ends writing alone, since what the peer
// sent before it went away may still be read. Whether a call failed is never asked of OpenSSL's queue of errors, which others of
// the thread write to as well, but of the connection's own state.

import { describeErrno, Errno } from './errno.ts';
import { clearErrno, failure } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import {
  declareOpenssl,
  declareOpensslText,
  lastOpensslError,
  OpensslPart,
  partOf,
  reasonNumberOf,
  takeLastOpensslProblem,
  takeOpensslProblem,
} from './openssl.ts';
import { alpnOf, cipherOf, groupOf, serverNameOf, versionOf, wasResumed } from './tls-agreement.ts';
import type { TlsContext } from './tls-context.ts';
import { certificatesOf, listenForPeer, type ShownPeer, verifiedChainOf } from './tls-peer.ts';
import { sessionIdOf, TlsResumption, takeResumable } from './tls-resumption.ts';
import { peerSignatureOf } from './tls-signature.ts';
import { giveTicket } from './tls-tickets.ts';
import { MAX_RECORD_BYTES, UnfinishedRecord } from './tls-unfinished-record.ts';

/** What the descriptor must be ready for before the call that returned -EAGAIN is made again. */
export const TlsWant = { nothing: 0, read: 1, write: 2 } as const;
export type TlsWant = (typeof TlsWant)[keyof typeof TlsWant];

/** Who decides about a peer beside its chain, which OpenSSL has let pass. */
export interface TlsPeerJudge {
  /**
   * Called within the handshake, where an alert can still tell the peer: `peerCertificates`, `verifyResult` and `verifiedChain`
   * say who it is. Not of a session that goes on, nor of a peer that shows no certificate.
   */
  letsIn(session: TlsSession): boolean;
}

export class TlsSession {
  /** Set by each call that returns -EAGAIN. */
  want: TlsWant = TlsWant.nothing;
  /** Why the connection failed, as a sentence; empty while it has not. Orderly ends are no failure. */
  problem = '';
  /**
   * Whether the last handshake, read or look has left something that no event of the descriptor will tell of: data, an end, a
   * failure. A part of a record does not count, since the rest of it is an event.
   */
  hasPending = false;
  readonly #context: TlsContext;
  #pointer: number;
  #failure = 0;
  /** Of the socket, met by a write. */
  #writeFailure = 0;
  #isEstablished = false;
  #isEndSent = false;
  #owesTicket = false;
  /** Until the handshake is done. */
  #judge: TlsPeerJudge | undefined;
  /** What it has shown in this handshake. */
  #peer: ShownPeer | undefined;
  /** What was resumed, or taken last. Another that comes to be at its address is missed, and a later one is not. */
  #taken = 0;
  readonly #unfinished = new UnfinishedRecord();

  private constructor(context: TlsContext, pointer: number) {
    this.#context = context;
    this.#pointer = pointer;
  }

  /**
   * A connection over the connected socket `fd`, which stays the caller's to close, after `free`. `serverName` is what a
   * client sends as SNI: a DNS name, no address. A sentence when it cannot be made.
   */
  static create(context: TlsContext, fd: number, serverName?: string): TlsSession | string {
    const pointer = context.beginSession();
    if (pointer === 0) return takeOpensslProblem() ?? 'the owner of the TLS context has let go of it';
    const session = new TlsSession(context, pointer);
    if (setDescriptor()(pointer, fd) === 1 && (serverName === undefined || setServerName(pointer, serverName))) {
      if (context.side === 'server') setAcceptState()(pointer);
      else setConnectState()(pointer);
      return session;
    }
    session.free();
    return takeOpensslProblem() ?? 'the server name is no DNS name';
  }

  /**
   * Of a client, before the handshake: tries to go on where `resumption`, which stays the caller's, has left off. When the
   * server does not want to, the handshake is a full one. False when it cannot even be tried.
   */
  resume(resumption: TlsResumption): boolean {
    if (this.#pointer === 0) return false;
    this.#taken = resumption.applyTo(this.#pointer);
    return this.#taken !== 0;
  }

  /**
   * Of a client: what the next connection to this peer can resume, each once; the caller owns it. Undefined when there is
   * nothing new: tickets of TLS 1.3 come behind the handshake, with the first reads. Not of a connection that has failed.
   */
  takeResumption(): TlsResumption | undefined {
    if (this.#context.side === 'server' || !this.#isEstablished || this.#failure !== 0) return undefined;
    const pointer = takeResumable(this.#pointer, this.#taken);
    if (pointer === 0) return undefined;
    this.#taken = pointer;
    return new TlsResumption(pointer);
  }

  /** Goes on with the handshake: 0 once data can flow. Everybody whose chain passes is let in where no `judge` is given. */
  handshake(judge?: TlsPeerJudge): number {
    if (this.#failure !== 0) return this.#failure;
    this.#judge = judge;
    listenForPeer(this);
    const result = doHandshake()(this.#pointer);
    listenForPeer(undefined);
    if (result !== 1) return this.#outcomeOf(result, failure());
    this.#isEstablished = true;
    this.#owesTicket = this.#context.givesTickets;
    this.hasPending = this.#holdsInput();
    return 0;
  }

  /** For the handshake (`PeerListener`). */
  onPeer(peer: ShownPeer): boolean {
    this.#peer = peer;
    return this.#judge === undefined || this.#judge.letsIn(this);
  }

  /**
   * Data into `buffer` at `offset`, as much as is there and fits `length`, which is above 0; 0 after the peer's close_notify.
   * `hasPending` tells whether to read on without an event: when it filled the buffer or met many records, of data or not.
   */
  read(buffer: NativeBuffer, offset: number, length: number): number {
    this.hasPending = false;
    if (this.#failure !== 0) return this.#failure;
    let total = 0;
    for (let records = 0; records < MAX_RECORDS_A_READ && total < length; records++) {
      clearErrno();
      const count = sslRead()(this.#pointer, buffer.address + offset + total, length - total);
      if (count > 0) total += count;
      else {
        const errno = failure();
        const outcome = this.#outcomeOf(count, errno);
        if (outcome !== -Errno.EAGAIN || this.#isDry(errno)) {
          // Ends and failures are told by the next call, which nothing but this brings about.
          this.hasPending = total > 0 && outcome !== -Errno.EAGAIN;
          return total > 0 ? total : outcome;
        }
      }
      // Saves the system call that would find nothing: the socket's next event is level-triggered.
      if (!this.#holdsInput()) return total > 0 ? total : this.#blocked(TlsWant.read);
    }
    this.hasPending = this.#holdsInput();
    return total > 0 ? total : this.#blocked(TlsWant.read);
  }

  /** What `read` would return, 1 for any number of bytes, without taking them. Tickets and key updates are taken. */
  look(): number {
    if (this.#failure !== 0) return this.#failure;
    this.hasPending = true;
    for (let records = 0; records < MAX_RECORDS_A_READ; records++) {
      clearErrno();
      const count = sslPeek()(this.#pointer, lookBuffer.address, 1);
      if (count > 0) return 1;
      const errno = failure();
      const outcome = this.#outcomeOf(count, errno);
      if (outcome !== -Errno.EAGAIN) return outcome;
      this.hasPending = !this.#isDry(errno) && this.#holdsInput();
      if (!this.hasPending) return outcome;
    }
    return this.#blocked(TlsWant.read);
  }

  /**
   * How many bytes of `buffer` from `offset` went into records; -EAGAIN when none. The next write must go on with the bytes
   * behind those, since some of them may be encrypted already; how they are cut into calls does not matter.
   */
  write(buffer: NativeBuffer, offset: number, length: number): number {
    if (this.#failure !== 0) return this.#failure;
    if (this.#writeFailure !== 0) return this.#writeFailure;
    if (this.#unfinished.lengthBytes > 0) {
      const result = this.#writeAgain();
      if (result < 0) return result;
    }
    if (this.#owesTicket) {
      this.#owesTicket = false;
      giveTicket(this.#pointer);
    }
    let total = this.#unfinished.tell(length);
    while (total < length) {
      const from = offset + total;
      const chunk = Math.min(length - total, MAX_RECORD_BYTES);
      const count = sslWrite()(this.#pointer, buffer.address + from, chunk);
      if (count <= 0) {
        const outcome = this.#unwritten(count, failure());
        if (outcome === -Errno.EAGAIN) this.#unfinished.keep(buffer, from, chunk);
        return total > 0 ? total : outcome;
      }
      total += count;
    }
    return total;
  }

  /** Sends close_notify behind what was written: 0 when it is sent, or cannot be because the connection has failed. */
  shutdown(): number {
    if (this.#isEndSent || !this.#isEstablished || this.#failure !== 0 || this.#writeFailure !== 0) return 0;
    if (this.#unfinished.lengthBytes > 0) {
      const result = this.#writeAgain();
      if (result < 0) return result;
    }
    const result = sslShutdown()(this.#pointer);
    if (result < 0) return this.#unwritten(result, failure());
    this.#isEndSent = true;
    return 0;
  }

  /** Frees everything but the descriptor. Calls after that return -EBADF; again, it does nothing. */
  free(): void {
    if (this.#pointer === 0) return;
    // Or what was taken of TLS 1.2 could not be resumed any more, a rule that ended with TLS 1.1 (RFC 4346 7.2.1).
    if (this.#isEstablished && this.#failure === 0) setShutdownState()(this.#pointer, SSL_SENT_SHUTDOWN);
    this.#context.endSession(this.#pointer);
    this.#pointer = 0;
    this.#judge = undefined;
    this.#peer = undefined;
    this.hasPending = false;
    this.#failure = -Errno.EBADF;
    this.#unfinished.giveBack();
  }

  get isEstablished(): boolean {
    return this.#isEstablished;
  }

  /** What every call returns now; 0 while it has not failed. */
  get failure(): number {
    return this.#failure;
  }

  /** Bytes of data that the next read gets without the socket. */
  get pendingBytes(): number {
    return this.#pointer === 0 ? 0 : pendingBytes()(this.#pointer);
  }

  /** One of `TlsVersion`; what it says before the handshake is done is of no use, as with those below. */
  get version(): number {
    return this.#pointer === 0 ? 0 : versionOf(this.#pointer);
  }

  /** As the RFCs have it: `TLS_AES_128_GCM_SHA256`. */
  get cipher(): string | undefined {
    return this.#pointer === 0 ? undefined : cipherOf(this.#pointer);
  }

  /** Of the key exchange, as OpenSSL calls it: `x25519`, `X25519MLKEM768`. */
  get group(): string | undefined {
    return this.#pointer === 0 ? undefined : groupOf(this.#pointer);
  }

  /** With what the peer has signed: `ecdsa_secp256r1_sha256`; undefined without a certificate of it. */
  get peerSignature(): string | undefined {
    return this.#pointer === 0 ? undefined : peerSignatureOf(this.#pointer);
  }

  /** The application protocol, as Latin-1; undefined when none was agreed on. */
  get alpn(): string | undefined {
    return this.#pointer === 0 ? undefined : alpnOf(this.#pointer);
  }

  /** SNI, as the client has sent it. */
  get serverName(): string | undefined {
    return this.#pointer === 0 ? undefined : serverNameOf(this.#pointer);
  }

  /** Whether keys come from an earlier session: nothing was verified anew. */
  get isResumed(): boolean {
    return this.#pointer !== 0 && wasResumed(this.#pointer);
  }

  /** Lower-case hex; empty where it has none, as under TLS 1.3. */
  get sessionId(): string {
    return this.#pointer === 0 ? '' : sessionIdOf(this.#pointer);
  }

  /** X509_V_…: 0 when the peer's chain is good, and also when it has sent none. */
  get verifyResult(): number {
    if (this.#peer !== undefined) return this.#peer.verifyResult;
    return this.#pointer === 0 ? 0 : verifyResultOf()(this.#pointer);
  }

  /** DER, the peer's own first, then what it sent with it; empty without a certificate. Only the own after a resumption. */
  peerCertificates(): readonly Buffer[] {
    if (this.#peer !== undefined) return this.#peer.certificates;
    if (this.#pointer === 0) return [];
    const certificates = certificatesOf(this.#pointer, this.#context.side);
    const { verifyResult } = this;
    // Before the end of the handshake some of them may come yet.
    if (this.#isEstablished) this.#peer = { certificates, verifyResult, verifiedChain: undefined };
    return certificates;
  }

  /** DER, from the peer's own to a root of ours; empty where nothing was verified, and after a resumption. */
  verifiedChain(): readonly Buffer[] {
    if (this.#peer?.verifiedChain !== undefined) return this.#peer.verifiedChain;
    return this.#pointer === 0 ? [] : verifiedChainOf(this.#pointer);
  }

  /** DER of what this side has shown, or would have if it had been asked. */
  ownCertificate(): Buffer | undefined {
    return this.#pointer === 0 ? undefined : this.#context.ownCertificate(shownCertificate()(this.#pointer));
  }

  /** After a call that returned `result`, and what was the errno then. */
  #outcomeOf(result: number, errno: number): number {
    if (inInit()(this.#pointer) === 1) return this.#outcomeOfHandshake(result, errno);
    const want = wantOf()(this.#pointer);
    if (want === SSL_READING) return this.#blocked(TlsWant.read);
    if (want === SSL_WRITING) return this.#blocked(TlsWant.write);
    if ((shutdownState()(this.#pointer) & SSL_RECEIVED_SHUTDOWN) !== 0) return 0;
    return this.#fail(errno, describeSocketError(errno));
  }

  /**
   * Of the handshake, of messages behind it, and of records that break the rules, which put the connection back there. The
   * handshake empties the queue of errors before it begins; the newest in the queue is of this call otherwise.
   */
  #outcomeOfHandshake(result: number, errno: number): number {
    const error = errorOf()(this.#pointer, result);
    if (error === SSL_ERROR_WANT_READ) return this.#blocked(TlsWant.read);
    if (error === SSL_ERROR_WANT_WRITE) return this.#blocked(TlsWant.write);
    const code = lastOpensslError();
    if (code === 0) return this.#fail(errno, describeSocketError(errno));
    if (partOf(code) === OpensslPart.ssl && reasonNumberOf(code) === SSL_R_UNEXPECTED_EOF)
      return this.#fail(
        -Errno.ECONNABORTED,
        this.#isEstablished ? CUT_OFF : 'the peer ended the connection within the TLS handshake',
      );
    return this.#fail(-Errno.EPROTO, takeLastOpensslProblem());
  }

  /** As `#outcomeOf`, of a call that writes: what the socket refuses ends writing, and what TLS refuses ends everything. */
  #unwritten(result: number, errno: number): number {
    let outcome = this.#outcomeOf(result, errno);
    // The peer's end has come before, and this is another matter.
    if (outcome === 0) outcome = this.#fail(errno, describeSocketError(errno));
    if (outcome === -Errno.EAGAIN || outcome === -Errno.EPROTO) return outcome;
    this.#writeFailure = outcome;
    this.#failure = 0;
    return outcome;
  }

  /** Data or a part of a record, read from the socket. */
  #holdsInput(): boolean {
    return hasPending()(this.#pointer) === 1;
  }

  /**
   * After a read that wants to be made again: whether it is because the socket has no more, and not because a record without
   * data was met. OpenSSL says the same of both; `errno` was cleared before.
   */
  #isDry(errno: number): boolean {
    return errno === -Errno.EAGAIN || this.want === TlsWant.write;
  }

  #blocked(want: TlsWant): number {
    this.want = want;
    return -Errno.EAGAIN;
  }

  #fail(outcome: number, words: string): number {
    // An end that nobody has set errno for.
    this.#failure = outcome < 0 ? outcome : -Errno.ECONNABORTED;
    this.want = TlsWant.nothing;
    const verification = this.#isEstablished ? 0 : this.verifyResult;
    this.problem = verification === 0 ? words : `${words}: ${describeVerifyResult(verification)}`;
    takeOpensslProblem();
    return this.#failure;
  }

  #writeAgain(): number {
    const { address, lengthBytes } = this.#unfinished;
    const count = sslWrite()(this.#pointer, address, lengthBytes);
    if (count <= 0) return this.#unwritten(count, failure());
    this.#unfinished.onSent(count);
    return 0;
  }
}

/** `certificate has expired`, for a `verifyResult`. */
export function describeVerifyResult(result: number): string {
  return verifyWords()(result) ?? `verification failed with ${result}`;
}

function describeSocketError(errno: number): string {
  return errno < 0 ? describeErrno(-errno) : 'the connection ended';
}

function setServerName(pointer: number, name: string): boolean {
  const text = Buffer.from(`${name}\0`);
  if (text.length < 2 || text.length > 256 || text.indexOf(0) !== text.length - 1) return false;
  const copy = new NativeBuffer(text.length);
  copy.bytes.set(text);
  return sslControl()(pointer, SSL_CTRL_SET_TLSEXT_HOSTNAME, HOST_NAME, copy.address) === 1;
}

const CUT_OFF = 'the peer ended the connection without close_notify';
// Bounds what one event may cost; 64 KiB of data are 4 records.
const MAX_RECORDS_A_READ = 32;

const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_WRITING = 2;
const SSL_READING = 3;
const SSL_SENT_SHUTDOWN = 1;
const SSL_RECEIVED_SHUTDOWN = 2;
const SSL_R_UNEXPECTED_EOF = 294;
const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
const HOST_NAME = 0; // TLSEXT_NAMETYPE_host_name

const lookBuffer = new NativeBuffer(1);

const setDescriptor = declareOpenssl('int', 'SSL_set_fd', ['uint64_t', 'int']);
const setAcceptState = declareOpenssl('void', 'SSL_set_accept_state', ['uint64_t']);
const setConnectState = declareOpenssl('void', 'SSL_set_connect_state', ['uint64_t']);
const sslControl = declareOpenssl('long', 'SSL_ctrl', ['uint64_t', 'int', 'long', 'uint64_t']);
const doHandshake = declareOpenssl('int', 'SSL_do_handshake', ['uint64_t']);
const sslRead = declareOpenssl('int', 'SSL_read', ['uint64_t', 'uint64_t', 'int']);
const sslPeek = declareOpenssl('int', 'SSL_peek', ['uint64_t', 'uint64_t', 'int']);
const sslWrite = declareOpenssl('int', 'SSL_write', ['uint64_t', 'uint64_t', 'int']);
const sslShutdown = declareOpenssl('int', 'SSL_shutdown', ['uint64_t']);
const errorOf = declareOpenssl('int', 'SSL_get_error', ['uint64_t', 'int']);
const wantOf = declareOpenssl('int', 'SSL_want', ['uint64_t']);
const inInit = declareOpenssl('int', 'SSL_in_init', ['uint64_t']);
const shutdownState = declareOpenssl('int', 'SSL_get_shutdown', ['uint64_t']);
const setShutdownState = declareOpenssl('void', 'SSL_set_shutdown', ['uint64_t', 'int']);
const hasPending = declareOpenssl('int', 'SSL_has_pending', ['uint64_t']);
const pendingBytes = declareOpenssl('int', 'SSL_pending', ['uint64_t']);
const verifyResultOf = declareOpenssl('long', 'SSL_get_verify_result', ['uint64_t']);
const verifyWords = declareOpensslText('X509_verify_cert_error_string', ['long']);
const shownCertificate = declareOpenssl('uint64_t', 'SSL_get_certificate', ['uint64_t']);
