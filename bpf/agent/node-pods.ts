// The pods of a node whose connections the agent redirects. A pod is enrolled by one of its processes (its sidecar), which
// holds it by its connection. When that ends, the policy of its settings says what becomes of the pod: `closed` keeps
// redirecting, so that the application's connections fail rather than leave the mesh, and the next sidecar of the pod
// takes it up; `open` lets the application connect as if there were no mesh. When the pod's cgroup goes, all of it goes.
// When the agent itself ends, pods stay as they are, whatever their policy: the next agent finds them, and their sidecars
// find it. Programs of an `open` pod let connections pass by themselves while no sidecar listens.

import { fstatSync } from 'node:fs';
import { close } from '../../native/socket.ts';
import { listsIstioSource6 } from '../capture/network-namespace.ts';
import type { CaptureSettings } from '../capture/settings.ts';
import type { CgroupTree } from '../cgroup/cgroup-tree.ts';
import { type PodCgroup, podOfCgroup } from '../cgroup/pod-cgroup.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { CgroupWatch } from './cgroup-watch.ts';
import { unlessExhausted } from './descriptor-room.ts';
import type { Peer, RequestHandler } from './enrolment-door.ts';
import {
  type AgentReply,
  type AgentRequest,
  type ListenerFamily,
  type Refusal,
  refusal,
} from './enrolment-protocol.ts';
import { closeForeign } from './foreign-descriptor.ts';
import { commonNamespace, type HandedListener, listenerProblem } from './handed-listener.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { isSuccessor, planSettings, reachProblem } from './pod-sidecar.ts';

/** What is to be redirected, and to whom. Descriptors stay the caller's. */
export interface PodPlan {
  readonly pod: PodCgroup;
  readonly settings: CaptureSettings;
  /** Folder of the pod's cgroup, whose outgoing connections are redirected. */
  readonly cgroupFolder: string;
  /** Folder of the sidecar's: there it asks for original destinations. Undefined when the node itself enrols the pod. */
  readonly proxyCgroupFolder: string | undefined;
  /** -1 when no listening socket was handed over: incoming connections stay as they are. */
  readonly netnsFd: number;
  /** Whether ::6 is an address of that namespace. */
  readonly hasIstioSource6: boolean;
}

/** What is attached for a pod, by this agent or by one before. */
export interface PodRemains {
  /** The policy it was made by. */
  readonly policy: CaptureSettings['policy'];
  release(outcome: 'detach' | 'stay'): void;
}

/** Redirection of one pod, in place. */
export interface PodCapture extends PodRemains {
  /** The socket stays the caller's. */
  setListener(family: ListenerFamily, fd: number): LoadFailure | undefined;
  counters(): Readonly<Record<string, number>>;
}

export interface RestoredPod {
  /** In the node's tree. */
  readonly cgroupPath: string;
  readonly remains: PodRemains;
}

export interface PodCaptures {
  /** In the place of `before`, which is given up when this does not fail, and unchanged when it does. */
  open(plan: PodPlan, before: PodRemains | undefined): PodCapture | LoadFailure;
  /** Those that an earlier agent left in place. */
  restore(): readonly RestoredPod[];
}

export interface NodePodsOptions {
  readonly tree: CgroupTree;
  readonly captures: PodCaptures;
  readonly mostPods: number;
  readonly log: (event: PodEvent) => void;
  /** Calls back once, unless what it returns is called before; a test gives its own. */
  readonly schedule?: (delayMs: number, callback: () => void) => () => void;
}

export interface PodEvent {
  readonly event: 'enrolled' | 'taken up' | 'restored' | 'left' | 'sidecar gone' | 'pod gone' | 'refused' | 'failed';
  readonly pod?: string;
  readonly cgroup?: string;
  readonly process?: number;
  readonly reason?: string;
}

export class NodePods implements RequestHandler {
  readonly #options: NodePodsOptions;
  readonly #watch: CgroupWatch;
  /** By the folder of the pod's cgroup. */
  readonly #pods = new Map<string, EnrolledPod>();
  /** Ends the connection of a peer whose pod is gone. */
  #drop: (peer: Peer) => void = () => {};
  #cancelDeadline: () => void = () => {};

  constructor(options: NodePodsOptions) {
    this.#options = options;
    this.#watch = new CgroupWatch({ onGone: (folder) => this.#onPodGone(folder) });
  }

  get size(): number {
    return this.#pods.size;
  }

  /** `drop` is the door's. Takes up what an earlier agent left. */
  start(drop: (peer: Peer) => void): void {
    this.#drop = drop;
    for (const { cgroupPath, remains } of this.#options.captures.restore()) {
      const cgroup = podOfCgroup(cgroupPath);
      const folder = this.#options.tree.folderOf(cgroupPath);
      if (cgroup === undefined || !this.#watch.add(folder)) {
        remains.release('detach');
        this.#options.log({ event: 'pod gone', cgroup: cgroupPath });
        continue;
      }
      this.#pods.set(folder, { cgroup, remains, netnsFd: -1, held: undefined, predecessor: undefined });
      this.#options.log({ event: 'restored', pod: cgroup.uid, cgroup: cgroupPath });
    }
    this.#awaitReturns();
  }

  handle(peer: Peer, request: AgentRequest, descriptors: readonly number[]): AgentReply {
    try {
      if (request.kind === 'ready') return { kind: 'done' };
      if (request.kind === 'enrol') return this.#enrol(peer, request, descriptors);
      const held = this.#heldBy(peer);
      if (held === undefined) return refusal('this connection has enrolled no pod');
      const [folder, pod, { capture }] = held;
      if (request.kind === 'counters') return { kind: 'counters', counters: capture.counters() };
      if (request.kind === 'listeners')
        return this.#replaceListeners(peer, pod, handed(request.listeners, descriptors));
      this.#forget(folder, pod, 'detach');
      this.#options.log({ event: 'left', pod: pod.cgroup.uid });
      return { kind: 'done' };
    } finally {
      for (const descriptor of descriptors) closeForeign(descriptor);
    }
  }

  onGone(peer: Peer): void {
    for (const pod of this.#pods.values()) if (pod.predecessor === peer) pod.predecessor = undefined;
    const [folder, pod] = this.#heldBy(peer) ?? [];
    if (folder === undefined || pod === undefined) return;
    this.#options.log({ event: 'sidecar gone', pod: pod.cgroup.uid, process: peer.identity.processId });
    this.#letGo(folder, pod);
  }

  onRefused(reason: string, identity: PeerIdentity | undefined): void {
    const { pod, processId } = identity ?? {};
    this.#options.log({
      event: 'refused',
      reason,
      ...(pod !== undefined && { pod: pod.uid }),
      ...(processId !== undefined && { process: processId }),
    });
  }

  /** What is pinned stays attached, and the agent that comes next takes it up. */
  close(): void {
    this.#cancelDeadline();
    this.#watch.close();
    for (const [folder, pod] of this.#pods) this.#forget(folder, pod, 'stay');
  }

  /** Nobody holds it any more: back to who held it before, or as its policy says. */
  #letGo(folder: string, pod: EnrolledPod): void {
    pod.held = undefined;
    if (pod.predecessor !== undefined) this.#callBack(pod, pod.predecessor);
    else if (pod.remains.policy === 'open') this.#forget(folder, pod, 'detach');
  }

  /** Its successor has failed. It enrols again when its connection ends, with its own settings and sockets. */
  #callBack(pod: EnrolledPod, predecessor: Peer): void {
    pod.predecessor = undefined;
    this.#awaitReturns();
    this.#drop(predecessor);
  }

  #awaitReturns(): void {
    const { schedule = scheduleInBackground } = this.#options;
    this.#cancelDeadline();
    this.#cancelDeadline = schedule(RETURN_WITHIN_MS, () => this.#forgetUnclaimed());
  }

  /** Their sidecars ended, and nobody saw it, or have not come back. */
  #forgetUnclaimed(): void {
    for (const [folder, pod] of this.#pods) {
      if (pod.held !== undefined || pod.remains.policy === 'closed') continue;
      this.#forget(folder, pod, 'detach');
      this.#options.log({ event: 'sidecar gone', pod: pod.cgroup.uid });
    }
  }

  #enrol(peer: Peer, request: EnrolRequest, descriptors: readonly number[]): AgentReply {
    if (this.#heldBy(peer) !== undefined) return refusal('this connection has enrolled a pod already');
    const pod = this.#podFor(peer.identity, request.pod);
    if ('kind' in pod) return pod;
    const known = this.#pods.get(this.#options.tree.folderOf(pod.path));
    const holder = known?.held?.peer.identity;
    if (holder !== undefined && !isSuccessor(peer.identity, holder)) {
      const reason = `pod ${pod.uid} is enrolled already, by process ${holder.processId}`;
      return refusal(reason, 'one sidecar a pod: end the other one first');
    }
    if (known === undefined && this.#pods.size >= this.#options.mostPods) {
      return refusal(`${this.#options.mostPods} pods are enrolled already`, 'raise --most-pods of the agent');
    }
    const listeners = handed(request.listeners, descriptors);
    if (typeof listeners === 'string') return refusal(listeners);
    const problem = this.#listenersProblem(peer, listeners) ?? reachProblem(peer.identity, request.settings);
    if (problem !== undefined) return refusal(problem);
    return this.#attach(peer, { pod, request, listeners, known });
  }

  #attach(peer: Peer, { pod, request, listeners, known }: Enrolling): AgentReply {
    const folder = this.#options.tree.folderOf(pod.path);
    if (!this.#watch.add(folder)) return refusal(`pod ${pod.uid} is gone`);
    // A container that was started again has a cgroup of another name, and the proxy is known by its cgroup.
    const settings = planSettings(request.settings, peer.identity);
    const netnsFd = namespaceOf(listeners, known);
    if (typeof netnsFd === 'string') return this.#failed(pod, { reason: netnsFd });
    const capture = this.#open(peer, { pod, settings, netnsFd, before: known?.remains });
    if (isFailure(capture)) {
      if (known === undefined) this.#watch.remove(folder);
      if (netnsFd >= 0 && netnsFd !== known?.netnsFd) close(netnsFd);
      return this.#failed(pod, capture);
    }
    const held = { peer, settings, capture };
    const enrolled: EnrolledPod = { cgroup: pod, remains: capture, netnsFd, held, predecessor: known?.held?.peer };
    if (known !== undefined && known.netnsFd >= 0 && known.netnsFd !== netnsFd) close(known.netnsFd);
    this.#pods.set(folder, enrolled);
    const failure = setListeners(capture, listeners);
    if (failure !== undefined) {
      if (known === undefined) this.#forget(folder, enrolled, 'detach');
      else this.#letGo(folder, enrolled);
      return this.#failed(pod, failure);
    }
    const event = known === undefined ? 'enrolled' : 'taken up';
    this.#options.log({ event, pod: pod.uid, cgroup: pod.path, process: peer.identity.processId });
    return { kind: 'enrolled', pod: pod.uid, cgroup: pod.path };
  }

  #open(peer: Peer, { pod, settings, netnsFd, before }: Opening): PodCapture | LoadFailure {
    const { tree, captures } = this.#options;
    const container = peer.identity.pod?.containerPath;
    const plan: PodPlan = {
      pod,
      settings,
      cgroupFolder: tree.folderOf(pod.path),
      proxyCgroupFolder: container === undefined ? undefined : tree.folderOf(container),
      netnsFd,
      hasIstioSource6: listsIstioSource6(peer.identity.read('net/if_inet6', MOST_ADDRESS_BYTES) ?? ''),
    };
    const capture = unlessExhausted(() => captures.open(plan, before));
    return typeof capture === 'string' ? { reason: capture } : capture;
  }

  /** The peer's own pod; another one only for root of the node: root within a pod is nobody outside of it. */
  #podFor(identity: PeerIdentity, asked: string | undefined): PodCgroup | Refusal {
    const { pod, uid, processId } = identity;
    if (pod !== undefined) {
      if (asked === undefined || asked === pod.uid) return pod;
      return refusal(`process ${processId} is of pod ${pod.uid} and cannot enrol pod ${asked}`);
    }
    if (uid !== 0)
      return refusal(`process ${processId} is in no pod, and of user ${uid}: only root of the node may enrol pods`);
    if (asked === undefined) return refusal(`process ${processId} is in no pod`, 'name the pod by its uid');
    const path = this.#options.tree.find((each) => podOfCgroup(each)?.uid === asked);
    const found = path === undefined ? undefined : podOfCgroup(path);
    return found ?? refusal(`no cgroup of this node is of pod ${asked}`);
  }

  #listenersProblem(peer: Peer, listeners: readonly HandedListener[]): string | undefined {
    return listenerProblem(listeners, peer.identity.pod === undefined ? undefined : peer.identity);
  }

  #replaceListeners(peer: Peer, pod: EnrolledPod, listeners: readonly HandedListener[] | string): AgentReply {
    if (typeof listeners === 'string') return refusal(listeners);
    const problem = this.#listenersProblem(peer, listeners);
    if (problem !== undefined) return refusal(problem);
    const netnsFd = namespaceOf(listeners, pod);
    if (typeof netnsFd === 'string') return refusal(netnsFd);
    if (netnsFd !== pod.netnsFd) {
      // The first socket tells the pod's network namespace: what is redirected so far is carried on with it.
      const { settings, capture: before } = pod.held!;
      const capture = this.#open(peer, { pod: pod.cgroup, settings, netnsFd, before });
      if (isFailure(capture)) {
        close(netnsFd);
        return this.#failed(pod.cgroup, capture);
      }
      if (pod.netnsFd >= 0) close(pod.netnsFd);
      pod.netnsFd = netnsFd;
      pod.remains = capture;
      pod.held = { peer, settings, capture };
    }
    const failure = setListeners(pod.held!.capture, listeners);
    return failure === undefined ? { kind: 'done' } : this.#failed(pod.cgroup, failure);
  }

  #failed(pod: PodCgroup, { reason, wayOut }: LoadFailure): Refusal {
    this.#options.log({ event: 'failed', pod: pod.uid, reason });
    return refusal(reason, wayOut);
  }

  #onPodGone(folder: string): void {
    const pod = this.#pods.get(folder);
    if (pod === undefined) return;
    this.#forget(folder, pod, 'detach');
    this.#options.log({ event: 'pod gone', pod: pod.cgroup.uid, cgroup: pod.cgroup.path });
    if (pod.held !== undefined) this.#drop(pod.held.peer);
  }

  #forget(folder: string, pod: EnrolledPod, outcome: 'detach' | 'stay'): void {
    this.#watch.remove(folder);
    this.#pods.delete(folder);
    if (pod.netnsFd >= 0) close(pod.netnsFd);
    pod.remains.release(outcome);
  }

  #heldBy(peer: Peer): readonly [string, EnrolledPod, Held] | undefined {
    for (const [folder, pod] of this.#pods) if (pod.held?.peer === peer) return [folder, pod, pod.held];
    return undefined;
  }
}

type EnrolRequest = Extract<AgentRequest, { readonly kind: 'enrol' }>;

interface Enrolling {
  readonly pod: PodCgroup;
  readonly request: EnrolRequest;
  readonly listeners: readonly HandedListener[];
  readonly known: EnrolledPod | undefined;
}

interface Opening {
  readonly pod: PodCgroup;
  readonly settings: CaptureSettings;
  readonly netnsFd: number;
  readonly before: PodRemains | undefined;
}

interface EnrolledPod {
  readonly cgroup: PodCgroup;
  remains: PodRemains;
  /** The pod's network namespace, once a socket told it; -1 before. It stays the same while its containers come and go. */
  netnsFd: number;
  /** By whom; nobody while its sidecar is away. */
  held: Held | undefined;
  /** Who held it before `held`, and is still there. */
  predecessor: Peer | undefined;
}

interface Held {
  readonly peer: Peer;
  readonly settings: CaptureSettings;
  readonly capture: PodCapture;
}

/** For sidecars to find an agent that is new; they try every ten seconds at least (agent-client.ts). */
const RETURN_WITHIN_MS = 30_000;

function scheduleInBackground(delayMs: number, callback: () => void): () => void {
  const timeout = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timeout);
}

/** Some hundred addresses: Istio's is of the loopback interface, which stands first. */
const MOST_ADDRESS_BYTES = 1 << 14;

/** Names and descriptors of a request, together; or what does not fit. */
function handed(
  families: readonly ListenerFamily[],
  descriptors: readonly number[],
): readonly HandedListener[] | string {
  if (families.length !== descriptors.length) {
    return `the request names ${families.length} listening sockets and hands over ${descriptors.length} descriptors`;
  }
  return families.map((family, index) => ({ family, fd: descriptors[index]! }));
}

/** Of the sockets; the descriptor that is known of the pod when there are none, or when it is the same namespace. */
function namespaceOf(listeners: readonly HandedListener[], known: EnrolledPod | undefined): number | string {
  const before = known?.netnsFd ?? -1;
  const found = listeners.length === 0 ? before : commonNamespace(listeners);
  if (typeof found === 'string' || found === before || before < 0) return found;
  if (fstatSync(found).ino !== fstatSync(before).ino) return found;
  close(found);
  return before;
}

function setListeners(capture: PodCapture, listeners: readonly HandedListener[]): LoadFailure | undefined {
  for (const { family, fd } of listeners) {
    const failure = capture.setListener(family, fd);
    if (failure !== undefined) return failure;
  }
  return undefined;
}
