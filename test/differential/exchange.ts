// A client that writes given bytes and reads what comes back.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type HttpMessage, readMessage } from './http-message.ts';

export interface ExchangePlan {
  /** Each piece is written when a response, interim ones included, answered the one before. */
  readonly send: readonly string[];
  /** How many final responses to wait for; `end` waits until the proxy closes. */
  readonly expects: number | 'end';
  /** Resets the connection when this resolves, instead of waiting for an answer. */
  readonly resetsAfter?: Promise<void>;
  /** Bytes are no HTTP: everything is kept as `rest`, until the proxy closes. */
  readonly isTcp: boolean;
  /** Closes the writing side behind the last piece. */
  readonly halfCloses: boolean;
}

export interface Exchange {
  readonly responses: readonly HttpMessage[];
  /** What came and is no HTTP message. */
  readonly rest: string;
  readonly ending: 'closed by client' | 'closed by proxy' | 'reset by proxy' | `silent for ${number} ms`;
  readonly clientPort: number;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** No case takes so long by design: who waits longer has missed something. */
const silenceMs = 5000;

export async function exchange(port: number, plan: ExchangePlan): Promise<Exchange> {
  const startedAtMs = Date.now();
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setNoDelay(true);
  await once(socket, 'connect');
  const clientPort = socket.localPort!;
  const conversation = new Conversation(socket, plan);
  const ending = await conversation.ending;
  socket.destroy();
  return {
    responses: conversation.responses,
    rest: conversation.rest,
    ending,
    clientPort,
    startedAtMs,
    endedAtMs: Date.now(),
  };
}

class Conversation {
  readonly responses: HttpMessage[] = [];
  readonly ending: Promise<Exchange['ending']>;
  readonly #socket: Socket;
  readonly #plan: ExchangePlan;
  readonly #methods: string[];
  #text = '';
  #sent = 0;
  #finals = 0;
  #finish!: (ending: Exchange['ending']) => void;

  constructor(socket: Socket, plan: ExchangePlan) {
    this.#socket = socket;
    this.#plan = plan;
    this.#methods = plan.send.join('').match(/^[A-Z]+(?= \S+ HTTP\/)/gm) ?? [];
    this.ending = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const timer = setTimeout(() => this.#end(`silent for ${silenceMs} ms`), silenceMs);
    void this.ending.then(() => clearTimeout(timer));
    socket.on('data', (data) => this.#onData(data.toString('latin1')));
    socket.on('end', () => this.#end('closed by proxy'));
    socket.on('error', () => this.#end('reset by proxy'));
    void plan.resetsAfter?.then(() => {
      socket.resetAndDestroy();
      this.#finish('closed by client');
    });
    this.#sendNext();
  }

  get rest(): string {
    return this.#text;
  }

  #sendNext(): void {
    const piece = this.#plan.send[this.#sent++];
    if (piece !== undefined && piece !== '') this.#socket.write(piece, 'latin1');
    if (this.#plan.halfCloses && this.#sent === this.#plan.send.length) this.#socket.end();
  }

  #onData(text: string): void {
    this.#text += text;
    if (this.#plan.isTcp) this.#sendNext();
    else this.#readResponses(false);
    if (this.#finals === this.#plan.expects) this.#finish('closed by client');
  }

  #readResponses(isEnded: boolean): void {
    for (;;) {
      const method = this.#methods[this.#finals] ?? 'GET';
      const read = readMessage(this.#text, 0, { kind: 'response', isEnded, method });
      if (read === null) return;
      this.#text = this.#text.slice(read.end);
      this.responses.push(read.message);
      if (!/^\S+ 1\d\d/.test(read.message.startLine) || / 101\b/.test(read.message.startLine)) this.#finals++;
      this.#sendNext();
    }
  }

  #end(ending: Exchange['ending']): void {
    if (!this.#plan.isTcp) this.#readResponses(true);
    this.#finish(ending);
  }
}
