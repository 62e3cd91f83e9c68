// Clients that never stop asking while a proxy is replaced under them: on connections that are kept, on a new one for each
// request, with bodies that are half sent, for answers that are slow, and through tunnels. What is not answered as it must
// be is a loss, and is told in words.

import { connect, type Socket } from 'node:net';

export type ClientKind = 'keep-alive' | 'fresh' | 'half-body' | 'slow';

export interface LoadOutcome {
  /** Paths that were asked for, each once. */
  readonly asked: readonly string[];
  readonly answered: number;
  /** How many answers asked their client to leave. */
  readonly sentAway: number;
  readonly losses: readonly string[];
}

/** Between the halves of a body. */
const halfMs = 50;

export class UpgradeLoad {
  readonly asked: string[] = [];
  readonly losses: string[] = [];
  answered = 0;
  sentAway = 0;
  readonly port: number;
  readonly ip: string;
  #isStopping = false;
  readonly #clients: Promise<void>[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(port: number, ip = '127.0.0.1') {
    this.port = port;
    this.ip = ip;
  }

  add(kind: ClientKind, count: number): void {
    for (let index = 0; index < count; index++) this.#clients.push(this.#run(kind, `${kind}-${index}`));
  }

  /** Resolves when so many more requests have been answered. */
  answers(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ count: this.answered + count, resolve }));
  }

  /** Lets every client finish the request that it has begun. */
  async stop(): Promise<LoadOutcome> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
    return this;
  }

  async #run(kind: ClientKind, name: string): Promise<void> {
    let connection: LoadConnection | null = null;
    for (let number = 0; !this.#isStopping; number++) {
      const path = `/${kind === 'slow' ? 'slow-' : ''}${name}-${number}`;
      const isFresh = connection === null || connection.hasEnded;
      if (isFresh) connection = await LoadConnection.open(this.port, this.ip);
      this.asked.push(path);
      const answer = await connection!.ask(path, kind);
      this.#count(path, answer, `${isFresh ? 'first' : 'later'} on its connection`);
      if (answer.closes || answer.body !== path) {
        connection!.close();
        connection = null;
      }
    }
    connection?.close();
  }

  #count(path: string, answer: Answer, where: string): void {
    if (answer.body !== path) this.losses.push(`${path} (${where}): ${answer.problem ?? `answered ${answer.body}`}`);
    else this.answered++;
    if (answer.closes && !path.includes('fresh')) this.sentAway++;
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.answered >= count) resolve();
      return this.answered < count;
    });
  }
}

interface Answer {
  readonly body: string;
  readonly closes: boolean;
  readonly problem?: string;
}

class LoadConnection {
  readonly #socket: Socket;
  #text = '';
  #resolve: ((answer: Answer) => void) | null = null;
  #problem: string | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.#text += data.toString('latin1');
      this.#check();
    });
    socket.on('end', () => this.#fail('the connection was ended'));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error.code ?? error.message));
  }

  /** Resolves also when it could not be made: the first request then has no answer. */
  static open(port: number, ip: string): Promise<LoadConnection> {
    const socket = connect(port, ip);
    const connection = new LoadConnection(socket);
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(connection));
      socket.once('close', () => resolve(connection));
    });
  }

  /** Over before the next request was begun, which is no loss. */
  get hasEnded(): boolean {
    return this.#problem !== null;
  }

  ask(path: string, kind: ClientKind): Promise<Answer> {
    const close = kind === 'fresh' ? 'connection: close\r\n' : '';
    const body = kind === 'half-body' ? 'first-second' : '';
    const length = body === '' ? '' : `content-length: ${body.length}\r\n`;
    const method = body === '' ? 'GET' : 'POST';
    const head = `${method} ${path} HTTP/1.1\r\nhost: test\r\n${close}${length}\r\n`;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      if (this.#problem !== null) this.#fail(this.#problem);
      else if (body === '') this.#socket.write(head);
      else {
        this.#socket.write(head + body.slice(0, 6));
        setTimeout(() => this.#socket.write(body.slice(6)), halfMs);
      }
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #check(): void {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#text.slice(0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#text.length < end + 4 + length) return;
    const body = this.#text.slice(end + 4, end + 4 + length);
    this.#text = this.#text.slice(end + 4 + length);
    const resolve = this.#resolve;
    this.#resolve = null;
    resolve?.({ body, closes: /\r\nconnection: close/i.test(head) });
  }

  #fail(problem: string): void {
    this.#problem ??= problem;
    const resolve = this.#resolve;
    this.#resolve = null;
    resolve?.({ body: '', closes: true, problem: `${problem} after ${this.#text.length} bytes of an answer` });
  }
}
