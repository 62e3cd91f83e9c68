// Bytes under TLS: the handshake, the judgement of the peer behind it, records, and close_notify in front of FIN.
//
// The chain of the peer's certificate is verified by OpenSSL inside of the handshake. Whether its names are those that the
// configuration asks for is judged right after it, before a byte of data is read or written.

import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import { close, shutdownWrite } from '../../native/socket.ts';
import type { TlsSession } from '../../native/tls-session.ts';
import type { Transport, TransportWant } from './transport.ts';

export interface HandshakeJudge {
  /** Called once, when the handshake is done: why the peer is refused, as a sentence, or undefined. */
  judge(session: TlsSession): string | undefined;
  /** Called once instead of `judge`, when the handshake has failed: `session.problem` says why. */
  onHandshakeFailed?(session: TlsSession): void;
  /** Called last, before the session of a peer that was let in is freed: what it can be resumed by may be taken. */
  onClosing?(session: TlsSession): void;
}

export class TlsTransport implements Transport {
  readonly fd: number;
  readonly session: TlsSession;
  readonly isPlain = false;
  readonly #judge: HandshakeJudge;
  #refusal = '';
  #isLetIn = false;

  /** Owns `session` and the connected socket `fd` that it was made for. */
  constructor(fd: number, session: TlsSession, judge: HandshakeJudge) {
    this.fd = fd;
    this.session = session;
    this.#judge = judge;
  }

  get want(): TransportWant {
    return this.session.want;
  }

  get hasPending(): boolean {
    return this.session.hasPending;
  }

  /** Resets and cut streams are errnos with nothing to add; what ended the handshake is always told. */
  get problem(): string {
    const { failure, isEstablished, problem } = this.session;
    if (failure === -Errno.EPROTO || (failure === -Errno.ECONNABORTED && !isEstablished)) return problem;
    return this.#refusal;
  }

  establish(): number {
    const result = this.session.handshake();
    if (result === 0) return this.#judgePeer();
    if (result !== -Errno.EAGAIN) this.#judge.onHandshakeFailed?.(this.session);
    return result;
  }

  #judgePeer(): number {
    this.#refusal = this.#judge.judge(this.session) ?? '';
    this.#isLetIn = this.#refusal === '';
    return this.#isLetIn ? 0 : -Errno.EPROTO;
  }

  read(buffer: NativeBuffer, offset: number, length: number): number {
    return this.session.read(buffer, offset, length);
  }

  write(buffer: NativeBuffer, offset: number, length: number): number {
    return this.session.write(buffer, offset, length);
  }

  look(): number {
    return this.session.look();
  }

  /** close_notify, which alone says that nothing was cut off, then FIN for those between us that only see the socket. */
  shutdownWrite(): number {
    const result = this.session.shutdown();
    return result < 0 ? result : shutdownWrite(this.fd);
  }

  close(): void {
    if (this.#isLetIn) this.#judge.onClosing?.(this.session);
    this.session.free();
    close(this.fd);
  }
}
