// One connection to the agent, from the sidecar's end. Requests go out with sendmsg(2), which carries descriptors; answers
// carry none, so that Node reads them.

import { Socket } from 'node:net';
import { describeErrno, Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, connect } from '../../native/socket.ts';
import { createUnixSocket, sendMessage } from '../../native/unix-message.ts';
import type { LoadFailure } from '../loader/load-failure.ts';
import {
  type AgentReply,
  type AgentRequest,
  MOST_LINE_BYTES,
  readReply,
  refusal,
  writeRequest,
} from './enrolment-protocol.ts';
import { LineReader } from './line-reader.ts';

export interface Question {
  readonly request: AgentRequest;
  /** Go with it, and stay the caller's. */
  readonly descriptors?: readonly number[];
}

export class AgentCall {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #lines = new LineReader(MOST_LINE_BYTES);
  readonly #waiting: ((reply: AgentReply) => void)[] = [];
  readonly #onLost: (reason: string) => void;
  #last: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  private constructor(fd: number, onLost: (reason: string) => void) {
    this.#fd = fd;
    this.#onLost = onLost;
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.unref();
    this.#socket.on('data', (bytes: Buffer) => this.#onBytes(bytes));
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', () => this.#end('the agent ended the connection'));
  }

  static open(path: string, onLost: (reason: string) => void): AgentCall | LoadFailure {
    const fd = createUnixSocket('stream');
    if (fd < 0) return { reason: `cannot make a socket: ${describeErrno(-fd)}` };
    const result = connect(fd, { kind: 'pipe', path });
    if (result >= 0) return new AgentCall(fd, onLost);
    close(fd);
    const reason = `the node agent at ${path} cannot be reached: ${describeErrno(-result)}`;
    return {
      reason,
      ...(NOBODY_THERE.has(-result) && { wayOut: 'run `outrigger bpf agent` on the node, and mount its socket' }),
    };
  }

  /** One at a time, in the order of asking. `question` is called when it is its turn, since descriptors may change before. */
  ask(question: () => Question): Promise<AgentReply> {
    const reply = this.#last.then(() => this.#send(question()));
    this.#last = reply;
    return reply;
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
    for (const answer of this.#waiting.splice(0)) answer(refusal('the enrolment was ended'));
  }

  #send({ request, descriptors = [] }: Question): Promise<AgentReply> {
    // The socket's number may be another file's as soon as it is destroyed, which is before it says so.
    if (!this.#isOpen || this.#socket.destroyed) return Promise.resolve(refusal('the agent ended the connection'));
    const bytes = Buffer.from(writeRequest(request));
    if (bytes.length > MOST_LINE_BYTES) return Promise.resolve(refusal('the settings are too long for the agent'));
    const buffer = new NativeBuffer(bytes.length);
    bytes.copy(buffer.bytes);
    // The longest request is far below what a Unix socket buffers, and the one before was answered.
    const sent = sendMessage(this.#fd, buffer, bytes.length, descriptors);
    if (sent !== bytes.length) {
      const why = sent < 0 ? describeErrno(-sent) : 'it does not read';
      return Promise.resolve(refusal(`the agent does not take the request: ${why}`));
    }
    // While an answer is waited for the process stays; an enrolment alone does not keep it.
    this.#socket.ref();
    return new Promise((answered) => this.#waiting.push(answered));
  }

  #onBytes(bytes: Buffer): void {
    const lines = this.#lines.push(bytes);
    if (lines === undefined) this.#socket.destroy();
    for (const line of lines ?? []) this.#waiting.shift()?.(readReply(line));
    if (this.#waiting.length === 0) this.#socket.unref();
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const answer of this.#waiting.splice(0)) answer(refusal(reason));
    this.#onLost(reason);
  }
}

const NOBODY_THERE: ReadonlySet<number> = new Set([Errno.ENOENT, Errno.ECONNREFUSED]);
