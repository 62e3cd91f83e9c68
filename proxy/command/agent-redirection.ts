// Redirection by the node agent (`--capture agent:SOCKET`): a sidecar of Kubernetes cannot reach the cgroup of its pod, the
// agent of its node can. The pod is enrolled before anything is served; an agent that is not there yet is waited for, and the
// proxy is not ready meanwhile.

import type { Enrolment, EnrolmentOptions, EnrolmentState } from '../../bpf/agent/agent-client.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { failureText, isFailure } from '../../bpf/loader/load-failure.ts';
import type { CaptureCounters } from './capture-overview.ts';
import type { NamedDescriptor, Redirection } from './redirection.ts';

export interface AgentRedirectionOptions {
  readonly socketPath: string;
  readonly settings: CaptureSettings;
  /** Not enrolled yet. */
  readonly enrolment: (options: EnrolmentOptions) => PodEnrolment;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly log: { info(text: string): void; warn(text: string): void };
}

/** What is asked of an enrolment. */
export type PodEnrolment = Pick<Enrolment, 'open' | 'setListener' | 'dropListeners' | 'counters' | 'close'>;

const FIRST_WAIT_MS = 100;
const MOST_WAIT_MS = 10_000;

export class AgentRedirection implements Redirection {
  readonly by = 'a node agent';
  readonly notes: readonly string[] = [];
  readonly shortcutMaps = null;
  readonly #options: AgentRedirectionOptions;
  /** Owns what it is given of the listening sockets, enrolled or not. */
  readonly #enrolment: PodEnrolment;
  #problem: string | null = 'the node agent has not answered yet';
  #counters: Readonly<Record<string, number>> = {};
  #waitMs = FIRST_WAIT_MS;
  #cancelWait: () => void = () => undefined;
  #isReleased = false;

  constructor(options: AgentRedirectionOptions) {
    this.#options = options;
    const { enrolment, settings, socketPath } = options;
    this.#enrolment = enrolment({
      socketPath,
      settings,
      listeners: {},
      onChange: (state) => this.#onChange(state),
    });
  }

  /** Resolves after the first attempt, whatever came of it. */
  async open(): Promise<void> {
    const { log, schedule } = this.#options;
    const failure = await this.#enrolment.open();
    if (failure === undefined || this.#isReleased) return;
    this.#tell(failureText(failure), log.warn);
    this.#cancelWait = schedule(this.#waitMs, () => void this.open());
    this.#waitMs = Math.min(2 * this.#waitMs, MOST_WAIT_MS);
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** What becomes of it is told in the log: the agent may answer much later. */
  setListener(family: 4 | 6, fd: number): undefined {
    void this.#enrolment.setListener(family === 4 ? 'ipv4' : 'ipv6', fd).then((failure) => {
      if (failure !== undefined) this.#tell(failureText(failure), this.#options.log.warn);
    });
  }

  /** The last that the agent told; asking begins the next question. */
  counters(): readonly CaptureCounters[] {
    void this.#enrolment.counters().then((counters) => {
      if (!isFailure(counters)) this.#counters = counters;
    });
    return [{ group: 'connections', counts: this.#counters }];
  }

  /** The agent has them. */
  descriptors(): readonly NamedDescriptor[] {
    return [];
  }

  /** The successor has enrolled the pod. One that stayed would enrol it again, for itself, when the agent is replaced. */
  handOver(): void {
    this.release();
  }

  /** A listening socket that we keep would take connections that nobody accepts. Outgoing ones go on. */
  stopListening(): void {
    this.#enrolment.dropListeners();
  }

  /** The agent does what the policy says. */
  release(): undefined {
    this.#isReleased = true;
    this.#cancelWait();
    this.#enrolment.close();
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
