// Run by capture.test.ts in network and mount namespaces of its own, once for each way of redirection: the answers must be
// the same. Listeners are shaped as Istio's; the sidecar is the real one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type CapturePod, OTHER, POD, startPod, WORLD } from '../support/capture-pod.ts';
import { programFile } from '../support/program-file.ts';
import { redirectedClusters, redirectedListeners } from '../support/redirected-mesh.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';

t.setTimeout(900_000);

const mode = process.argv[2] as 'ebpf' | 'iptables' | 'agent';
const names = { ebpf: 'eBPF', iptables: 'iptables', agent: 'a node agent' };
const listeners = redirectedListeners([WORLD.v4, WORLD.v6], ['0.0.0.0', '::']);

interface MeshOptions {
  readonly workers?: number;
  readonly policy?: 'open' | 'closed';
}

async function startMesh(t: Test, pod: CapturePod, { workers = 1, policy = 'closed' }: MeshOptions = {}) {
  const clusters = await redirectedClusters(t);
  const settings = join(t.testdir(), 'capture.yaml');
  writeFileSync(settings, `capture: { policy: ${policy} }\n`);
  const start = (t: Test): Promise<Sidecar> =>
    startSidecar(t, {
      bootstrap: { static_resources: { listeners, clusters } },
      flags: [
        ...['--concurrency', String(workers), '--no-config-cache', '--drain-time-s', '0'],
        ...['--capture', capture, '--capture-settings', settings],
      ],
      ...pod.asSidecar,
    });
  return { start, sidecar: await start(t) };
}

/** The node's agent, in a network of its own as the node is, which the sidecars find at the path returned. */
async function startAgent(t: Test): Promise<string> {
  // Not tap's own directory, whose name may be longer than the path of a socket.
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-agent-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const socket = join(folder, 'agent.sock');
  const child = spawn('unshare', ['--net', process.execPath, programFile('bpf/main.ts'), 'agent', '--socket', socket], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return socket;
}

const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

const pod = await startPod(t);
const capture = mode === 'agent' ? `agent:${await startAgent(t)}` : mode;
for (const { v4, v6 } of [OTHER, WORLD]) {
  for (const ip of [v4, v6]) {
    await pod.world.listen({ ip, port: 8080, name: `real ${ip} 8080` });
    await pod.world.listen({ ip, port: 9090, name: `real ${ip} 9090` });
    await pod.world.listen({ ip, port: 3306, name: `mysql ${ip}`, speaksFirst: true });
  }
}
for (const ip of [POD.v4, POD.v6]) {
  await pod.application.listen({ ip, port: 8080, name: `pod ${ip} 8080` });
  await pod.application.listen({ ip, port: 3306, name: `pod mysql ${ip}`, speaksFirst: true });
  await pod.application.listen({ ip, port: 15021, name: `probe ${ip}`, speaksFirst: true });
}

/** Of all tests up to the one that kills it. */
const first = await startMesh(t, pod);

async function passedThrough(): Promise<number> {
  const counted = await first.sidecar.admin('/stats?filter=cluster.passthrough.upstream_cx_total');
  return Number(/: (\d+)\n/.exec(counted)![1]);
}

t.test('a connection of the application goes to the listener of its destination, of its port, or on', async (t) => {
  const { sidecar } = first;
  const { application } = pod;
  for (const [family, mapped] of [
    ['v4', ''],
    ['v4', '::ffff:'],
    ['v6', ''],
  ] as const) {
    const [world, other] = [mapped + WORLD[family], mapped + OTHER[family]];
    const real = OTHER[family];
    t.match(await application.text(world, 8080, request), /\r\n\r\nexact$/, `${world}: address and port`);
    t.match(await application.text(other, 8080, request), /\r\n\r\nwildcard$/, `${other}: the port of every address`);
    t.equal(await application.text(other, 8080, '\0'), `real ${real} 8080 \0`, 'no HTTP: where it was headed');
    t.equal(await application.text(other, 9090, request), `real ${real} 9090 ${request}`, 'no listener has it');
    t.equal(await application.text(other, 3306), `mysql ${real}`, 'a server that speaks first');
    const { peer } = await application.converse(other, 9090, 'x');
    t.match(peer, new RegExp(`${real} 9090$`), 'the application sees the address that it asked for');
  }
  // Three of each address went through the sidecar to where they were headed.
  t.equal(await passedThrough(), 12);
  t.match(await sidecar.admin('/ready'), 'LIVE');
  t.match(await sidecar.admin('/capture'), new RegExp(`^Captured by ${names[mode]} `));
});

t.test('a caller reaches the chain of the port it called', async (t) => {
  const before = await passedThrough();
  for (const ip of [POD.v4, POD.v6]) {
    t.match(await pod.world.text(ip, 8080, request), /\r\n\r\napp$/, `${ip}: HTTP`);
    t.equal(await pod.world.text(ip, 8080, '\0'), `pod ${ip} 8080 \0`, 'no HTTP: passed on');
    t.equal(await pod.world.text(ip, 3306), `pod mysql ${ip}`, 'a server that speaks first');
    t.equal(await pod.world.text(ip, 15021), `probe ${ip}`, 'a port that is left alone');
    t.match(await pod.world.text(ip, 15006, request), /^(ECONNRESET)?$/, 'a direct call is no loop');
  }
  t.equal(await passedThrough(), before + 4);
});

t.test(
  'no connection is tracked where programs redirect',
  { skip: mode === 'iptables' && 'rules need it' },
  async (t) => {
    for (const ip of [WORLD.v4, WORLD.v6]) t.match(await pod.application.text(ip, 8080, request), /exact$/);
    t.match(await pod.world.text(POD.v4, 8080, request), /app$/);
    t.equal(readFileSync('/proc/sys/net/netfilter/nf_conntrack_count', 'utf8').trim(), '0');
  },
);

t.test('a sidecar that is gone: closed refuses, and one that comes back captures again', async (t) => {
  const { sidecar, start } = first;
  t.match(await pod.application.text(WORLD.v4, 8080, request), /exact$/);
  sidecar.process.kill('SIGKILL');
  await sidecar.ended;
  t.equal(await pod.application.text(WORLD.v4, 8080, request), 'ECONNREFUSED');
  t.equal(await pod.application.text(WORLD.v6, 9090, request), 'ECONNREFUSED');
  const again = await start(t);
  t.match(await pod.application.text(WORLD.v4, 8080, request), /exact$/);
  t.match(await pod.world.text(POD.v6, 8080, request), /app$/);
  t.match(await again.admin('/ready'), 'LIVE');
});

t.test('several workers share what is captured', async (t) => {
  const { sidecar } = await startMesh(t, pod, { workers: 2 });
  for (let index = 0; index < 40; index++) {
    t.match(await pod.world.text(POD.v4, 8080, request), /\r\n\r\napp$/);
    t.match(await pod.application.text(WORLD.v6, 8080, request), /\r\n\r\nexact$/);
  }
  const totals = await sidecar.admin('/stats?filter=_15006.worker_\\d.downstream_cx_total');
  const byWorker = [...totals.matchAll(/: (\d+)$/gm)].map(([, total]) => Number(total));
  t.equal(byWorker.length, 2);
  t.ok(Math.min(...byWorker) > 0, `inbound connections by worker: ${byWorker}`);
});

t.test(
  'a sidecar that is gone: open lets connections pass',
  { skip: mode === 'iptables' && 'rules stay' },
  async (t) => {
    const { sidecar, start } = await startMesh(t, pod, { policy: 'open' });
    t.match(await pod.application.text(WORLD.v4, 8080, request), /exact$/);
    sidecar.process.kill('SIGKILL');
    await sidecar.ended;
    t.match(await pod.application.text(WORLD.v4, 8080, request), /^real/);
    t.match(await pod.world.text(POD.v6, 8080, request), /^pod/);
    await start(t);
    t.match(await pod.application.text(WORLD.v4, 8080, request), /exact$/);
  },
);

t.test('a sidecar that ends in order leaves an open pod as if it had never been there', async (t) => {
  const { sidecar } = await startMesh(t, pod, { policy: 'open' });
  sidecar.process.kill('SIGTERM');
  t.equal(await sidecar.ended, 0);
  t.match(await pod.application.text(WORLD.v4, 8080, request), /^real/);
  t.match(await pod.world.text(POD.v6, 8080, request), /^pod/);
});
