// Run by captured-restart.test.ts and captured-restart-unpinned.test.ts in network and mount namespaces of its own: the process
// that captures is replaced again and again, while the application connects and asks all the time. Which origin answers tells
// where the sidecar believes that a connection was headed, and `real` from behind a listener's address that it was not
// captured at all.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cgroupRoot } from '../support/bpf-environment.ts';
import type { CapturePeer } from '../support/capture-peer.ts';
import { OTHER, POD, startPod, WORLD } from '../support/capture-pod.ts';
import { startCountingOrigin } from '../support/counting-origin.ts';
import { redirectedClusters, redirectedListeners } from '../support/redirected-mesh.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';
import { UpgradeLoad } from '../support/upgrade-load.ts';

t.setTimeout(900_000);

const policy = process.argv[2]!;
/** Without pins it is the same hand-over: each process goes on with what it was given. */
const [RESTARTS, WORKERS] = policy === 'closed' ? [5, 1] : [3, 2];
const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** What is asked for, and what comes back through the sidecar and in no other way. */
interface Errand {
  readonly from: CapturePeer;
  readonly ip: string;
  readonly sent: string;
  readonly answer: RegExp;
}

/** Connections one after the other, for each errand, until they are stopped. */
class Errands {
  readonly losses: string[] = [];
  count = 0;
  #isStopping = false;
  readonly #clients: Promise<void>[];

  constructor(errands: readonly Errand[]) {
    this.#clients = errands.map((errand) => this.#run(errand));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  async #run({ from, ip, sent, answer }: Errand): Promise<void> {
    while (!this.#isStopping) {
      const text = await from.text(ip, 8080, sent);
      if (!answer.test(text)) this.losses.push(`${ip}: ${JSON.stringify(text)} in place of ${answer}`);
      this.count++;
    }
  }
}

const pod = await startPod(t);
const { application, world } = pod;
for (const ip of [WORLD.v4, WORLD.v6, OTHER.v4, OTHER.v6]) await world.listen({ ip, port: 8080, name: `real ${ip}` });
for (const ip of [POD.v4, POD.v6]) await application.listen({ ip, port: 8080, name: `pod ${ip}` });

const errands: readonly Errand[] = (['v4', 'v6'] as const).flatMap((family) => [
  { from: application, ip: OTHER[family], sent: request, answer: /\r\n\r\nwildcard$/ },
  // Goes on to where it was headed, which the sidecar has to know; that it came by it is counted.
  { from: application, ip: OTHER[family], sent: '\0', answer: new RegExp(`^real ${OTHER[family]} \0$`) },
  { from: world, ip: POD[family], sent: request, answer: /\r\n\r\napp$/ },
]);

async function startFamily(t: Test, originPort: number): Promise<() => Promise<Sidecar>> {
  const listeners = redirectedListeners([WORLD.v4, WORLD.v6], ['0.0.0.0', '::']);
  const bootstrap = { static_resources: { listeners, clusters: await redirectedClusters(t, originPort) } };
  const folder = t.testdir({ 'capture.yaml': `capture: { policy: ${policy} }\n` });
  const flags = ['--concurrency', String(WORKERS), '--no-config-cache', '--socket-path', `@captured-${process.pid}`];
  flags.push('--capture', 'ebpf', '--capture-settings', `${folder}/capture.yaml`);
  let epoch = 0;
  return () => startSidecar(t, { bootstrap, flags: [...flags, '--restart-epoch', String(epoch++)], ...pod.asSidecar });
}

/** This process is one of the application until the end of the test: it asks more than its IPC channel could carry. */
function joinApplication(t: Test): void {
  const own = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)![1]!;
  const move = (folder: string): void => writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
  move(join(pod.podCgroup, 'application'));
  t.teardown(() => move(join(cgroupRoot()!, own)));
}

t.test(`${RESTARTS} hot restarts, policy ${policy}: nothing is lost, and nothing passes by the sidecar`, async (t) => {
  const origin = await startCountingOrigin(t);
  const next = await startFamily(t, origin.port);
  let current = await next();
  joinApplication(t);
  const connections = new Errands(errands);
  const requests = [WORLD.v4, WORLD.v6].map((ip) => new UpgradeLoad(8080, ip));
  for (const load of requests) {
    load.add('keep-alive', 4);
    load.add('fresh', 1);
    load.add('half-body', 1);
  }
  const startedMs = performance.now();
  const ended: Promise<number | null>[] = [];
  for (let restart = 1; restart <= RESTARTS; restart++) {
    const successor = await next();
    ended.push(current.ended);
    current = successor;
    await Promise.all(requests.map((load) => load.answers(200)));
    // Who is silent for long is taken for hanging.
    t.comment(`${restart} of ${RESTARTS}`);
  }
  const outcomes = await Promise.all(requests.map((load) => load.stop()));
  const seconds = (performance.now() - startedMs) / 1000;
  await connections.stop();
  const answered = outcomes.reduce((sum, outcome) => sum + outcome.answered, 0);
  t.comment(`${answered} requests, ${Math.round(answered / seconds)} a second; ${connections.count} connections`);
  t.same([...outcomes.flatMap(({ losses }) => losses), ...connections.losses].slice(0, 10), []);
  const asked = outcomes.flatMap((outcome) => outcome.asked);
  t.equal(answered, asked.length);
  t.same(await Promise.all(ended), new Array(RESTARTS).fill(0), 'each process left by itself');
  t.match(await current.admin('/ready'), 'LIVE');
  t.match(await current.admin('/capture'), /^Captured by eBPF /);
  current.process.kill('SIGTERM');
  t.equal(await current.ended, 0);
});
