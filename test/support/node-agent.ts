// An agent of a node for tests: real socket, real cgroups, and redirection that is only written down.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { EnrolmentDoor } from '../../bpf/agent/enrolment-door.ts';
import {
  NodePods,
  type NodePodsOptions,
  type PodCapture,
  type PodCaptures,
  type PodEvent,
  type PodPlan,
  type PodRemains,
  type RestoredPod,
} from '../../bpf/agent/node-pods.ts';
import { CgroupTree } from '../../bpf/cgroup/cgroup-tree.ts';
import type { LoadFailure } from '../../bpf/loader/load-failure.ts';
import { isFailure } from '../../bpf/loader/load-failure.ts';
import { cgroupRoot } from './bpf-environment.ts';

/** Redirection that is written down: `captures` has every pod's, in the order of opening. */
export class RecordedCaptures implements PodCaptures {
  readonly captures: RecordedCapture[] = [];
  failure: LoadFailure | undefined;
  /** Of each socket that is handed over from now on. */
  listenerFailure: LoadFailure | undefined;
  left: RestoredPod[] = [];

  open(plan: PodPlan, before: PodRemains | undefined): PodCapture | LoadFailure {
    if (this.failure !== undefined) return this.failure;
    before?.release('stay');
    const capture = new RecordedCapture(plan, () => this.listenerFailure);
    this.captures.push(capture);
    return capture;
  }

  restore(): readonly RestoredPod[] {
    return this.left;
  }
}

export class RecordedCapture implements PodCapture {
  readonly plan: PodPlan;
  readonly listeners: string[] = [];
  released: string | undefined;
  readonly #listenerFailure: () => LoadFailure | undefined;

  constructor(plan: PodPlan, listenerFailure: () => LoadFailure | undefined = () => undefined) {
    this.plan = plan;
    this.#listenerFailure = listenerFailure;
  }

  get policy() {
    return this.plan.settings.policy;
  }

  setListener(family: string): LoadFailure | undefined {
    const failure = this.#listenerFailure();
    if (failure === undefined) this.listeners.push(family);
    return failure;
  }

  counters() {
    return { CAPTURED: 3 };
  }

  release(outcome: string): void {
    this.released = outcome;
  }
}

export interface AgentForTest {
  readonly socketPath: string;
  readonly pods: NodePods;
  readonly door: EnrolmentDoor;
  readonly captures: RecordedCaptures;
  readonly events: PodEvent[];
  /** Resolves with the next event of this name, or one that came before and was not asked for. */
  next(event: PodEvent['event']): Promise<PodEvent>;
  close(): void;
}

export interface AgentForTestOptions {
  readonly socketPath?: string;
  readonly captures?: RecordedCaptures;
  readonly requestWithinMs?: number;
  readonly mostPods?: number;
  readonly schedule?: NodePodsOptions['schedule'];
}

export function startAgent(t: Test, options: AgentForTestOptions = {}): AgentForTest {
  const { socketPath = shortPath(t), captures = new RecordedCaptures() } = options;
  const tree = CgroupTree.open(cgroupRoot()!);
  if (typeof tree === 'string') throw new Error(tree);
  const events: PodEvent[] = [];
  const unseen: PodEvent[] = [];
  const waiting: { readonly event: string; readonly resolve: (event: PodEvent) => void }[] = [];
  const log = (event: PodEvent) => {
    events.push(event);
    const index = waiting.findIndex((each) => each.event === event.event);
    if (index < 0) unseen.push(event);
    else waiting.splice(index, 1)[0]!.resolve(event);
  };
  const { mostPods = 8, requestWithinMs = 2000, schedule } = options;
  const pods = new NodePods({ tree, captures, mostPods, log, ...(schedule && { schedule }) });
  const door = EnrolmentDoor.open({ socketPath, tree, handler: pods, requestWithinMs });
  if (isFailure(door)) throw new Error(door.reason);
  pods.start((peer) => door.drop(peer));
  const close = () => {
    door.close();
    pods.close();
  };
  t.teardown(close);
  const next = (event: PodEvent['event']): Promise<PodEvent> => {
    const index = unseen.findIndex((each) => each.event === event);
    if (index >= 0) return Promise.resolve(unseen.splice(index, 1)[0]!);
    return new Promise((resolve) => waiting.push({ event, resolve }));
  };
  return { socketPath, pods, door, captures, events, next, close };
}

/** Paths of Unix sockets are short: those of folders named after the test are not. */
export function shortPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 's');
}
