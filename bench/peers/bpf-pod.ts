// Starts a pod (bpf-pod-program.ts) in namespaces of its own and asks it for measurements. Each way of redirection has a pod,
// since rules of one namespace would slow down another's programs beside them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { mountsOfType } from '../../bpf/loader/mounts.ts';
import type { PodAnswer, PodOptions, PodOrder } from './bpf-pod-program.ts';
import { LOAD_CORE } from './pinned-process.ts';

const PROGRAM = join(import.meta.dirname, 'bpf-pod-program.ts');

export class BpfPod {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  // Rejects with what went wrong in it.
  static async start(options: Omit<PodOptions, 'cgroupRoot'>): Promise<BpfPod> {
    const cgroupRoot = mountsOfType('cgroup2').find(({ isReadOnly }) => !isReadOnly)?.path;
    if (cgroupRoot === undefined) throw new Error('no cgroup2 is mounted for writing');
    const inNamespaces = ['--net', '--mount', 'taskset', '-c', String(LOAD_CORE)];
    const args = [...inNamespaces, process.execPath, PROGRAM, JSON.stringify({ ...options, cgroupRoot })];
    const child = spawn('unshare', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const pod = new BpfPod(options.name, child);
    await pod.#answer();
    return pod;
  }

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#ended = once(child, 'close').then(([code]) => code as number | null);
  }

  ask(order: PodOrder): Promise<PodAnswer> {
    this.#child.send(order);
    return this.#answer();
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.send({ kind: 'stop' } satisfies PodOrder);
    await this.#ended;
  }

  async #answer(): Promise<PodAnswer> {
    const ended = this.#ended.then((code) => ({ problem: `it ended with ${code}` }));
    const message = new Promise<PodAnswer & { problem?: string }>((resolve) => this.#child.once('message', resolve));
    const answer: PodAnswer & { problem?: string } = await Promise.race([message, ended]);
    if (answer.problem !== undefined) throw new Error(`pod ${this.name}: ${answer.problem}`);
    return answer;
  }
}
