import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Enrolment, type EnrolmentState, enrol } from '../../../bpf/agent/agent-client.ts';
import type { Peer } from '../../../bpf/agent/enrolment-door.ts';
import { NodePods, type RestoredPod } from '../../../bpf/agent/node-pods.ts';
import { inNamespace } from '../../../bpf/capture/network-namespace.ts';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { CgroupTree } from '../../../bpf/cgroup/cgroup-tree.ts';
import { podOfCgroup } from '../../../bpf/cgroup/pod-cgroup.ts';
import { isFailure, type LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { bind, close, createSocket, duplicate, listen } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { bpfSkipReason, cgroupRoot } from '../../support/bpf-environment.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';
import { RecordedCapture, RecordedCaptures, startAgent } from '../../support/node-agent.ts';
import { moveInto, PodCgroups, type PodFolder } from '../../support/pod-cgroups.ts';

const skip = bpfSkipReason('root', 'cgroup2') ?? false;
const settings = defaultCaptureSettings;
const open = { ...settings, policy: 'open' as const };

t.test('a process enrols its own pod, and the pod is named by the kernel', { skip }, async (t) => {
  const { pod, agent } = setUp(t);
  const enrolment = await enrolled(agent.socketPath);
  t.equal(enrolment.pod, pod.uid);
  t.ok(enrolment.cgroup.endsWith(`/kubepods/pod${pod.uid}`), enrolment.cgroup);
  const { plan } = agent.captures.captures[0]!;
  t.equal(plan.cgroupFolder, pod.path);
  t.equal(plan.proxyCgroupFolder, join(pod.path, 'sidecar'));
  t.equal(plan.settings.proxy.cgroup, `${enrolment.cgroup}/sidecar`, "so that the proxy's own connections pass");
  t.equal(plan.netnsFd, -1, 'no socket, no incoming connections');
  t.same(await enrolment.counters(), { CAPTURED: 3 });
  enrolment.close();
});

t.test('closed stays when the sidecar goes, and the next one takes it up; open goes with it', { skip }, async (t) => {
  const { agent } = setUp(t);
  (await enrolled(agent.socketPath)).close();
  await agent.next('sidecar gone');
  const [first] = agent.captures.captures;
  t.equal(first!.released, undefined);
  const again = await enrolled(agent.socketPath);
  await agent.next('taken up');
  t.equal(first!.released, 'stay', 'the new one is in its place');
  again.close();
  await agent.next('sidecar gone');
  (await enrolled(agent.socketPath, { settings: open })).close();
  await agent.next('sidecar gone');
  t.same(
    agent.captures.captures.map(({ released }) => released),
    ['stay', 'stay', 'detach'],
  );
  t.equal(agent.pods.size, 0);
});

t.test('leaving takes the redirection away', { skip }, async (t) => {
  const { agent } = setUp(t);
  const enrolment = await enrolled(agent.socketPath);
  t.equal(await enrolment.leave(), undefined);
  t.equal(agent.captures.captures[0]!.released, 'detach');
  t.equal(agent.pods.size, 0);
});

t.test('one sidecar a pod, one pod a connection', { skip }, async (t) => {
  const { agent } = setUp(t);
  const first = await enrolled(agent.socketPath);
  t.match(await refused(agent.socketPath), { reason: new RegExp(`enrolled already, by process ${process.pid}`) });
  t.same(await first.counters(), { CAPTURED: 3 }, 'the one that was first is not disturbed');
  first.close();
});

t.test('nobody within a pod enrols another pod, not even root', { skip }, async (t) => {
  const { agent, cgroups } = setUp(t);
  const other = cgroups.pod();
  t.match(await refused(agent.socketPath, { pod: other.uid }), { reason: /cannot enrol pod/ });
  t.equal(agent.captures.captures.length, 0);
});

t.test('root of the node enrols any pod by its uid', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'node');
  const pod = cgroups.pod();
  const agent = startAgent(t);
  const enrolment = await enrolled(agent.socketPath, { pod: pod.uid });
  t.equal(enrolment.pod, pod.uid);
  t.match(await refused(agent.socketPath), { reason: /is in no pod/, wayOut: /by its uid/ });
  t.match(await refused(agent.socketPath, { pod: '0'.repeat(32) }), { reason: /no cgroup of this node/ });
  enrolment.close();
});

t.test('settings cannot reach beyond the pod, nor ask for what the agent does not do', { skip }, async (t) => {
  const { agent } = setUp(t);
  const beyond = { ...settings, outbound: { ...settings.outbound, includeCgroups: ['/system.slice'] } };
  t.match(await refused(agent.socketPath, { settings: beyond }), {
    reason: /cgroup \/system\.slice, which is not of pod/,
  });
  t.match(await refused(agent.socketPath, { settings: { ...settings, events: true } }), {
    reason: /settings say events/,
  });
});

t.test('a listening socket is taken; one of another namespace, or none at all, is not', { skip }, async (t) => {
  const { agent } = setUp(t);
  const listening = createSocket(AddressFamily.ipv4);
  bind(listening, { kind: 'ip', ip: '127.0.0.1', port: 0 });
  const deaf = (await refused(agent.socketPath, { listeners: { ipv4: listening } })).reason;
  t.match(deaf, /does not listen/);
  listen(listening, 1);
  t.match(await refused(agent.socketPath, { listeners: { ipv6: listening } }), { reason: /of another family/ });
  t.match(await refused(agent.socketPath, { listeners: { ipv4: 0 } }), { reason: /is no socket|is not one of TCP/ });
  t.match(
    await refused(agent.socketPath, { listeners: { ipv4: listening } }),
    { reason: /uses the node's network/ },
    "and incoming connections of the agent's own namespace are not one pod's",
  );
  close(listening);
});

t.test('when the pod goes, its redirection goes and its connection ends', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'gone');
  const pod = cgroups.pod();
  const agent = startAgent(t);
  const states: EnrolmentState[] = [];
  const enrolment = await enrolled(agent.socketPath, { pod: pod.uid, onChange: (state) => states.push(state) });
  pod.remove();
  await agent.next('pod gone');
  t.equal(agent.captures.captures[0]!.released, 'detach');
  t.equal(agent.pods.size, 0);
  t.equal(agent.door.peerCount, 0);
  enrolment.close();
});

for (const policy of ['closed', 'open'] as const) {
  t.test(
    `${policy}: an agent that ends leaves its pods to its successor, and to their sidecars`,
    { skip },
    async (t) => {
      const { pod, agent } = setUp(t);
      const back = signalled<EnrolmentState>((state) => state.kind === 'enrolled');
      const enrolment = await enrolled(agent.socketPath, {
        settings: { ...settings, policy },
        againAfterMs: 5,
        onChange: back.tell,
      });
      const { plan } = agent.captures.captures[0]!;
      back.begin();
      agent.close();
      t.equal(agent.captures.captures[0]!.released, 'stay');
      const captures = new RecordedCaptures();
      captures.left = [{ cgroupPath: enrolment.cgroup, remains: new RecordedCapture(plan) }];
      const next = startAgent(t, { socketPath: agent.socketPath, captures });
      t.equal(next.pods.size, 1);
      t.match(await next.next('restored'), { pod: pod.uid });
      await back.told;
      t.equal(next.pods.size, 1);
      enrolment.close();
    },
  );
}

t.test('a sidecar that does not come back to the next agent: closed stays, open goes', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'unclaimed');
  const agent = startAgent(t);
  const left: RestoredPod[] = [];
  const captures = new RecordedCaptures();
  for (const each of [settings, open, open]) {
    const enrolment = await enrolled(agent.socketPath, { pod: cgroups.pod().uid, settings: each });
    left.push({
      cgroupPath: enrolment.cgroup,
      remains: new RecordedCapture(agent.captures.captures[left.length]!.plan),
    });
    enrolment.close();
    await agent.next('sidecar gone');
  }
  captures.left = left;
  const time = new HandClock();
  const next = startAgent(t, { captures, schedule: time.schedule });
  const claimed = await enrolled(next.socketPath, { pod: uidOf(left[2]!), settings: open });
  time.advance(30_000);
  t.match(await next.next('sidecar gone'), { pod: uidOf(left[1]!) });
  const released = left.map(({ remains }) => (remains as RecordedCapture).released);
  t.same(released, [undefined, 'detach', 'stay'], 'the last one was taken up');
  t.equal(next.pods.size, 2);
  claimed.close();
});

function uidOf({ cgroupPath }: RestoredPod): string {
  return cgroupPath.slice(cgroupPath.lastIndexOf('/pod') + '/pod'.length);
}

t.test('what an earlier agent left of a pod that is gone is taken away', { skip }, async (t) => {
  const { agent } = setUp(t);
  const enrolment = await enrolled(agent.socketPath);
  enrolment.close();
  const capture = new RecordedCapture(agent.captures.captures[0]!.plan);
  const captures = new RecordedCaptures();
  captures.left = [{ cgroupPath: `/kubepods/pod${'0'.repeat(32)}`, remains: capture }];
  const next = startAgent(t, { socketPath: `${agent.socketPath}2`, captures });
  t.equal(next.pods.size, 0);
  t.equal(capture.released, 'detach');
});

t.test('what cannot be attached is told with the way out, and nothing is kept', { skip }, async (t) => {
  const { agent } = setUp(t);
  agent.captures.failure = { reason: 'cannot attach', wayOut: 'give capabilities' };
  t.same(await refused(agent.socketPath), { reason: 'cannot attach', wayOut: 'give capabilities' });
  t.equal(agent.pods.size, 0);
});

for (const policy of ['open', 'closed'] as const) {
  t.test(`${policy}: a successor whose sockets cannot be used leaves the pod redirected`, { skip }, async (t) => {
    const { pods, captures, dropped, enrolAs } = await podsOf(t, policy);
    const [before, successor] = [1, 2].map(enrolAs) as [Enrolling, Enrolling];
    t.match(before.enrol(), { kind: 'enrolled' });
    captures.listenerFailure = { reason: 'the map is full' };
    t.match(successor.enrol(), { kind: 'refused', reason: 'the map is full' });
    t.equal(pods.size, 1);
    t.same(
      captures.captures.map(({ released }) => released),
      ['stay', undefined],
      'the programs of the successor are in place',
    );
    t.same(dropped, [before.peer], 'it enrols again, with its own settings and sockets');
    pods.onGone(before.peer);
    captures.listenerFailure = undefined;
    t.match(before.enrol(), { kind: 'enrolled' });
    t.same(captures.captures.at(-1)!.listeners, ['ipv4']);
  });
}

t.test(
  'closed stays when the next sidecar’s sockets cannot be used; nothing stays of a pod that is new',
  {
    skip,
  },
  async (t) => {
    const { pods, captures, enrolAs } = await podsOf(t, 'closed');
    const [first, second] = [1, 2].map(enrolAs) as [Enrolling, Enrolling];
    captures.listenerFailure = { reason: 'the map is full' };
    t.match(first.enrol(), { reason: 'the map is full' });
    t.equal(pods.size, 0);
    t.equal(captures.captures[0]!.released, 'detach');
    captures.listenerFailure = undefined;
    t.match(first.enrol(), { kind: 'enrolled' });
    pods.onGone(first.peer);
    captures.listenerFailure = { reason: 'the map is full' };
    t.match(second.enrol(), { reason: 'the map is full' });
    t.equal(pods.size, 1);
    t.equal(captures.captures.at(-1)!.released, undefined, 'connections fail rather than leave the mesh');
  },
);

t.test('no more pods than allowed', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'most');
  const [first, second] = [cgroups.pod(), cgroups.pod()];
  const agent = startAgent(t, { mostPods: 1 });
  const enrolment = await enrolled(agent.socketPath, { pod: first.uid });
  t.match(await refused(agent.socketPath, { pod: second.uid }), {
    reason: /1 pods are enrolled/,
    wayOut: /--most-pods/,
  });
  enrolment.close();
});

/** This process in the sidecar's container of a pod, and an agent. */
function setUp(t: Test): { cgroups: PodCgroups; pod: PodFolder; agent: ReturnType<typeof startAgent> } {
  const cgroups = new PodCgroups(t, 'pods');
  const pod = cgroups.pod();
  mkdirSync(join(pod.path, 'sidecar'));
  t.teardown(() => rmdirSync(join(pod.path, 'sidecar')));
  moveInto(t, join(pod.path, 'sidecar'), cgroupRoot()!);
  return { cgroups, pod, agent: startAgent(t) };
}

interface Enrolling {
  readonly peer: Peer;
  readonly enrol: () => ReturnType<NodePods['handle']>;
}

/** The pods of a node without its door: processes of one container of a pod enrol with a socket of the pod's namespace. */
async function podsOf(t: Test, policy: 'open' | 'closed') {
  const tree = CgroupTree.open(cgroupRoot()!) as CgroupTree;
  const container = new PodCgroups(t, 'sockets').pod().container('sidecar');
  const socket = await listeningElsewhere(t);
  const captures = new RecordedCaptures();
  const dropped: Peer[] = [];
  const time = new HandClock();
  const pods = new NodePods({ tree, captures, mostPods: 8, log: () => undefined, schedule: time.schedule });
  pods.start((peer) => dropped.push(peer));
  t.teardown(() => pods.close());
  const row = [...Array<string>(9).fill('-'), String(fstatSync(socket).ino)].join(' ');
  const pod = podOfCgroup(container.slice(cgroupRoot()!.length))!;
  const enrolAs = (processId: number): Enrolling => {
    const peer: Peer = { identity: { processId, uid: 1337, pod, read: () => row, close: () => undefined } };
    const request = { kind: 'enrol', settings: { ...settings, policy }, listeners: ['ipv4'] } as const;
    return { peer, enrol: () => pods.handle(peer, request, [duplicate(socket)]) };
  };
  return { pods, captures, dropped, enrolAs };
}

/** A listening socket of another network namespace than the agent's. */
async function listeningElsewhere(t: Test): Promise<number> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; read -r line'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const namespace = openSync(`/proc/${holder.pid}/ns/net`, 'r');
  const socket = inNamespace(namespace, () => {
    const fd = createSocket(AddressFamily.ipv4);
    bind(fd, { kind: 'ip', ip: '0.0.0.0', port: 0 });
    listen(fd, 1);
    return fd;
  });
  closeSync(namespace);
  holder.stdin.end();
  if (isFailure(socket)) throw new Error(socket.reason);
  t.teardown(() => close(socket));
  return socket;
}

type Options = Partial<Parameters<typeof enrol>[0]>;

async function enrolled(socketPath: string, options: Options = {}): Promise<Enrolment> {
  const outcome = await enrol({ socketPath, settings, listeners: {}, ...options });
  if (isFailure(outcome)) throw new Error(outcome.reason);
  return outcome;
}

async function refused(socketPath: string, options: Options = {}): Promise<LoadFailure> {
  const outcome = await enrol({ socketPath, settings, listeners: {}, ...options });
  if (!isFailure(outcome)) throw new Error('it was not refused');
  return outcome;
}

/** `told` resolves with the first value after `begin` that `isIt` wants. */
function signalled<Value>(isIt: (value: Value) => boolean) {
  let begun = false;
  let resolve: (value: Value) => void = () => {};
  const told = new Promise<Value>((done) => {
    resolve = done;
  });
  return {
    told,
    begin: () => {
      begun = true;
    },
    tell: (value: Value) => {
      if (begun && isIt(value)) resolve(value);
    },
  };
}
