// The one origin behind both proxies. It keeps what it receives and does what the case at hand says: request after
// request, over as many connections as the proxy opens.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type HttpMessage, type ReadResult, readMessage } from './http-message.ts';

/** What the origin does with one request. Without anything it never answers. */
export interface OriginStep {
  /** Sent when the head has come. */
  readonly onHead?: string;
  /** Sent when the message is complete. */
  readonly onEnd?: string;
  /** What becomes of the connection behind what was sent. */
  readonly ending?: 'close' | 'reset';
}

export const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Origin: Yes\r\n\r\nhello';

export class RecordingOrigin {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #closing = new Set<Promise<unknown>>();
  #steps: readonly OriginStep[] = [];
  #taken = 0;
  #received: HttpMessage[] = [];
  #isTcp = false;
  #onRequest: (() => void) | null = null;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
  }

  static async start(): Promise<RecordingOrigin> {
    const origin = new RecordingOrigin();
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on: the n-th request gets the n-th step, later ones the last. */
  expect(steps: readonly OriginStep[], isTcp = false): void {
    this.#steps = steps;
    this.#isTcp = isTcp;
    this.#taken = 0;
    this.#received = [];
  }

  /** Resolves when the next request's head has come. */
  nextRequest(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRequest = resolve;
    });
  }

  /** What was received since `expect`, after the proxy saw the end of the connections that were closed here. */
  async received(): Promise<readonly HttpMessage[]> {
    await Promise.all(this.#closing);
    return this.#received;
  }

  /** Closes every connection: the next case finds none to reuse. */
  async closeConnections(): Promise<void> {
    for (const socket of this.#open) this.#end(socket);
    await Promise.all(this.#closing);
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    const connection = new OriginConnection((read, isHead) => this.#onMessage(socket, read, isHead));
    this.#open.add(socket);
    // A reset by the proxy is what many cases are about.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#open.delete(socket));
    socket.on('end', () => {
      if (!this.#isTcp) connection.end();
      socket.end();
    });
    socket.on('data', (data) => {
      const text = data.toString('latin1');
      if (this.#isTcp) this.#act(socket, this.#nextStep(), text);
      else connection.feed(text);
    });
  }

  #nextStep(): OriginStep {
    const step = this.#steps[Math.min(this.#taken, this.#steps.length - 1)] ?? {};
    this.#taken++;
    return step;
  }

  // A head first, then the whole: the record of the request is renewed as it grows.
  #onMessage(socket: Socket, read: ReadResult, isHead: boolean): number {
    if (isHead) {
      const step = this.#steps[Math.min(this.#taken, this.#steps.length - 1)] ?? {};
      this.#received.push(read.message);
      if (step.onHead !== undefined) socket.write(step.onHead, 'latin1');
      this.#onRequest?.();
      if (step.onEnd === undefined && step.ending !== undefined) {
        this.#taken++;
        this.#finish(socket, step);
      }
      return this.#received.length - 1;
    }
    this.#received[this.#received.length - 1] = read.message;
    if (!read.message.isComplete) return 0;
    const step = this.#nextStep();
    if (step.onEnd !== undefined) this.#act(socket, step, '');
    return 0;
  }

  #act(socket: Socket, step: OriginStep, received: string): void {
    if (received !== '') {
      this.#received.push({
        startLine: '(tcp)',
        headers: [],
        framing: 'none',
        body: received,
        trailers: [],
        isComplete: true,
      });
    }
    if (step.onEnd !== undefined && !socket.destroyed) {
      socket.write(step.onEnd, 'latin1', () => this.#finish(socket, step));
    } else this.#finish(socket, step);
  }

  #finish(socket: Socket, step: OriginStep): void {
    if (step.ending === 'reset') socket.resetAndDestroy();
    else if (step.ending === 'close') this.#end(socket);
  }

  #end(socket: Socket): void {
    const closed = once(socket, 'close');
    this.#closing.add(closed);
    void closed.finally(() => this.#closing.delete(closed));
    socket.end();
  }
}

/** Reports every request twice: as its head, and when it is complete or cut. */
class OriginConnection {
  readonly #onMessage: (read: ReadResult, isHead: boolean) => void;
  #text = '';
  #hasHead = false;

  constructor(onMessage: (read: ReadResult, isHead: boolean) => void) {
    this.#onMessage = onMessage;
  }

  feed(text: string): void {
    this.#text += text;
    this.#read(false);
  }

  end(): void {
    this.#read(true);
  }

  #read(isEnded: boolean): void {
    for (;;) {
      const part = readMessage(this.#text, 0, { kind: 'request', isEnded: true });
      if (part === null) return;
      if (!this.#hasHead) {
        this.#hasHead = true;
        this.#onMessage(part, true);
      }
      if (!part.message.isComplete && !isEnded) return;
      this.#text = this.#text.slice(part.end);
      this.#hasHead = false;
      this.#onMessage(part, false);
    }
  }
}
