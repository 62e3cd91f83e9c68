// A pod and the world around it: two network namespaces joined by a veth pair, and a cgroup of a pod with one for its
// application and one for its sidecar. Processes are started in any combination of them, as any user (bpf-rig-peer.ts).
// All of it is this process's own and goes with the test.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close } from '../../native/socket.ts';
import { receiveMessage, unixSocketPair } from '../../native/unix-message.ts';
import { cgroupRoot } from './bpf-environment.ts';
import type { PeerCommands } from './bpf-rig-peer.ts';

/** Addresses of the two ends; all others that `OUTSIDE` names belong to the outside too. */
export const POD = { ipv4: '10.77.0.2', ipv6: 'fd77::2' } as const;
export const OUTSIDE = {
  ipv4: '10.77.0.1',
  ipv6: 'fd77::1',
  /** In ranges of their own, to be excluded or included. */
  other4: '10.78.0.1',
  other6: 'fd78::1',
  metadata: '169.254.169.254',
  nameserver: '10.96.0.10',
  otherNameserver: '10.96.0.11',
  nameserver6: 'fd96::a',
} as const;

export interface PeerPlace {
  readonly namespace: 'pod' | 'outside';
  /** By default that of this process: captured by nobody. */
  readonly cgroup?: 'application' | 'sidecar';
  readonly uid?: number;
  readonly gid?: number;
}

export class BpfRig {
  readonly podCgroup: string;
  readonly applicationCgroup: string;
  readonly sidecarCgroup: string;
  /** Of the pod's namespace; the rig's own. */
  readonly netnsFd: number;
  readonly #namespaces: Readonly<Record<PeerPlace['namespace'], ChildProcess>>;
  readonly #peers: Peer[] = [];

  private constructor(namespaces: Readonly<Record<PeerPlace['namespace'], ChildProcess>>) {
    this.#namespaces = namespaces;
    this.podCgroup = join(cgroupRoot()!, `outrigger-test-${process.pid}-${namespaces.pod.pid}`);
    this.applicationCgroup = join(this.podCgroup, 'application');
    this.sidecarCgroup = join(this.podCgroup, 'sidecar');
    this.netnsFd = openSync(namespacePath(namespaces.pod), 'r');
  }

  static async open(t: Test): Promise<BpfRig> {
    const namespaces = { pod: await startNamespace(), outside: await startNamespace() };
    const rig = new BpfRig(namespaces);
    // Before anything can fail: the test would never end beside processes that wait for it.
    t.teardown(() => rig.#close());
    joinNamespaces(namespaces);
    for (const folder of [rig.podCgroup, rig.applicationCgroup, rig.sidecarCgroup]) mkdirSync(folder);
    return rig;
  }

  async start({ namespace, cgroup, uid = 0, gid = uid }: PeerPlace): Promise<Peer> {
    const folder =
      cgroup === undefined ? undefined : cgroup === 'application' ? this.applicationCgroup : this.sidecarCgroup;
    const peer = await Peer.start([
      ...['nsenter', `--net=${namespacePath(this.#namespaces[namespace])}`],
      ...(folder === undefined ? [] : ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder]),
      ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--inh-caps=+net_admin,+net_bind_service'],
      ...['--ambient-caps=+net_admin,+net_bind_service'],
    ]);
    this.#peers.push(peer);
    return peer;
  }

  /** Output of a command in a namespace. */
  run(namespace: PeerPlace['namespace'], ...command: readonly string[]): string {
    return inNamespace(this.#namespaces[namespace], ...command);
  }

  async #close(): Promise<void> {
    for (const peer of this.#peers) await peer.end();
    closeSync(this.netnsFd);
    for (const holder of Object.values(this.#namespaces)) await endOf(holder);
    for (const folder of [this.applicationCgroup, this.sidecarCgroup, this.podCgroup]) {
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
}

/** A process of the rig. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #rigSocket: number;
  readonly #waiting = new Map<number, (reply: { result: never; failure?: string }) => void>();
  #calls = 0;
  #isEnded = false;

  private constructor(child: ChildProcess, rigSocket: number) {
    this.#child = child;
    this.#rigSocket = rigSocket;
  }

  static async start(prefix: readonly string[]): Promise<Peer> {
    const pair = unixSocketPair('seqpacket');
    if (typeof pair === 'number') throw new Error(`unixSocketPair: ${pair}`);
    const script = join(import.meta.dirname, 'bpf-rig-peer.ts');
    const [command, ...args] = [...prefix, process.execPath, script];
    const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit', pair[1]] });
    close(pair[1]);
    const peer = new Peer(child, pair[0]);
    const lines = createInterface({ input: child.stdout! });
    await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`exit ${code}`))),
    ]);
    lines.on('line', (line) => peer.#take(line));
    return peer;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  call<Name extends keyof PeerCommands>(
    name: Name,
    options: Parameters<PeerCommands[Name]>[0],
  ): Promise<ReturnType<PeerCommands[Name]>> {
    const id = ++this.#calls;
    this.#child.stdin!.write(`${JSON.stringify({ id, name, options })}\n`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, failure }) =>
        failure === undefined ? resolve(result) : reject(new Error(failure)),
      );
    });
  }

  /** Listens, with the descriptor of the listening socket: the caller closes it. */
  async listen(options: Parameters<PeerCommands['listen']>[0]): Promise<{ id: number; fd: number }> {
    const { id } = await this.call('listen', options);
    const received = receiveMessage(this.#rigSocket, new NativeBuffer(8));
    if (typeof received === 'number' || received.descriptors.length !== 1) throw new Error('no descriptor came');
    return { id, fd: received.descriptors[0]! };
  }

  /** Without a chance to put anything in order. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async end(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await endOf(this.#child);
    close(this.#rigSocket);
  }

  #take(line: string): void {
    const reply = JSON.parse(line) as { id: number; result: never; failure?: string };
    this.#waiting.get(reply.id)!(reply);
    this.#waiting.delete(reply.id);
  }
}

/** A process that does nothing but hold a network namespace until its input ends. */
async function startNamespace(): Promise<ChildProcess> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout!, 'data');
  holder.stdout!.destroy();
  return holder;
}

function namespacePath({ pid }: ChildProcess): string {
  return `/proc/${pid}/ns/net`;
}

function inNamespace(holder: ChildProcess, ...command: readonly string[]): string {
  return execFileSync('nsenter', [`--net=${namespacePath(holder)}`, ...command], { encoding: 'utf8' });
}

function joinNamespaces({ pod, outside }: { pod: ChildProcess; outside: ChildProcess }): void {
  const ends = [
    'name',
    'eth0',
    'netns',
    String(pod.pid),
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    String(outside.pid),
  ];
  execFileSync('ip', ['link', 'add', ...ends]);
  const { ipv4, ipv6, ...more } = OUTSIDE;
  for (const [holder, addresses] of [
    [pod, [`${POD.ipv4}/24`, `${POD.ipv6}/64`]],
    [outside, [`${ipv4}/24`, `${ipv6}/64`, ...Object.values(more).map((ip) => `${ip}/${ip.includes(':') ? 128 : 32}`)]],
  ] as const) {
    for (const address of addresses)
      inNamespace(holder, 'ip', 'address', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
    for (const device of ['lo', 'eth0']) inNamespace(holder, 'ip', 'link', 'set', device, 'up');
  }
  inNamespace(pod, 'ip', 'route', 'add', 'default', 'via', ipv4);
  inNamespace(pod, 'ip', '-6', 'route', 'add', 'default', 'via', ipv6);
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.stdin!.end();
  await ended;
}
