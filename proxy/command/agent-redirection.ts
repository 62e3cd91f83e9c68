// Redirection by the node agent (`--capture agent:SOCKET`): a sidecar of Kubernetes cannot reach the cgroup of its pod, the
// agent of its node can. The pod is enrolled before anything is served; an agent that is not there yet is waited for, and the
// proxy is not ready meanwhile.

import type { Enrolment, EnrolmentOptions, EnrolmentState } from '../../bpf/agent/agent-client.ts';
import type { ListenerFamily } from '../../bpf/agent/enrolment-protocol.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { failureText, isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import { close, duplicate } from '../../native/socket.ts';
import type { CaptureCounters } from './capture-overview.ts';
import type { NamedDescriptor, Redirection } from './redirection.ts';

export interface AgentRedirectionOptions {
  readonly socketPath: string;
  readonly settings: CaptureSettings;
  readonly enrol: (options: EnrolmentOptions) => Promise<EnrolledPod | LoadFailure>;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/** What is asked of an enrolment. */
export type EnrolledPod = Pick<Enrolment, 'setListener' | 'dropListeners' | 'counters' | 'close'>;

const FIRST_WAIT_MS = 100;
const MOST_WAIT_MS = 10_000;

export class AgentRedirection implements Redirection {
  readonly by = 'a node agent';
  readonly notes: readonly string[] = [];
  readonly shortcutMaps = null;
  readonly #options: AgentRedirectionOptions;
  /** Duplicates: the agent may come when the worker that owns the socket has closed it. */
  readonly #listeners = new Map<ListenerFamily, number>();
  #enrolment: EnrolledPod | null = null;
  #problem: string | null = 'the node agent has not answered yet';
  #counters: Readonly<Record<string, number>> = {};
  #waitMs = FIRST_WAIT_MS;
  #cancelWait: () => void = () => undefined;
  #isReleased = false;
  #hasStopped = false;

  constructor(options: AgentRedirectionOptions) {
    this.#options = options;
  }

  /** Resolves after the first attempt, whatever came of it. */
  async open(): Promise<void> {
    const { enrol, log, schedule, settings, socketPath } = this.#options;
    const listeners = Object.fromEntries(this.#listeners);
    const enrolled = await enrol({ socketPath, settings, listeners, onChange: (state) => this.#onChange(state) });
    if (isFailure(enrolled)) {
      if (this.#isReleased) return;
      this.#tell(failureText(enrolled), log.warn);
      this.#cancelWait = schedule(this.#waitMs, () => void this.open());
      this.#waitMs = Math.min(2 * this.#waitMs, MOST_WAIT_MS);
      return;
    }
    if (this.#isReleased) {
      enrolled.close();
      return;
    }
    this.#enrolment = enrolled;
    this.#problem = null;
    if (this.#hasStopped) enrolled.dropListeners();
    // Those that came while the agent was asked.
    for (const [family, fd] of this.#listeners) if (listeners[family] !== fd) this.#hand(enrolled, family, fd);
  }

  get problem(): string | null {
    return this.#problem;
  }

  setListener(family: 4 | 6, fd: number): string | undefined {
    const name = family === 4 ? 'ipv4' : 'ipv6';
    const own = duplicate(fd);
    if (own < 0) return 'the process has no descriptors left';
    const before = this.#listeners.get(name);
    if (before !== undefined) close(before);
    this.#listeners.set(name, own);
    if (this.#enrolment !== null) this.#hand(this.#enrolment, name, own);
    return undefined;
  }

  /** The last that the agent told; asking begins the next question. */
  counters(): readonly CaptureCounters[] {
    void this.#enrolment?.counters().then((counters) => {
      if (!isFailure(counters)) this.#counters = counters;
    });
    return [{ group: 'connections', counts: this.#counters }];
  }

  /** The agent has them. */
  descriptors(): readonly NamedDescriptor[] {
    return [];
  }

  /** A listening socket that we keep would take connections that nobody accepts. Outgoing ones go on. */
  stopListening(): void {
    this.#hasStopped = true;
    this.#enrolment?.dropListeners();
    for (const fd of this.#listeners.values()) close(fd);
    this.#listeners.clear();
  }

  /** The agent does what the policy says. */
  release(): undefined {
    this.stopListening();
    this.#isReleased = true;
    this.#cancelWait();
    this.#enrolment?.close();
  }

  #hand(enrolment: EnrolledPod, family: ListenerFamily, fd: number): void {
    void enrolment.setListener(family, fd).then((failure) => {
      if (failure !== undefined) this.#tell(failureText(failure), this.#options.log.warn);
    });
  }

  #onChange(state: EnrolmentState): void {
    if (state.kind === 'lost') {
      this.#tell(state.reason, this.#options.log.warn);
      return;
    }
    this.#problem = null;
    this.#options.log.info('the node agent captures connections of this pod');
  }

  #tell(problem: string, log: (text: string) => void): void {
    if (problem !== this.#problem) log(problem);
    this.#problem = problem;
  }
}
