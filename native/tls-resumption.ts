// What a client keeps of one connection to begin the next one to the same peer faster (SSL_SESSION): secrets, the ticket of
// the server, and the peer's certificate, which is not verified again.
//
// It belongs to whoever took it, who frees it: no cache of OpenSSL knows it, and neither the connection that it came from nor
// the one that it went into has to live, nor their contexts. It must only be used for the same peer, with the same trust and
// the same identity as the connection it came from; nothing here knows what these were.
//
// Under TLS 1.3 a server sends tickets behind the handshake, several of them, each for one use (RFC 8446 C.4: who sees a ticket
// twice knows that it is the same client). So each is taken once.

import { bytesAt } from './asn1-string.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

export class TlsResumption {
  #pointer: number;

  /** For `TlsSession`: owns the reference that `pointer` stands for. */
  constructor(pointer: number) {
    this.#pointer = pointer;
  }

  get isFreed(): boolean {
    return this.#pointer === 0;
  }

  /** Whether it must not be used twice: give it up when a connection resumes it. */
  get isForOneUse(): boolean {
    return this.#pointer !== 0 && versionOf()(this.#pointer) >= TLS_1_3;
  }

  /** For `TlsSession`: makes the connection try it, which has a reference of its own then. The pointer; 0 when it does not. */
  applyTo(session: number): number {
    return this.#pointer !== 0 && setSession()(session, this.#pointer) === 1 ? this.#pointer : 0;
  }

  /** Again, it does nothing. */
  free(): void {
    if (this.#pointer !== 0) freeSession()(this.#pointer);
    this.#pointer = 0;
  }
}

/** A reference to what the client's connection `session` can be resumed by, but for `except`; 0 when there is nothing. */
export function takeResumable(session: number, except: number): number {
  const pointer = takeSession()(session);
  if (pointer === 0 || (pointer !== except && isResumable()(pointer) === 1)) return pointer;
  freeSession()(pointer);
  return 0;
}

/**
 * The id of what the connection `session` has begun or goes on with, lower-case hex. Empty where it has none: under TLS 1.3, and
 * when what resumes it is a ticket that was given just now.
 */
export function sessionIdOf(session: number): string {
  if (connectionVersion()(session) >= TLS_1_3) return '';
  const pointer = currentSession()(session);
  if (pointer === 0) return '';
  const address = idOf()(pointer, idLength.address);
  const length = idLength.bytes.readUInt32LE();
  return length === 0 ? '' : bytesAt(address, length).toString('hex');
}

const TLS_1_3 = 0x0304;
const idLength = new NativeBuffer(4);

const connectionVersion = declareOpenssl('int', 'SSL_version', ['uint64_t']);
const currentSession = declareOpenssl('uint64_t', 'SSL_get_session', ['uint64_t']);
const idOf = declareOpenssl('uint64_t', 'SSL_SESSION_get_id', ['uint64_t', 'uint64_t']);
const takeSession = declareOpenssl('uint64_t', 'SSL_get1_session', ['uint64_t']);
const setSession = declareOpenssl('int', 'SSL_set_session', ['uint64_t', 'uint64_t']);
const versionOf = declareOpenssl('int', 'SSL_SESSION_get_protocol_version', ['uint64_t']);
const isResumable = declareOpenssl('int', 'SSL_SESSION_is_resumable', ['uint64_t']);
const freeSession = declareOpenssl('void', 'SSL_SESSION_free', ['uint64_t']);
