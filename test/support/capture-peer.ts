// A program of a pod, as applications are: it connects and listens with Node's own sockets and knows nothing of a proxy.
// Started in a cgroup and a network namespace of the test's choice, it does what the test asks for over its IPC channel.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Conversation, PeerOrder, PeerReport, ServerSpec } from './capture-peer-program.ts';

export interface CapturePeerOptions {
  /** Shell commands before the program, such as one that moves the shell into a cgroup. */
  readonly before?: string;
  /** Process whose network namespace it lives in; that of the test when left out. */
  readonly namespaceOf?: number;
}

export class CapturePeer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<PeerReport>>();
  #lastOrder = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: PeerReport) => {
      this.#waiting.get(report.order)?.resolve(report);
      this.#waiting.delete(report.order);
    });
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(ended(code, signal));
    });
  }

  static async start({ before = ':', namespaceOf }: CapturePeerOptions): Promise<CapturePeer> {
    const inNamespace = namespaceOf === undefined ? '' : `nsenter --target ${namespaceOf} --net `;
    const program = new URL('./capture-peer-program.ts', import.meta.url).pathname;
    const child = spawn('/bin/sh', ['-c', `${before}; exec ${inNamespace}"$0" "$@"`, process.execPath, program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const end = Promise.withResolvers<never>();
    child.once('exit', (code, signal) => end.reject(ended(code, signal)));
    await Promise.race([once(child, 'message'), end.promise]);
    return new CapturePeer(child);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Connects, sends, and resolves with what came back; a connection that fails is an outcome, too. */
  async converse(ip: string, port: number, sent?: string): Promise<Conversation> {
    const report = await this.#ask({ kind: 'converse', ip, port, ...(sent !== undefined && { sent }) });
    return report.conversation!;
  }

  /** The text that came back, or the name of the error. */
  async text(ip: string, port: number, sent?: string): Promise<string> {
    const { text, error } = await this.converse(ip, port, sent);
    return error ?? text;
  }

  async listen(server: ServerSpec): Promise<void> {
    await this.#ask({ kind: 'listen', server });
  }

  /** Who waits for an answer waits in vain. */
  async stop(): Promise<void> {
    this.#waiting.clear();
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #ask(what: Omit<PeerOrder & { kind: 'listen' }, 'order'> | Omit<PeerOrder & { kind: 'converse' }, 'order'>) {
    const order = ++this.#lastOrder;
    const report = Promise.withResolvers<PeerReport>();
    this.#waiting.set(order, report);
    this.#child.send({ ...what, order });
    return report.promise;
  }
}

function ended(code: number | null, signal: string | null): Error {
  return new Error(`the program of the pod ended by ${signal ?? code}`);
}
