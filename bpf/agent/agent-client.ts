// The sidecar's end of an enrolment with the node agent (enrolment-door.ts). The connection is what holds the pod, so it
// stays open as long as the sidecar lives; when the agent is restarted, the pod is enrolled again as soon as it is back. What
// was redirected stays so in between.

import { Socket } from 'node:net';
import { describeErrno, Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, connect, duplicate } from '../../native/socket.ts';
import { createUnixSocket, sendMessage } from '../../native/unix-message.ts';
import type { CaptureSettings } from '../capture/settings.ts';
import type { LoadFailure } from '../loader/load-failure.ts';
import {
  type AgentReply,
  type AgentRequest,
  type ListenerFamily,
  MOST_LINE_BYTES,
  type Refusal,
  readReply,
  refusal,
  writeRequest,
} from './enrolment-protocol.ts';
import { LineReader } from './line-reader.ts';

export interface EnrolmentOptions {
  readonly socketPath: string;
  readonly settings: CaptureSettings;
  /** Listening sockets at the inbound port. They stay the caller's; the enrolment keeps duplicates. */
  readonly listeners: Readonly<Partial<Record<ListenerFamily, number>>>;
  /** Uid of the pod, when the process is none of its own. */
  readonly pod?: string;
  /** Told when the agent went away, and when the pod is enrolled again. */
  readonly onChange?: (state: EnrolmentState) => void;
  /** How long to wait before the first attempt to enrol again; each next one waits twice as long, 10 s at most. */
  readonly againAfterMs?: number;
}

export type EnrolmentState =
  | { readonly kind: 'enrolled' }
  /** What was redirected before stays so, where the policy is `closed`. */
  | { readonly kind: 'lost'; readonly reason: string };

/** Resolves when the pod is enrolled, or with the reason why it is not. Never rejects. */
export async function enrol(options: EnrolmentOptions): Promise<Enrolment | LoadFailure> {
  const enrolment = new Enrolment(options);
  const failure = await enrolment.open();
  return failure ?? enrolment;
}

export class Enrolment {
  readonly #options: EnrolmentOptions;
  /** Duplicates of our own, to hand over again. */
  readonly #listeners = new Map<ListenerFamily, number>();
  #call: AgentCall | undefined;
  #pod = '';
  #cgroup = '';
  #again: NodeJS.Timeout | undefined;
  #againAfterMs: number;

  constructor(options: EnrolmentOptions) {
    this.#options = options;
    this.#againAfterMs = options.againAfterMs ?? FIRST_AGAIN_MS;
    for (const [family, fd] of Object.entries(options.listeners)) this.#keep(family as ListenerFamily, fd);
  }

  /** Its uid. */
  get pod(): string {
    return this.#pod;
  }

  /** Path of the pod's cgroup on the node. */
  get cgroup(): string {
    return this.#cgroup;
  }

  /** Called once, by `enrol`. */
  async open(): Promise<LoadFailure | undefined> {
    const failure = await this.#enrol();
    if (failure !== undefined) this.close();
    return failure;
  }

  /** Resolves with a reason when the agent does not take it. The descriptor stays the caller's. */
  async setListener(family: ListenerFamily, fd: number): Promise<LoadFailure | undefined> {
    this.#keep(family, fd);
    const reply = await this.#ask({ kind: 'listeners', listeners: [family] }, [this.#listeners.get(family)!]);
    return reply.kind === 'done' ? undefined : failureOf(reply);
  }

  /** Counts of captured connections, and of those that passed by reason. */
  async counters(): Promise<Readonly<Record<string, number>> | LoadFailure> {
    const reply = await this.#ask({ kind: 'counters' }, []);
    return reply.kind === 'counters' ? reply.counters : failureOf(reply);
  }

  /** Takes the redirection away, and ends the enrolment. */
  async leave(): Promise<LoadFailure | undefined> {
    const reply = await this.#ask({ kind: 'leave' }, []);
    this.close();
    return reply.kind === 'done' ? undefined : failureOf(reply);
  }

  /** Ends the enrolment: the agent does what the policy of the settings says. */
  close(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#call?.close();
    this.#call = undefined;
    for (const fd of this.#listeners.values()) close(fd);
    this.#listeners.clear();
  }

  #ask(request: AgentRequest, descriptors: readonly number[]): Promise<AgentReply> {
    return this.#call?.ask(request, descriptors) ?? Promise.resolve(refusal('the agent is away'));
  }

  async #enrol(): Promise<LoadFailure | undefined> {
    const { socketPath, settings, pod, onChange } = this.#options;
    const call = AgentCall.open(socketPath, (reason) => this.#onLost(reason));
    if (!(call instanceof AgentCall)) return call;
    this.#call = call;
    const listeners = [...this.#listeners.keys()];
    const request = { kind: 'enrol' as const, settings, listeners, ...(pod !== undefined && { pod }) };
    const reply = await call.ask(request, [...this.#listeners.values()]);
    if (reply.kind !== 'enrolled') {
      call.close();
      if (this.#call === call) this.#call = undefined;
      return failureOf(reply);
    }
    this.#pod = reply.pod;
    this.#cgroup = reply.cgroup;
    this.#againAfterMs = this.#options.againAfterMs ?? FIRST_AGAIN_MS;
    onChange?.({ kind: 'enrolled' });
    return undefined;
  }

  #onLost(reason: string): void {
    this.#call = undefined;
    // Not enrolled yet: whoever waits for that is told.
    if (this.#pod === '') return;
    this.#options.onChange?.({ kind: 'lost', reason });
    this.#enrolLater();
  }

  #enrolLater(): void {
    this.#again = setTimeout(async () => {
      const failure = await this.#enrol();
      if (failure === undefined || this.#again === undefined) return;
      this.#options.onChange?.({ kind: 'lost', reason: failure.reason });
      this.#enrolLater();
    }, this.#againAfterMs).unref();
    this.#againAfterMs = Math.min(this.#againAfterMs * 2, MOST_AGAIN_MS);
  }

  #keep(family: ListenerFamily, fd: number): void {
    const before = this.#listeners.get(family);
    if (before !== undefined) close(before);
    this.#listeners.set(family, duplicate(fd));
  }
}

/** One connection to the agent. Requests go out with sendmsg(2), which carries descriptors; answers carry none. */
class AgentCall {
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

  /** One at a time, in the order of asking. */
  ask(request: AgentRequest, descriptors: readonly number[]): Promise<AgentReply> {
    const reply = this.#last.then(() => this.#send(request, descriptors));
    this.#last = reply;
    return reply;
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
    for (const answer of this.#waiting.splice(0)) answer(refusal('the enrolment was ended'));
  }

  #send(request: AgentRequest, descriptors: readonly number[]): Promise<AgentReply> {
    if (!this.#isOpen) return Promise.resolve(refusal('the agent ended the connection'));
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
    return new Promise((answered) => this.#waiting.push(answered));
  }

  #onBytes(bytes: Buffer): void {
    const lines = this.#lines.push(bytes);
    if (lines === undefined) this.#socket.destroy();
    for (const line of lines ?? []) this.#waiting.shift()?.(readReply(line));
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const answer of this.#waiting.splice(0)) answer(refusal(reason));
    this.#onLost(reason);
  }
}

const FIRST_AGAIN_MS = 100;
const MOST_AGAIN_MS = 10_000;
const NOBODY_THERE: ReadonlySet<number> = new Set([Errno.ENOENT, Errno.ECONNREFUSED]);

function failureOf(reply: AgentReply): LoadFailure {
  if (reply.kind !== 'refused') return { reason: 'the agent answered something else than was asked' };
  const { reason, wayOut }: Refusal = reply;
  return { reason, ...(wayOut !== undefined && { wayOut }) };
}
