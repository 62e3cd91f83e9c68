import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import t from 'tap';
import { EnrolmentDoor } from '../../../bpf/agent/enrolment-door.ts';
import { MOST_LINE_BYTES, writeRequest } from '../../../bpf/agent/enrolment-protocol.ts';
import { NodePods } from '../../../bpf/agent/node-pods.ts';
import { identifyPeer } from '../../../bpf/agent/peer-identity.ts';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { CgroupTree } from '../../../bpf/cgroup/cgroup-tree.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import {
  bind,
  close,
  connect as connectTo,
  createSocket,
  listen,
  localAddress,
  send,
  setLinger,
} from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { createUnixSocket, sendMessage, unixSocketPair } from '../../../native/unix-message.ts';
import { bpfSkipReason, cgroupRoot } from '../../support/bpf-environment.ts';
import { RecordedCaptures, shortPath, startAgent } from '../../support/node-agent.ts';
import { PodCgroups } from '../../support/pod-cgroups.ts';

const skip = bpfSkipReason('root', 'cgroup2') ?? false;

t.test('a peer that says nothing, or half a request, is sent away when its time is over', { skip }, async (t) => {
  const agent = startAgent(t, { requestWithinMs: 30 });
  for (const said of ['', '{"protocol":1,']) {
    const answer = await wholeAnswer(agent.socketPath, (socket) => socket.write(said));
    t.match(JSON.parse(answer), { reply: 'refused', reason: 'no whole request came within 30 ms' });
  }
  t.equal(agent.door.peerCount, 0);
});

t.test('a line without end is not waited for', { skip }, async (t) => {
  const agent = startAgent(t);
  const answer = await wholeAnswer(agent.socketPath, (socket) => socket.write(Buffer.alloc(MOST_LINE_BYTES + 1, 0x20)));
  t.match(answer, /at most 65536 bytes/);
});

t.test('what is no request, and requests that do not wait, end the connection', { skip }, async (t) => {
  const agent = startAgent(t);
  const leave = writeRequest({ kind: 'leave' });
  const wrong: readonly [string, RegExp][] = [
    ['GET / HTTP/1.1\r\n', /not JSON/],
    [`${leave}${leave}`, /waits for the answer/],
    [leave, /has enrolled no pod/],
  ];
  for (const [said, reason] of wrong) {
    t.match(JSON.parse(await wholeAnswer(agent.socketPath, (socket) => socket.write(said))), {
      reply: 'refused',
      reason,
    });
  }
  t.equal(agent.events.filter(({ event }) => event === 'refused').length, wrong.length, 'each has its line in the log');
});

t.test('descriptors of a peer are closed, however many it sends', { skip }, async (t) => {
  const agent = startAgent(t);
  // The first call loads what stays open. What it sent itself may not be closed yet: one more than will stay.
  await sendDescriptors(agent.socketPath, 1);
  const before = descriptorCount();
  for (const count of [1, 2, 3, 200]) t.match(await sendDescriptors(agent.socketPath, count), /"reply":"refused"/);
  // Another thread closes them.
  while (descriptorCount() > before) await new Promise(setImmediate);
  t.ok(before - descriptorCount() <= 1);
});

t.test('a socket that takes its time to be closed holds nobody up', { skip }, async (t) => {
  const agent = startAgent(t);
  const listening = createSocket(AddressFamily.ipv4);
  bind(listening, { kind: 'ip', ip: '127.0.0.1', port: 0 });
  listen(listening, 2);
  t.teardown(() => close(listening));
  // Handed over with a request, and behind one that fills what is read at once, and ends the connection.
  for (const before of ['', `${'x'.repeat(16_383)}\n`]) {
    const lingering = createSocket(AddressFamily.ipv4);
    connectTo(lingering, localAddress(listening)!);
    const bytes = new NativeBuffer(1 << 20);
    while (send(lingering, bytes, 0, bytes.length) > 0);
    setLinger(lingering, 5);
    const fd = createUnixSocket('stream');
    connectTo(fd, { kind: 'pipe', path: agent.socketPath });
    if (before !== '') sendText(fd, before, []);
    sendText(fd, 'y\n', [lingering]);
    close(lingering);
    const began = performance.now();
    t.match(await answerAt(fd), /not JSON/);
    t.ok(performance.now() - began < 2500, 'and the agent goes on at once');
  }
});

t.test('a pod that fills its connections does not keep others out', { skip }, async (t) => {
  const cgroups = new PodCgroups(t, 'crowd');
  const folder = cgroups.pod().container('greedy');
  const agent = startAgent(t, { requestWithinMs: 60_000 });
  // A shell moves itself into the container, and becomes a process that opens more connections than a pod may have.
  const greedy = `let refused = 0;
    for (let i = 0; i < 6; i++) require("node:net").connect(process.argv[1]).on("data", (bytes) => {
      if (String(bytes).includes("4 connections")) refused++;
      if (refused === 2) process.exit(7);
    });`;
  const enter = `echo $$ > ${folder}/cgroup.procs && exec "$@"`;
  const child = spawn('sh', ['-c', enter, 'sh', process.execPath, '-e', greedy, agent.socketPath], {
    stdio: 'inherit',
  });
  t.same(await once(child, 'exit'), [7, null], 'the fifth and the sixth were refused');
  const answer = await wholeAnswer(agent.socketPath, (socket) => socket.write('x\n'));
  t.match(answer, /not JSON/, 'another peer is served');
});

t.test('two agents do not share a socket, and one left by an agent that died is taken over', { skip }, async (t) => {
  const agent = startAgent(t);
  const tree = CgroupTree.open(cgroupRoot()!) as CgroupTree;
  const handler = new NodePods({ tree, captures: new RecordedCaptures(), mostPods: 1, log: () => {} });
  t.teardown(() => handler.close());
  const second = EnrolmentDoor.open({ socketPath: agent.socketPath, tree, handler });
  t.match(second, { reason: /another agent serves/ });
  const path = shortPath(t);
  spawnSync(process.execPath, [
    '-e',
    `require('node:net').createServer().listen('${path}', () => process.kill(process.pid, 9))`,
  ]);
  const third = EnrolmentDoor.open({ socketPath: path, tree, handler });
  t.notOk(isFailure(third));
  if (!isFailure(third)) third.close();
  writeFileSync(path, 'a file');
  t.match(EnrolmentDoor.open({ socketPath: path, tree, handler }), { reason: /is no socket/ });
});

t.test('a peer is known by its process, whose files are read in part', { skip }, (t) => {
  const tree = CgroupTree.open(cgroupRoot()!) as CgroupTree;
  const pair = unixSocketPair();
  if (typeof pair === 'number') throw new Error(`socketpair: ${pair}`);
  const own = identifyPeer(pair[0], tree);
  if (typeof own === 'string') throw new Error(own);
  t.equal(own.processId, process.pid);
  t.equal(own.uid, 0);
  t.match(own.read('comm', 100), /node|MainThread/);
  t.equal(own.read('cgroup', 3)?.length, 3, 'a read is bounded');
  own.close();
  for (const fd of pair) close(fd);
  t.end();
});

/** What the agent says before it ends the connection. */
function wholeAnswer(path: string, say: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => say(socket));
    socket.on('data', (bytes) => {
      text += bytes;
    });
    // The agent may close before it has read everything: its answer came before that.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve(text));
  });
}

function sendDescriptors(path: string, count: number): Promise<string> {
  const fd = createUnixSocket('stream');
  connectTo(fd, { kind: 'pipe', path });
  const request = { kind: 'enrol', settings: defaultCaptureSettings, listeners: [], pod: '0'.repeat(32) } as const;
  sendText(fd, writeRequest(request), Array<number>(count).fill(0));
  return answerAt(fd);
}

function sendText(fd: number, text: string, descriptors: readonly number[]): void {
  const bytes = Buffer.from(text);
  const buffer = new NativeBuffer(bytes.length);
  bytes.copy(buffer.bytes);
  sendMessage(fd, buffer, bytes.length, descriptors);
}

function answerAt(fd: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = new Socket({ fd });
    socket.on('data', (chunk) => {
      text += chunk;
    });
    // What the agent did not read any more resets the connection.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(text));
  });
}

function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}
