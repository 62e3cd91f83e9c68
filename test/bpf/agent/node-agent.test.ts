// The agent with programs in the kernel, and pods that are only cgroups.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { type Enrolment, enrol } from '../../../bpf/agent/agent-client.ts';
import { agentProblem, NodeAgent, type NodeAgentOptions } from '../../../bpf/agent/node-agent.ts';
import { type CaptureSettings, defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import { originalDestination } from '../../../native/socket.ts';
import { bpfSkipReason, cgroupRoot, temporaryBpffs } from '../../support/bpf-environment.ts';
import type { LoopReport } from '../../support/looping-client.ts';
import { shortPath } from '../../support/node-agent.ts';
import { moveInto, PodCgroups, type PodFolder } from '../../support/pod-cgroups.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'bpffs') ?? false;

t.test('what a pod’s application opens comes to its sidecar, which learns where it was going', { skip }, async (t) => {
  const { pod, agent } = setUp(t);
  const sidecar = await enrolledSidecar(t, agent);
  const reached = once(sidecar.server, 'connection');
  connectFrom(join(pod.path, 'application'), sidecar.asked);
  const [socket] = await reached;
  t.same(originalDestination(socket._handle.fd), { kind: 'ip', ip: '127.0.0.9', port: 7 });
  socket.destroy();
  const counters = await sidecar.enrolment.counters();
  t.match(counters, { 'outbound.captured_tcp4': 1 });
  t.equal(await sidecar.enrolment.leave(), undefined);
  t.equal(connectFrom(join(pod.path, 'application'), sidecar.asked), 'ECONNREFUSED', 'nothing is redirected any more');
});

t.test('closed outlives sidecar and agent: connections fail, and the next sidecar gets them', { skip }, async (t) => {
  const { pod, agent, start, stop } = setUp(t);
  const first = await enrolledSidecar(t, agent);
  const target = await listeningAt('127.0.0.9');
  t.teardown(() => target.close());
  const asked = { ip: '127.0.0.9', port: (target.address() as AddressInfo).port };
  first.server.close();
  first.enrolment.close();
  stop();
  start();
  t.equal(connectFrom(join(pod.path, 'application'), asked), 'ECONNREFUSED', 'though somebody listens there');
  const second = await enrolledSidecar(t, agent, { port: first.port });
  const reached = once(second.server, 'connection');
  connectFrom(join(pod.path, 'application'), asked);
  const [socket] = await reached;
  t.match(originalDestination(socket._handle.fd), asked);
  socket.destroy();
  await second.enrolment.leave();
  t.equal(connectFrom(join(pod.path, 'application'), asked), 'connected');
});

for (const policy of ['closed', 'open'] as const) {
  t.test(`${policy}: an agent that is replaced under load leaves no connection uncaptured`, { skip }, async (t) => {
    const { pod, agent, stop, start, next } = setUp(t);
    const { server } = await enrolledSidecar(t, agent, { policy, againAfterMs: 50 });
    let accepted = 0;
    server.on('connection', (socket: Socket & { readonly _handle: { readonly fd: number } }) => {
      accepted++;
      const destination = originalDestination(socket._handle.fd);
      socket.on('error', () => socket.destroy());
      socket.end(destination?.kind === 'ip' ? String(destination.port) : 'no original destination');
    });
    const connections = async (more: number) => {
      const goal = accepted + more;
      while (accepted < goal) await once(server, 'connection');
    };
    const client = startLoopingClient(join(pod.path, 'application'));
    await connections(20);
    for (let count = 0; count < 5; count++) {
      stop();
      await connections(20);
      const takenUp = next('taken up');
      start();
      await takenUp;
      await connections(20);
    }
    const { connections: count, wrong } = await client.stop();
    t.ok(count >= 200, `${count} connections`);
    t.same(wrong.slice(0, 3), []);
  });
}

t.test('open ends with a sidecar that is gone when the next agent comes', { skip }, async (t) => {
  const { pod, agent, stop, start, next } = setUp(t);
  const sidecar = await enrolledSidecar(t, agent, { policy: 'open' });
  const target = await listeningAt('127.0.0.9');
  t.teardown(() => target.close());
  const asked = { ip: '127.0.0.9', port: (target.address() as AddressInfo).port };
  stop();
  sidecar.server.close();
  sidecar.enrolment.close();
  t.equal(connectFrom(join(pod.path, 'application'), asked), 'connected', 'nobody listens, so that it passes');
  const restored = next('restored');
  start();
  await restored;
  const again = await enrolledSidecar(t, agent, { policy: 'open' });
  const gone = next('sidecar gone');
  again.enrolment.close();
  await gone;
  t.same(podsPinned(agent), []);
});

t.test('a process of the same container takes the pod up while the one before serves', { skip }, async (t) => {
  const { pod, agent, next } = setUp(t);
  const before = await enrolledSidecar(t, agent, { policy: 'open' });
  const takenUp = next('taken up');
  const successor = startEnrolling(join(pod.path, 'sidecar'), agent, before.settings);
  t.equal(await successor.said, 'enrolled');
  await takenUp;
  before.enrolment.close();
  const reached = once(before.server, 'connection');
  connectFrom(join(pod.path, 'application'), before.asked);
  const [socket] = await reached;
  t.match(originalDestination(socket._handle.fd), before.asked, 'its end is not the end of redirection');
  socket.destroy();
  const elsewhere = startEnrolling(join(pod.path, 'application'), agent, before.settings);
  t.match(await elsewhere.said, /is enrolled already, by process/, 'one of another container does not');
  await elsewhere.stop();
  const gone = next('sidecar gone');
  await successor.stop();
  await gone;
  t.same(podsPinned(agent), []);
});

t.test('a successor that ends first leaves the pod to the process before', { skip }, async (t) => {
  const { pod, agent, next } = setUp(t);
  const before = await enrolledSidecar(t, agent, { policy: 'open', againAfterMs: 10 });
  const successor = startEnrolling(join(pod.path, 'sidecar'), agent, before.settings);
  t.equal(await successor.said, 'enrolled');
  const gone = next('sidecar gone');
  const takenUp = next('taken up');
  await successor.stop();
  await gone;
  t.equal(podsPinned(agent).length, 1, 'it serves');
  await takenUp;
  const reached = once(before.server, 'connection');
  connectFrom(join(pod.path, 'application'), before.asked);
  const [socket] = await reached;
  t.match(originalDestination(socket._handle.fd), before.asked);
  socket.destroy();
});

t.test('open ends with the sidecar', { skip }, async (t) => {
  const { pod, agent, next } = setUp(t);
  const sidecar = await enrolledSidecar(t, agent, { policy: 'open' });
  const target = await listeningAt('127.0.0.9');
  t.teardown(() => target.close());
  const gone = next('sidecar gone');
  sidecar.enrolment.close();
  await gone;
  const asked = { ip: '127.0.0.9', port: (target.address() as AddressInfo).port };
  t.equal(connectFrom(join(pod.path, 'application'), asked), 'connected');
});

t.test('incoming connections of a pod are taken up with its first socket', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'inbound');
  const pod = cgroups.pod();
  const { agent } = runAgent(t);
  const program = join(import.meta.dirname, '../../support/enrolling-pod.ts');
  const enter = `echo $$ > ${pod.container('sidecar')}/cgroup.procs && exec "$@"`;
  const command = ['unshare', '--net', process.execPath, program, agent.socketPath];
  const child = spawn('sh', ['-c', enter, 'sh', ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (bytes) => {
    said += bytes;
  });
  await once(child, 'close');
  const { refused, counters, ...rest } = JSON.parse(said);
  t.equal(refused, undefined);
  t.same(rest, { pod: pod.uid });
  t.equal(counters['inbound.steered4'], 0, 'there are counters of incoming ones');
});

t.test('an agent can be asked whether it serves', { skip }, async (t) => {
  const { agent } = setUp(t);
  t.equal(await agentProblem(agent.socketPath), undefined);
  t.match(await agentProblem(`${agent.socketPath}2`), { reason: /cannot be reached/, wayOut: /outrigger bpf agent/ });
});

t.test('nothing is left of pods that came and went', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'many');
  const { agent, next } = runAgent(t);
  const came = async () => {
    const pod = cgroups.pod();
    const enrolment = await enrolPod(agent.socketPath, pod);
    const gone = next('pod gone');
    pod.remove();
    await gone;
    enrolment.close();
  };
  for (let count = 0; count < 20; count++) await came();
  const before = { descriptors: descriptorCount(), memory: residentBytes() };
  for (let count = 0; count < 60; count++) await came();
  t.equal(descriptorCount(), before.descriptors, 'descriptors, and so programs, links and maps that nobody pins');
  t.same(podsPinned(agent), [], 'pins');
  const grown = residentBytes() - before.memory;
  t.ok(grown < 24 << 20, `${grown >> 20} MiB more memory`);
});

function podsPinned({ bpffs }: RunningAgent): readonly string[] {
  return readdirSync(join(bpffs, 'outrigger/v1')).filter((name) => name.startsWith('pod-'));
}

interface RunningAgent {
  readonly socketPath: string;
  readonly bpffs: string;
}

/** An agent, and this process in the sidecar's container of a pod. */
function setUp(t: Test) {
  const cgroups = new PodCgroups(t, 'agent');
  const pod = cgroups.pod();
  enterPod(t, pod);
  return { cgroups, pod, ...runAgent(t) };
}

function enterPod(t: Test, pod: PodFolder): void {
  for (const name of ['sidecar', 'application']) mkdirSync(join(pod.path, name));
  t.teardown(() => {
    for (const name of ['sidecar', 'application']) rmdirSync(join(pod.path, name));
  });
  moveInto(t, join(pod.path, 'sidecar'), cgroupRoot()!);
}

function runAgent(t: Test) {
  const agent = { socketPath: shortPath(t), bpffs: temporaryBpffs(t) };
  const waiting: { readonly event: string; readonly resolve: () => void }[] = [];
  const log: NodeAgentOptions['log'] = (event) => {
    if (event.event === 'problem' || event.event === 'failed') t.fail(JSON.stringify(event));
    const index = waiting.findIndex((each) => each.event === event.event);
    if (index >= 0) waiting.splice(index, 1)[0]!.resolve();
  };
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  let running: NodeAgent | undefined;
  const start = (): void => {
    const started = NodeAgent.start({ ...agent, files, probes: kernelProbes(), mostPods: 8, log });
    if (isFailure(started)) throw new Error(started.reason);
    running = started;
  };
  const stop = (): void => {
    running?.close();
    running = undefined;
  };
  start();
  t.teardown(stop);
  const next = (event: string): Promise<void> => new Promise((resolve) => waiting.push({ event, resolve }));
  return { agent, start, stop, next };
}

/** Connects over and over, in `folder`. */
function startLoopingClient(folder: string): { stop: () => Promise<LoopReport> } {
  const program = join(import.meta.dirname, '../../support/looping-client.ts');
  const enter = `echo $$ > ${folder}/cgroup.procs; exec ${process.execPath} ${program}`;
  const child = spawn('sh', ['-c', enter], { stdio: ['pipe', 'pipe', 'inherit'] });
  const report = text(child.stdout);
  return {
    stop: async () => {
      child.stdin.end();
      return JSON.parse(await report) as LoopReport;
    },
  };
}

function startEnrolling(folder: string, { socketPath }: RunningAgent, settings: CaptureSettings) {
  const program = join(import.meta.dirname, '../../support/enrolling-process.ts');
  const enter = `echo $$ > ${folder}/cgroup.procs; exec "$@"`;
  const command = ['-c', enter, 'sh', process.execPath, program, socketPath, JSON.stringify(settings)];
  const child = spawn('sh', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  return {
    said: once(child.stdout, 'data').then(([bytes]) => String(bytes)),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

interface Sidecar {
  readonly settings: CaptureSettings;
  readonly server: Server;
  readonly port: number;
  readonly enrolment: Enrolment;
  /** An address that is redirected to it. */
  readonly asked: { readonly ip: string; readonly port: number };
}

interface SidecarOptions {
  readonly port?: number;
  readonly policy?: CaptureSettings['policy'];
  readonly againAfterMs?: number;
}

async function enrolledSidecar(
  t: Test,
  { socketPath }: RunningAgent,
  { port, policy = 'closed', againAfterMs = 100 }: SidecarOptions = {},
): Promise<Sidecar> {
  const server = await listeningAt('127.0.0.1', port);
  t.teardown(() => server.close());
  const at = (server.address() as AddressInfo).port;
  // Everything is at loopback here, so that the test needs no network.
  const outbound = { ...defaultCaptureSettings.outbound, port: at, loopback: true };
  // The test runs as root; a sidecar is told by its cgroup.
  const settings = { ...defaultCaptureSettings, outbound, policy };
  const enrolment = await enrol({ socketPath, settings, listeners: {}, againAfterMs });
  if (isFailure(enrolment)) throw new Error(enrolment.reason);
  t.teardown(() => enrolment.close());
  return { server, port: at, enrolment, settings, asked: { ip: '127.0.0.9', port: 7 } };
}

async function enrolPod(socketPath: string, pod: PodFolder): Promise<Enrolment> {
  const outcome = await enrol({ socketPath, settings: defaultCaptureSettings, listeners: {}, pod: pod.uid });
  if (isFailure(outcome)) throw new Error(outcome.reason);
  return outcome;
}

async function listeningAt(host: string, port = 0): Promise<Server> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  return server;
}

function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

function residentBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}

/** Connects from a process in `folder`: `connected`, or why not. Blocks; who is connected to answers later. */
function connectFrom(folder: string, { ip, port }: { readonly ip: string; readonly port: number }): string {
  const program = `require("node:net").connect(${port}, "${ip}")
    .on("connect", () => { console.log("connected"); process.exit(); })
    .on("error", (error) => { console.log(error.code); process.exit(); })`;
  const enter = `echo $$ > ${folder}/cgroup.procs && exec "$@"`;
  return spawnSync('sh', ['-c', enter, 'sh', process.execPath, '-e', program], { encoding: 'utf8' }).stdout.trim();
}
