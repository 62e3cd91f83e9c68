// One end of a connection between an old and a new process: whole messages with descriptors, never a queue. What the
// kernel does not take at once is for a peer that does not read, and that connection is over.

import { describeErrno, Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { ReadableWatch } from '../../native/readiness.ts';
import { close } from '../../native/socket.ts';
import { peerCredentials, receiveMessage, sendMessage } from '../../native/unix-message.ts';
import { encodeMessage, type FromParent, type FromSuccessor, maxMessageBytes } from './message.ts';

export type Received =
  | { readonly kind: 'message'; readonly bytes: Buffer; readonly descriptors: readonly number[] }
  /** Nothing more for now. */
  | { readonly kind: 'none' }
  /** The peer is gone; or, when `problem` is there, what it sent cannot be received: a sentence without its subject. */
  | { readonly kind: 'end'; readonly problem?: string };

export class Channel {
  readonly fd: number;
  #watch: ReadableWatch | undefined;
  #isClosed = false;

  /** Owns `fd`, a connected seqpacket socket, from now on. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Calls `onReadable` whenever there is something to receive, until it is closed. */
  watch(onReadable: () => void): void {
    this.#watch = new ReadableWatch(this.fd, onReadable);
  }

  /** Whether the peer's process is of our own user. */
  get isOfOurUser(): boolean {
    const peer = peerCredentials(this.fd);
    return typeof peer !== 'number' && peer.uid === process.geteuid!();
  }

  /** Process id of the peer, 0 when it is not known. */
  get peerPid(): number {
    const peer = peerCredentials(this.fd);
    return typeof peer === 'number' ? 0 : peer.pid;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the kernel took it. The descriptors stay the caller's. */
  send(message: FromSuccessor | FromParent, descriptors: readonly number[] = []): boolean {
    if (this.#isClosed) return false;
    const bytes = encodeMessage(message);
    if (bytes === undefined) return false;
    bytes.copy(outgoing.bytes);
    return sendMessage(this.fd, outgoing, bytes.length, descriptors) === bytes.length;
  }

  /** The descriptors are the caller's. */
  receive(): Received {
    if (this.#isClosed) return { kind: 'end' };
    const received = receiveMessage(this.fd, incoming);
    if (typeof received === 'number') return failureOf(-received);
    const { length, descriptors } = received;
    if (length === 0) {
      closeAll(descriptors);
      return { kind: 'end' };
    }
    return { kind: 'message', bytes: Buffer.from(incoming.bytes.subarray(0, length)), descriptors };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch?.close();
    close(this.fd);
  }
}

export function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) close(descriptor);
}

function failureOf(errno: number): Received {
  if (errno === Errno.EAGAIN || errno === Errno.EINTR) return { kind: 'none' };
  const isOurs = errno === Errno.EMFILE || errno === Errno.EMSGSIZE;
  return isOurs ? { kind: 'end', problem: `sent what cannot be received: ${describeErrno(errno)}` } : { kind: 'end' };
}

// One of each a thread: messages are sent and read whole.
const outgoing = new NativeBuffer(maxMessageBytes);
const incoming = new NativeBuffer(maxMessageBytes);
