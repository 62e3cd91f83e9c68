// The other process of a test of streams: listens on loopback, and does with the connection what each message asks for.
// `forkStreamPeer` starts it; as a program it is that peer.

import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type PatternedBytes, receiveEnd, receivePattern, sendPattern, type WriteSizes } from './patterned-stream.ts';

/** What the peer does with a connection. */
export type PeerTask =
  /** Reads and writes at the same time, and half-closes when it has written. */
  | {
      readonly kind: 'exchange';
      readonly read: PatternedBytes;
      readonly write: PatternedBytes;
      readonly sizes: WriteSizes;
    }
  /** Answers each of `turns` requests of `request` bytes, all of one stream, with `response` bytes of another. */
  | {
      readonly kind: 'answer';
      readonly turns: number;
      readonly request: PatternedBytes;
      readonly response: PatternedBytes;
    }
  | { readonly kind: 'write'; readonly write: PatternedBytes }
  /** Ends it: with FIN, or with RST. */
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' };

/** Connections are counted from 0 in the order in which they were made. */
type PeerMessage = { readonly kind: 'listen' } | { readonly connection: number; readonly task: PeerTask };

type PeerReply = { readonly port: number } | { readonly done: true } | { readonly failed: string };

/** The peer's process, a member of the caller's cgroup. It ends with the IPC channel. */
export class StreamPeer {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static start(): StreamPeer {
    return new StreamPeer(fork(import.meta.filename, { serialization: 'json' }));
  }

  /** The port of a new listening socket. */
  async listen(): Promise<number> {
    const reply = await this.#ask({ kind: 'listen' });
    if ('port' in reply) return reply.port;
    throw new Error('the peer does not listen');
  }

  /** Resolves when the peer is done with that connection; rejects with what went wrong there. One task at a time. */
  async do(connection: number, task: PeerTask): Promise<void> {
    const reply = await this.#ask({ connection, task });
    if ('failed' in reply) throw new Error(`peer: ${reply.failed}`);
  }

  async close(): Promise<void> {
    this.#process.disconnect();
    await once(this.#process, 'exit');
  }

  async #ask(message: PeerMessage): Promise<PeerReply> {
    const answer = once(this.#process, 'message');
    this.#process.send(message);
    return (await answer)[0] as PeerReply;
  }
}

/** Serves the parent; a connection is not read until a task wants it. */
function serve(): void {
  const accepted: Socket[] = [];
  const arrivals = new EventEmitter();
  const onConnection = (socket: Socket) => {
    socket.on('error', () => socket.destroy());
    accepted.push(socket);
    arrivals.emit('connection');
  };
  const connection = async (number: number): Promise<Socket> => {
    while (accepted[number] === undefined) await once(arrivals, 'connection');
    return accepted[number];
  };
  const listen = async (): Promise<PeerReply> => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onConnection);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port };
  };
  process.on('message', async (message: PeerMessage) => {
    const reply =
      'kind' in message ? await listen() : await perform(await connection(message.connection), message.task);
    process.send!(reply);
  });
  process.once('disconnect', () => process.exit());
}

async function perform(socket: Socket, task: PeerTask): Promise<PeerReply> {
  try {
    await run(socket, task);
    return { done: true };
  } catch (error) {
    return { failed: (error as Error).message };
  }
}

async function run(socket: Socket, task: PeerTask): Promise<void> {
  if (task.kind === 'exchange') {
    const writing = sendPattern(socket, task.write, task.sizes).then(() => socket.end());
    await Promise.all([receivePattern(socket, task.read), writing]);
    await receiveEnd(socket);
  } else if (task.kind === 'answer') {
    await answerTurns(socket, task);
  } else if (task.kind === 'write') {
    await sendPattern(socket, task.write, { least: 1000, most: 1000 });
  } else if (task.kind === 'reset') {
    socket.resetAndDestroy();
    await closed(socket);
  } else {
    socket.destroy();
    await closed(socket);
  }
}

/** The kernel has closed it when this resolves. */
async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

/** Seeds go up by one with each turn. */
async function answerTurns(socket: Socket, task: Extract<PeerTask, { kind: 'answer' }>): Promise<void> {
  for (let turn = 0; turn < task.turns; turn++) {
    await receivePattern(socket, { seed: task.request.seed + turn, bytes: task.request.bytes });
    const { seed, bytes } = task.response;
    await sendPattern(socket, { seed: seed + turn, bytes }, { least: bytes, most: bytes });
  }
}

if (import.meta.main) serve();
