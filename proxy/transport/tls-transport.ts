// Bytes under TLS: the handshake, the judgement of the peer behind it, records, and close_notify in front of FIN.
//
// The chain of the peer's certificate is verified by OpenSSL inside of the handshake, and whether its names are those that the
// configuration asks for is judged at the same place, so that who is refused gets an alert. A session that goes on shows no
// certificate again: it is judged when the handshake is done, before a byte of data is read or written.

import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import { close, shutdownWrite } from '../../native/socket.ts';
import type { TlsPeerJudge, TlsSession } from '../../native/tls-session.ts';
import type { Transport, TransportWant } from './transport.ts';

export interface HandshakeJudge {
  /**
   * Called once, within the handshake for a peer that shows a certificate, else at its end: why the peer is refused, as a
   * sentence, or undefined. The handshake of one that is let in may still fail.
   */
  judge(session: TlsSession): string | undefined;
  /** Called once, when the handshake of a peer that was let in is done. */
  onEstablished?(session: TlsSession): void;
  /** Called once, when the handshake has failed and not by the judge's word: `session.problem` says why. */
  onHandshakeFailed?(session: TlsSession): void;
  /** Called last, before the session of a peer that was let in is freed: what it can be resumed by may be taken. */
  onClosing?(session: TlsSession): void;
}

export class TlsTransport implements Transport, TlsPeerJudge {
  readonly fd: number;
  readonly session: TlsSession;
  readonly isPlain = false;
  readonly #judge: HandshakeJudge;
  #refusal = '';
  #isJudged = false;
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
    if (this.#refusal !== '') return this.#refusal;
    const { failure, isEstablished, problem } = this.session;
    const isTold = failure === -Errno.EPROTO || (failure === -Errno.ECONNABORTED && !isEstablished);
    return isTold ? problem : '';
  }

  establish(): number {
    const result = this.session.handshake(this);
    if (result === 0) return this.#onHandshakeDone();
    if (result !== -Errno.EAGAIN && this.#refusal === '') this.#judge.onHandshakeFailed?.(this.session);
    return result;
  }

  /** For the handshake. */
  letsIn(session: TlsSession): boolean {
    this.#isJudged = true;
    this.#refusal = this.#judge.judge(session) ?? '';
    return this.#refusal === '';
  }

  #onHandshakeDone(): number {
    if (!this.#isJudged) this.letsIn(this.session);
    this.#isLetIn = this.#refusal === '';
    if (!this.#isLetIn) return -Errno.EPROTO;
    this.#judge.onEstablished?.(this.session);
    return 0;
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
