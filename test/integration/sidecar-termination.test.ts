// How `outrigger sidecar` ends at SIGTERM: clients from outside are asked to leave, and the application goes on calling others.

import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { type PatientOrigin, startPatientOrigin } from '../support/patient-origin.ts';
import {
  clusterAt,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';
import { connectTo, isDone, request } from '../support/single-listener.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

/** One that has nothing: without its answer a sidecar has no listeners. Istiod's port for meshes without TLS. */
async function startControlPlane(t: Test): Promise<string> {
  const address = `127.${process.pid & 0x7f}.${(process.pid >> 7) & 0xff}.15:15010`;
  const flags = parseControlPlaneFlags(['--dir', t.testdir(), '--listen', address])!;
  const controlPlane = new ControlPlane(flags, () => undefined);
  await controlPlane.start();
  t.teardown(() => controlPlane.close());
  return address;
}

const discoveryAddress = await startControlPlane(t);

interface Scene {
  readonly sidecar: Sidecar;
  readonly origin: PatientOrigin;
  /** Asks for a path over a new connection. */
  ask(listener: 'in' | 'out', path?: string): Promise<string>;
  /** What the kubelet is told. */
  readiness(): Promise<readonly [status: number, reason: string]>;
}

async function start(t: Test, proxyConfig: object, variables: Record<string, string> = {}): Promise<Scene> {
  const origin = await startPatientOrigin(t);
  const chains = { in: httpFilterChain('app'), out: httpFilterChain('app'), bytes: tcpFilterChain('app') };
  const listeners = Object.entries(chains).map(([name, chain]) => ({
    name,
    address: socketAddress(0),
    traffic_direction: name === 'out' ? 'OUTBOUND' : 'INBOUND',
    filter_chains: [chain],
  }));
  const [proxyAdminPort, statusPort, health, prometheus] = await freePorts(4);
  const sidecar = await startSidecar(t, {
    bootstrap: { static_resources: { listeners, clusters: [clusterAt('app', origin.port)] } },
    flags: ['--concurrency', '1', '--no-config-cache'],
    sidecarVariables: {
      POD_NAME: 'cart-1',
      POD_NAMESPACE: 'shop',
      INSTANCE_IP: '127.0.0.1',
      ENVOY_STATUS_PORT: String(health),
      ENVOY_PROMETHEUS_PORT: String(prometheus),
      PROXY_CONFIG: JSON.stringify({ discoveryAddress, proxyAdminPort, statusPort, ...proxyConfig }),
      ...variables,
    },
  });
  return {
    sidecar,
    origin,
    ask: async (listener, path = '/') => {
      const client = await connectTo(t, sidecar.port(listener));
      await client.write(request(path));
      const answer = await client.until(isDone);
      client.close();
      return answer;
    },
    readiness: async () => {
      const response = await fetch(`http://127.0.0.1:${health}/healthz/ready`, { headers: { connection: 'close' } });
      return [response.status, await response.text()];
    },
  };
}

const asksToLeave = /\r\nconnection: close\r\n/i;

t.test(
  'new clients from outside are served and asked to leave, the application goes on, until the time is over',
  async (t) => {
    const { sidecar, ask, readiness } = await start(t, { terminationDrainDuration: '4s' });
    t.same((await readiness())[0], 200);
    for (const listener of ['in', 'out'] as const) t.notMatch(await ask(listener), asksToLeave);
    const signalledMs = performance.now();
    sidecar.process.kill('SIGTERM');
    await sidecar.logged(/^draining: SIGTERM has come/);
    t.matchOnly(await readiness(), [503, /^DRAINING: SIGTERM has come; .* ends in 4 s\n$/]);
    const inbound = await ask('in');
    t.match(inbound, /^HTTP\/1\.1 200 /);
    t.match(inbound, asksToLeave);
    const outbound = await ask('out');
    t.match(outbound, /^HTTP\/1\.1 200 /);
    t.notMatch(outbound, asksToLeave);
    t.equal(await sidecar.ended, 0);
    t.ok(performance.now() - signalledMs >= 4000, 'not before');
    t.ok(sidecar.log.some(({ msg }) => msg.startsWith('the drain time is over')));
  },
);

t.test(
  'with EXIT_ON_ZERO_ACTIVE_CONNECTIONS it stays while somebody is connected, and ends behind the last',
  async (t) => {
    const { sidecar, ask } = await start(
      t,
      { terminationDrainDuration: '0s' },
      { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: '10ms' },
    );
    const client = await connectTo(t, sidecar.port('bytes'));
    await client.write(request('/'));
    await client.until(isDone);
    sidecar.process.kill('SIGTERM');
    await sidecar.logged(/^draining: .* ends when nobody is connected$/);
    const untilMs = performance.now() + 2500;
    const outbound = new Set<string>();
    // Longer than two looks whether anybody is there.
    while (performance.now() < untilMs) outbound.add((await ask('out')).slice(0, 12));
    t.same([...outbound], ['HTTP/1.1 200']);
    client.text = '';
    await client.write(request('/'));
    t.match(await client.until(isDone), /^HTTP\/1\.1 200 /, 'what was open serves on');
    t.equal(sidecar.process.exitCode, null);
    client.close();
    t.equal(await sidecar.ended, 0);
    t.ok(sidecar.log.some(({ msg }) => msg === 'nobody is connected any more'));
  },
);

t.test('a second SIGTERM ends at once, and so does the first behind the hook of a native sidecar', async (t) => {
  const twice = await start(t, { terminationDrainDuration: '1h' });
  twice.sidecar.process.kill('SIGTERM');
  await twice.sidecar.logged(/^draining/);
  twice.sidecar.process.kill('SIGTERM');
  t.equal(await twice.sidecar.ended, 0);

  const native = await start(t, { terminationDrainDuration: '1h' });
  const { status } = await native.sidecar.logged(/^the kubelet is answered$/);
  await fetch(`http://127.0.0.1:${status}/drain`, { method: 'POST', headers: { connection: 'close' } });
  // Whether a client is asked is chance, more so the longer it has been draining: the limit of the test is that of this wait.
  while (!asksToLeave.test(await native.ask('in')));
  t.notMatch(await native.ask('out'), asksToLeave);
  t.matchOnly(await native.readiness(), [200, /^LIVE/], 'it serves on');
  native.sidecar.process.kill('SIGTERM');
  t.equal(await native.sidecar.ended, 0);
});
