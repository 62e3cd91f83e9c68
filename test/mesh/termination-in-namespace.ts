// Run by termination.test.ts in network and mount namespaces of its own: a client and a server with sidecars, and what becomes
// of requests between them when one of these is told to end, as the kubelet and Istio's hooks tell it.

import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startIstiod } from '../istio/istiod.ts';
import { CapturePeer } from '../support/capture-peer.ts';
import { pause } from '../support/pause.ts';
import { programFile } from '../support/program-file.ts';
import { type MeshSidecar, NODE_IP, type Pod, startMeshSidecar, startNode, startPod } from './mesh-node.ts';
import { documents, meshObjects, mutualTls, ports, SERVER_IP, SERVICE_IP } from './mesh-objects.ts';

t.setTimeout(900_000);

const request = 'GET /hello HTTP/1.1\r\nHost: server.shop.svc.cluster.local:8080\r\nConnection: close\r\n\r\n';
const CLIENT = /^HTTP\/1\.1 200 .*URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/client"/s;
/** As the hook of an injected container calls it (`lifecycle.preStop`). */
const pilotAgent = `${process.execPath} ${programFile('proxy/main.ts')}`;

startNode();
const istiod = await startIstiod(t, { program: process.argv[2]!, mesh: {}, address: `${NODE_IP}:0` });
await istiod.apply(documents(...meshObjects(), mutualTls('STRICT')));
const server = await startPod(t, { name: 'server', ip: SERVER_IP });
await server.serveHttp(ports.http);
await server.application.listen({ ip: SERVER_IP, port: ports.tcp, name: 'echo' });

async function sidecarOf(pod: Pod, variables: Readonly<Record<string, string>>, account = 'client') {
  const sidecar = startMeshSidecar(t, pod, { istiod, serviceAccount: account, labels: { app: account }, variables });
  await sidecar.ready();
  return sidecar;
}

await sidecarOf(server, {}, 'server');

let clients = 0;

/** A pod of the client's, whose sidecar is told this. */
async function startClient(variables: Readonly<Record<string, string>>) {
  const ip = `10.77.0.${100 + ++clients}`;
  const pod = await startPod(t, { name: `client-${clients}`, ip });
  return { pod, sidecar: await sidecarOf(pod, variables) };
}

/** Between two requests of a client. Without it they take both cores from whoever starts or ends beside them. */
const PAUSE_MS = 20;

/** An application that asks all the time, each time over a new connection, until it is stopped. */
class Asking {
  readonly lost: string[] = [];
  answered = 0;
  readonly #pod: Pod;
  readonly #news = new EventEmitter();
  readonly #loops: readonly Promise<void>[];
  #isStopped = false;

  constructor(pod: Pod) {
    this.#pod = pod;
    this.#loops = Array.from({ length: 4 }, () => this.#loop());
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      const answer = await this.#pod.application.text(SERVICE_IP, ports.http, request);
      this.answered++;
      if (!CLIENT.test(answer)) this.lost.push(answer);
      this.#news.emit('answer');
      await delay(PAUSE_MS);
    }
  }

  /** Resolves when so many more were answered. */
  async answers(count: number): Promise<void> {
    const goal = this.answered + count;
    while (this.answered < goal) await once(this.#news, 'answer');
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }
}

/** Resolves with the exit code, and how long it took. */
async function endOf({ process }: MeshSidecar): Promise<{ readonly code: unknown; readonly afterMs: number }> {
  const since = performance.now();
  const [code] = await once(process, 'close');
  return { code, afterMs: performance.now() - since };
}

/** A connection of the application that lasts until it is closed. */
async function holdConnection(pod: Pod): Promise<CapturePeer> {
  const peer = await CapturePeer.start({ namespaceOf: pod.holder });
  let outcome = '';
  void peer.text(SERVICE_IP, ports.tcp).then(
    (text) => (outcome = `it ended with ${text}`),
    (error) => (outcome = String(error)),
  );
  while (!pod.run('ss --tcp --numeric --no-header state established').includes(`${SERVICE_IP}:${ports.tcp}`)) {
    if (outcome !== '') throw new Error(`no connection is there: ${outcome}`);
    await pause();
  }
  return peer;
}

function connectionsOf(sidecar: MeshSidecar): number {
  const counts = sidecar.admin('/stats?filter=downstream_cx_active$').matchAll(/^listener\.(?!.*worker).*: (\d+)$/gm);
  return [...counts].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function nothingLost(t: Test, asking: Asking, since: number): Promise<void> {
  await asking.stop();
  t.same(asking.lost, []);
  t.ok(asking.answered > since + 20, `${asking.answered - since} requests since`);
}

// Each test has a pod of its own, and what they wait for passes side by side: when all have started, which takes the cores.
const untilTimeIsOver = { TERMINATION_DRAIN_DURATION_SECONDS: '8' };
const untilNobodyIsConnected = {
  EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true',
  MINIMUM_DRAIN_DURATION: '1s',
  TERMINATION_DRAIN_DURATION_SECONDS: '0',
};
const forTheLeastTime = { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: '8s' };
const forLong = { TERMINATION_DRAIN_DURATION_SECONDS: '120' };
const started = await Promise.all(
  [untilTimeIsOver, untilNobodyIsConnected, forTheLeastTime, forLong, forLong].map(startClient),
);
t.jobs = started.length;

t.test('at SIGTERM the application goes on calling others, until terminationDrainDuration is over', async (t) => {
  const { pod, sidecar } = started[0]!;
  const asking = new Asking(pod);
  await asking.answers(20);
  const ended = endOf(sidecar);
  sidecar.process.kill('SIGTERM');
  await sidecar.logged('SIGTERM has come');
  const since = asking.answered;
  await asking.answers(40);
  await nothingLost(t, asking, since);
  const { code, afterMs } = await ended;
  t.equal(code, 0);
  t.ok(afterMs >= 8000, `${afterMs} ms`);
  t.ok(sidecar.log.some((line) => line.includes('the drain time is over')));
});

t.test('with EXIT_ON_ZERO_ACTIVE_CONNECTIONS it goes on as long as the application has a connection', async (t) => {
  const { pod, sidecar } = started[1]!;
  const held = await holdConnection(pod);
  const asking = new Asking(pod);
  await asking.answers(20);
  const ended = endOf(sidecar);
  sidecar.process.kill('SIGTERM');
  await sidecar.logged('ends when nobody is connected');
  const [since, sinceMs] = [asking.answered, performance.now()];
  // Longer than the least time and two looks at who is connected.
  while (performance.now() < sinceMs + 3500) await asking.answers(20);
  await nothingLost(t, asking, since);
  t.equal(connectionsOf(sidecar), 1, 'the one that is held');
  await held.stop();
  t.equal((await ended).code, 0);
  t.ok(sidecar.log.some((line) => line.includes('nobody is connected any more')));
});

t.test('… and MINIMUM_DRAIN_DURATION in any case', async (t) => {
  const { pod, sidecar } = started[2]!;
  t.equal(connectionsOf(sidecar), 0);
  const ended = endOf(sidecar);
  sidecar.process.kill('SIGTERM');
  await sidecar.logged('ends when nobody is connected');
  const asking = new Asking(pod);
  await asking.answers(30);
  await nothingLost(t, asking, 0);
  const { code, afterMs } = await ended;
  t.equal(code, 0);
  t.ok(afterMs >= 8000, `${afterMs} ms`);
});

t.test('behind the hook of a native sidecar all goes on at both ends, and SIGTERM ends it at once', async (t) => {
  const { pod, sidecar } = started[3]!;
  const opened = /^cluster\.outbound\|8080\|\|server.*upstream_cx_total: (\d+)$/m;
  const connections = (): number => Number(opened.exec(sidecar.admin('/stats?filter=upstream_cx_total'))![1]);
  const asking = new Asking(pod);
  await asking.answers(20);
  const before = { answered: asking.answered, connections: connections() };
  pod.run(`${pilotAgent} request --debug-port=15020 POST drain`);
  await asking.answers(50);
  t.ok(connections() - before.connections < 25, 'the client of a service that stays is not asked to leave');
  server.run(`${pilotAgent} request --debug-port=15020 POST drain`);
  const behind = connections();
  await asking.answers(100);
  t.ok(connections() - behind > 50, 'each response of one that goes asks the client’s sidecar to leave');
  await nothingLost(t, asking, before.answered);
  const ended = endOf(sidecar);
  sidecar.process.kill('SIGTERM');
  const { code, afterMs } = await ended;
  t.equal(code, 0);
  t.ok(afterMs < 60_000, `${afterMs} ms`);
  t.ok(sidecar.log.some((line) => line.includes('clients were asked to leave before')));
});

t.test('/quitquitquit ends it at once, and is taken from the pod itself alone', async (t) => {
  const { pod, sidecar } = started[4]!;
  const held = await holdConnection(pod);
  for (const order of ['quitquitquit', 'drain']) {
    const response = await fetch(`http://${pod.ip}:15020/${order}`, { method: 'POST' });
    t.equal(response.status, 403, order);
    await response.text();
  }
  t.equal(connectionsOf(sidecar), 1);
  const ended = endOf(sidecar);
  pod.run('curl -s --fail -X POST http://127.0.0.1:15020/quitquitquit');
  const { code, afterMs } = await ended;
  t.equal(code, 0);
  t.ok(afterMs < 60_000, `${afterMs} ms`);
  await held.stop();
});
