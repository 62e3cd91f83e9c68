// The sidecar's end of an enrolment with the node agent (enrolment-door.ts). The connection is what holds the pod, so it
// stays open as long as the sidecar lives; when the agent is restarted, the pod is enrolled again as soon as it is back. What
// was redirected stays so in between.

import { close, duplicate } from '../../native/socket.ts';
import type { CaptureSettings } from '../capture/settings.ts';
import { type LoadFailure, systemFailure } from '../loader/load-failure.ts';
import { AgentCall } from './agent-call.ts';
import {
  type AgentReply,
  type AgentRequest,
  LISTENER_FAMILIES,
  type ListenerFamily,
  type Refusal,
  refusal,
} from './enrolment-protocol.ts';

export interface EnrolmentOptions {
  readonly socketPath: string;
  readonly settings: CaptureSettings;
  /** Listening sockets at the inbound port, as `setListener` takes them. */
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
  if (failure !== undefined) enrolment.close();
  return failure ?? enrolment;
}

export class Enrolment {
  readonly #options: EnrolmentOptions;
  /** Duplicates of our own: the agent may come when the worker that owns the socket has closed it. */
  readonly #listeners = new Map<ListenerFamily, number>();
  #call: AgentCall | undefined;
  #pod = '';
  #cgroup = '';
  #isEnrolled = false;
  #again: NodeJS.Timeout | undefined;
  #againAfterMs: number;
  /** Why a socket could not be kept. */
  #failure: LoadFailure | undefined;

  constructor(options: EnrolmentOptions) {
    this.#options = options;
    this.#againAfterMs = options.againAfterMs ?? FIRST_AGAIN_MS;
    for (const [family, fd] of Object.entries(options.listeners)) {
      this.#failure ??= this.#keep(family as ListenerFamily, fd);
    }
  }

  /** Its uid. */
  get pod(): string {
    return this.#pod;
  }

  /** Path of the pod's cgroup on the node. */
  get cgroup(): string {
    return this.#cgroup;
  }

  /** After a failure it may be called again. Once enrolled, a pod that is lost is enrolled again without being asked to. */
  async open(): Promise<LoadFailure | undefined> {
    return this.#failure ?? (await this.#enrol());
  }

  /**
   * Resolves with a reason when the agent does not take it. What is set while the pod is not enrolled is handed over when it
   * is. The descriptor stays the caller's.
   */
  async setListener(family: ListenerFamily, fd: number): Promise<LoadFailure | undefined> {
    const failure = this.#keep(family, fd);
    if (failure !== undefined || this.#call === undefined) return failure;
    const reply = await this.#ask({ kind: 'listeners', listeners: [family] });
    return reply.kind === 'done' || !this.#isEnrolled ? undefined : failureOf(reply);
  }

  /** Counts of captured connections, and of those that passed by reason. */
  async counters(): Promise<Readonly<Record<string, number>> | LoadFailure> {
    const reply = await this.#ask({ kind: 'counters' });
    return reply.kind === 'counters' ? reply.counters : failureOf(reply);
  }

  /** Takes the redirection away, and ends the enrolment. */
  async leave(): Promise<LoadFailure | undefined> {
    const reply = await this.#ask({ kind: 'leave' });
    this.close();
    return reply.kind === 'done' ? undefined : failureOf(reply);
  }

  /** Nobody accepts at the sockets any more: without our duplicates they end with their owner, and leave the agent's map. */
  dropListeners(): void {
    for (const fd of this.#listeners.values()) close(fd);
    this.#listeners.clear();
  }

  /** Ends the enrolment: the agent does what the policy of the settings says. */
  close(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#call?.close();
    this.#call = undefined;
    this.dropListeners();
  }

  #ask(request: AgentRequest): Promise<AgentReply> {
    const question = () => {
      if (!('listeners' in request)) return { request };
      const listeners = request.listeners.filter((family) => this.#listeners.has(family));
      const descriptors = listeners.map((family) => this.#listeners.get(family)!);
      return { request: { ...request, listeners }, descriptors };
    };
    return this.#call?.ask(question) ?? Promise.resolve(refusal('the agent is away'));
  }

  async #enrol(): Promise<LoadFailure | undefined> {
    const { socketPath, settings, pod, onChange } = this.#options;
    const call = AgentCall.open(socketPath, (reason) => this.#onLost(reason));
    if (!(call instanceof AgentCall)) return call;
    this.#call = call;
    const named = pod === undefined ? {} : { pod };
    const reply = await this.#ask({ kind: 'enrol', settings, listeners: LISTENER_FAMILIES, ...named });
    if (reply.kind !== 'enrolled') {
      call.close();
      if (this.#call === call) this.#call = undefined;
      return failureOf(reply);
    }
    this.#pod = reply.pod;
    this.#cgroup = reply.cgroup;
    this.#isEnrolled = true;
    this.#againAfterMs = this.#options.againAfterMs ?? FIRST_AGAIN_MS;
    onChange?.({ kind: 'enrolled' });
    return undefined;
  }

  #onLost(reason: string): void {
    this.#call = undefined;
    // Whoever waits for an enrolment is told by its outcome.
    if (!this.#isEnrolled) return;
    this.#isEnrolled = false;
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

  #keep(family: ListenerFamily, fd: number): LoadFailure | undefined {
    const own = duplicate(fd);
    if (own < 0) return systemFailure('keep a listening socket for the node agent', own);
    const before = this.#listeners.get(family);
    if (before !== undefined) close(before);
    this.#listeners.set(family, own);
    return undefined;
  }
}

const FIRST_AGAIN_MS = 100;
const MOST_AGAIN_MS = 10_000;

function failureOf(reply: AgentReply): LoadFailure {
  if (reply.kind !== 'refused') return { reason: 'the agent answered something else than was asked' };
  const { reason, wayOut }: Refusal = reply;
  return { reason, ...(wayOut !== undefined && { wayOut }) };
}
