// `outrigger bpf agent`: the door for sidecars, the pods behind it, and what has to be there first.

import { raiseFileLimit } from '../../native/file-limit.ts';
import { CgroupTree } from '../cgroup/cgroup-tree.ts';
import { findBpffs } from '../loader/bpffs.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { mountsOfType } from '../loader/mounts.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { missingFor, type Probes } from '../loader/probes.ts';
import { AgentCall } from './agent-call.ts';
import { EbpfPods } from './ebpf-pods.ts';
import { EnrolmentDoor } from './enrolment-door.ts';
import { NodePods, type PodEvent } from './node-pods.ts';

export interface NodeAgentOptions {
  readonly socketPath: string;
  readonly files: ObjectFiles;
  readonly probes: Probes;
  /** Where the node's cgroup2 is mounted; by default what the mount table says first. */
  readonly cgroupRoot?: string | undefined;
  /** Where bpffs is mounted, likewise. */
  readonly bpffs?: string | undefined;
  readonly mostPods: number;
  readonly log: (event: PodEvent | AgentEvent) => void;
}

export interface AgentEvent {
  readonly event: 'serving' | 'ending' | 'not pinned' | 'problem';
  readonly reason?: string;
  readonly wayOut?: string;
  readonly pods?: number;
}

export class NodeAgent {
  readonly #door: EnrolmentDoor;
  readonly #pods: NodePods;
  readonly #log: NodeAgentOptions['log'];

  private constructor(door: EnrolmentDoor, pods: NodePods, log: NodeAgentOptions['log']) {
    this.#door = door;
    this.#pods = pods;
    this.#log = log;
  }

  /** Serves, with what an earlier agent left taken up; or says what is missing. */
  static start(options: NodeAgentOptions): NodeAgent | LoadFailure {
    const { socketPath, files, probes, mostPods, log } = options;
    const [lacked] = [...missingFor('outbound', probes), ...missingFor('inbound', probes)];
    if (lacked !== undefined) {
      return { reason: `this node cannot redirect by eBPF: it lacks ${lacked.title}`, wayOut: lacked.wayOut };
    }
    const tree = openTree(options.cgroupRoot);
    if (isFailure(tree)) return tree;
    // A link is a descriptor, and a pod has a dozen.
    raiseFileLimit();
    const onProblem = (problem: LoadFailure) => log({ event: 'problem', ...problem });
    const captures = new EbpfPods({ files, probes, tree, bpffs: bpffsFor(options), onProblem });
    const pods = new NodePods({ tree, captures, mostPods, log });
    const door = EnrolmentDoor.open({ socketPath, tree, handler: pods });
    if (isFailure(door)) {
      pods.close();
      return door;
    }
    pods.start((peer) => door.drop(peer));
    log({ event: 'serving', pods: pods.size });
    return new NodeAgent(door, pods, log);
  }

  /** What is attached stays where its policy is `closed` and it is pinned; the next agent takes it up. */
  close(): void {
    this.#log({ event: 'ending', pods: this.#pods.size });
    this.#door.close();
    this.#pods.close();
  }
}

/** Why the agent at the socket does not serve; undefined when it does. */
export async function agentProblem(socketPath: string): Promise<LoadFailure | undefined> {
  const call = AgentCall.open(socketPath, () => {});
  if (!(call instanceof AgentCall)) return call;
  const reply = await call.ask(() => ({ request: { kind: 'ready' } }));
  call.close();
  if (reply.kind === 'done') return undefined;
  return reply.kind === 'refused' ? { reason: reply.reason } : { reason: 'it does not answer as an agent does' };
}

function openTree(given: string | undefined): CgroupTree | LoadFailure {
  const path = given ?? mountsOfType('cgroup2')[0]?.path;
  const wayOut = 'mount the whole cgroup2 of the node, and name it with --cgroup-root';
  if (path === undefined) return { reason: 'cgroup v2 is not mounted', wayOut };
  const tree = CgroupTree.open(path);
  return typeof tree === 'string' ? { reason: tree, wayOut } : tree;
}

/** Null, and a line in the log, where nothing can be pinned: an agent without pins is better than none. */
function bpffsFor({ bpffs, log }: NodeAgentOptions): string | null {
  const found = findBpffs(bpffs);
  if (!isFailure(found)) return found.path;
  const wayOut = found.wayOut === undefined ? {} : { wayOut: found.wayOut };
  log({ event: 'not pinned', reason: `${found.reason}; redirection of every pod ends with this agent`, ...wayOut });
  return null;
}
