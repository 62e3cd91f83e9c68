// Hot restarts that go wrong: whoever dies, and whoever else asks, the old process goes on until a new one serves.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Address } from '../../config/address.ts';
import { close } from '../../native/socket.ts';
import { HotRestartSuccessor, introduce } from '../../proxy/hot-restart/successor.ts';
import { startPatientOrigin } from '../support/patient-origin.ts';
import { pause } from '../support/pause.ts';
import {
  clusterAt,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';
import { connectTo, isDone, isRefused, request } from '../support/single-listener.ts';

// Each test starts processes, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

let familyCount = 0;

interface Start {
  readonly flags?: readonly string[];
  /** Static resources in place of the usual ones. */
  readonly resources?: object;
  readonly bootstrap?: object;
  readonly isReady?: boolean;
}

/** What waits for the test's word does so without a limit, however long the next process takes to start. */
const route = { match: { prefix: '/' }, route: { cluster: 'app', timeout: '0s' } };
const route_config = { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] };

/** Processes that can follow one another, in front of one origin. */
async function family(t: Test) {
  const origin = await startPatientOrigin(t);
  const socketPath = `@outrigger-faults-${process.pid}-${familyCount++}`;
  const start = (epoch: number, { flags = [], resources = {}, bootstrap, isReady = true }: Start = {}) => {
    const listeners = [
      { name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app', { route_config })] },
      { name: 'tcp', address: socketAddress(0), filter_chains: [tcpFilterChain('app')] },
    ];
    const usual = { static_resources: { listeners, clusters: [clusterAt('app', origin.port)], ...resources } };
    const own = ['--concurrency', '1', '--socket-path', socketPath, '--restart-epoch', String(epoch), ...flags];
    return startSidecar(t, { bootstrap: bootstrap ?? usual, flags: own, isReady });
  };
  const name = (epoch: number) => ({ socketPath, socketMode: 0o600, baseId: 0, epoch });
  return { origin, start, name };
}

async function answers(t: Test, port: number): Promise<boolean> {
  const client = await connectTo(t, port);
  await client.write(request('/'));
  const text = await client.until(isDone);
  // A process that was replaced stays for as long as a client does.
  client.close();
  return isDone(text);
}

/** What a bound address is as one of a configuration. */
const at = (port: number): Address => ({ kind: 'ip', ip: '127.0.0.1', port });

/** This process as a successor of epoch 1, which has no workers. */
function successorOf(t: Test, parent: Parameters<typeof introduce>[0]) {
  const found = introduce(parent, 1);
  if (found.kind !== 'welcome') throw new Error(found.reason);
  const successor = new HotRestartSuccessor(found.channel, {
    onStatistics: () => undefined,
    giveUp: (reason) => {
      throw new Error(reason);
    },
    log: { info: () => undefined, warn: () => undefined },
  });
  t.teardown(() => successor.close());
  return successor;
}

t.test('a successor that dies with the sockets takes nothing with it', async (t) => {
  const { start, name } = await family(t);
  const parent = await start(0);
  const port = parent.port('http');
  const successor = successorOf(t, name(0));
  const sockets = successor.inherit({ listener: 'http', address: at(port), ipv4Compatible: false });
  t.equal(sockets.length, 1);
  for (const each of sockets) close(each);
  successor.close();
  await parent.logged(/has left before it served/);
  t.ok(await answers(t, port));
  const next = await start(1);
  t.equal(next.port('http'), port);
  t.equal(await parent.ended, 0, 'and the next one takes over');
});

t.test('what waits in a queue when the parent is killed is served by who has its sockets', async (t) => {
  const { start, name } = await family(t);
  const parent = await start(0);
  const port = parent.port('http');
  const successor = successorOf(t, name(0));
  const sockets = successor.inherit({ listener: 'http', address: at(0), ipv4Compatible: false });
  parent.process.kill('SIGKILL');
  await parent.ended;
  const client = await connectTo(t, port);
  await successor.adminFree;
  t.equal(client.outcome, undefined, 'it is connected, and waits');
  for (const each of sockets) close(each);
  t.ok(await isRefused(port));
});

t.test('a configuration that is not right does not disturb the parent, nor does a killed start', async (t) => {
  const { start } = await family(t);
  const parent = await start(0);
  const port = parent.port('http');
  const wrong = await start(1, {
    resources: { clusters: [{ name: 'app', lb_policy: 'NONE_OF_OURS' }] },
    isReady: false,
  });
  t.equal(await wrong.ended, 1);
  t.notOk(
    parent.log.some(({ msg }) => /gets ready/.test(msg)),
    'it was not even asked',
  );
  // A name server that never answers holds a start up.
  const silent = { type: 'STRICT_DNS', load_assignment: endpointNamed('silent.invalid'), dns_resolvers: undefined };
  const slow = await start(1, { resources: { clusters: [clusterAt('app', 1, silent)] }, isReady: false });
  await parent.logged(/gets ready to take over/);
  slow.process.kill('SIGKILL');
  await parent.logged(/has left before it served/);
  t.ok(await answers(t, port));
});

function endpointNamed(host: string): object {
  return {
    cluster_name: 'app',
    endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(1, host) } }] }],
  };
}

t.test('a parent that is killed while it drains leaves a successor that serves', async (t) => {
  const { origin, start } = await family(t);
  const parent = await start(0);
  const port = parent.port('http');
  const late = await connectTo(t, port);
  await late.write(request('/head'));
  await origin.arrived('/head');
  const next = await start(1);
  parent.process.kill('SIGKILL');
  await late.ended();
  t.ok(await answers(t, port));
  t.match(await next.admin('/ready'), 'LIVE');
  t.match(
    await next.admin('/stats?filter=hot_restart'),
    'server.hot_restart_epoch: 1\nserver.hot_restart_generation: 2',
  );
});

t.test('of two that start at once one takes over', async (t) => {
  const { start } = await family(t);
  const parent = await start(0);
  const both = await Promise.all([start(1, { isReady: false }), start(1, { isReady: false })]);
  t.equal(await parent.ended, 0);
  const ended = both.map(async (each) => {
    await each.ended;
    return each;
  });
  const loser = await Promise.race(ended);
  t.equal(await loser.ended, 1);
  t.match(loser.log.at(-1)!.msg, /no hot restart: .* (is in use|has a successor)/);
  t.ok(await answers(t, parent.port('http')));
});

t.test('without a parent it does not start, unless that is allowed', async (t) => {
  const { start } = await family(t);
  const refused = await start(1, { isReady: false });
  t.equal(await refused.ended, 1);
  t.match(refused.log.at(-1)!.msg, /no hot restart: nobody listens on @outrigger-faults/);
  const alone = await start(1, { flags: ['--skip-hot-restart-on-no-parent'] });
  t.match(await alone.admin('/server_info'), '"restart_epoch": 1');
  t.ok(await answers(t, alone.port('http')));
});

t.test('idle clients are served to their last request, and streams to their end', async (t) => {
  const { origin, start } = await family(t);
  const parent = await start(0);
  const port = parent.port('http');
  const idle = await connectTo(t, port);
  await idle.write(request('/'));
  await idle.until(isDone);
  const busy = await connectTo(t, port);
  await busy.write(request('/body'));
  await origin.arrived('/body');
  const next = await start(1);
  t.equal(idle.outcome, undefined, 'nobody is sent away');
  await idle.write(request('/again'));
  await idle.ended();
  t.equal(idle.text.match(/done/g)?.length, 2);
  t.match(idle.text, /\r\nconnection: close\r\n/i);
  origin.finish();
  await busy.until(isDone);
  // Its head had left before the upgrade, so that only the next one could have asked it to leave.
  t.notMatch(busy.text, /connection: close/i);
  busy.close();
  t.equal(await parent.ended, 0);
  await answers(t, port);
  // What the parent had counted arrives behind a round trip or two.
  while (!(await next.admin('/stats?filter=^http.ingress.downstream_rq_total$')).endsWith(': 4\n')) await pause();
});

t.test('when the drain time is over idle clients leave, and when that of a parent is, all', async (t) => {
  const { origin, start } = await family(t);
  const parent = await start(0, { flags: ['--drain-time-s', '1', '--parent-shutdown-time-s', '4'] });
  const idle = await connectTo(t, parent.port('http'));
  await idle.write(request('/'));
  await idle.until(isDone);
  const stuck = await connectTo(t, parent.port('http'));
  await stuck.write(request('/head'));
  await origin.arrived('/head');
  const order: string[] = [];
  const ends = [idle.ended().then(() => order.push('idle')), stuck.ended().then(() => order.push('stuck'))];
  await start(1);
  await Promise.all(ends);
  t.same(order, ['idle', 'stuck']);
  t.equal(idle.outcome, 'end');
  await parent.logged(/^a parent's time is over/);
  t.equal(await parent.ended, 0);
});

t.test('a base id of its own is chosen and written down; Unix sockets and shared ones go over, too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-hot-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'base-id');
  const { start } = await family(t);
  const pipe = { pipe: { path: join(folder, 'socket') } };
  const listeners = [
    { name: 'http', address: socketAddress(0), enable_reuse_port: false, filter_chains: [httpFilterChain('app')] },
    { name: 'pipe', address: pipe, filter_chains: [httpFilterChain('app')] },
    {
      name: 'both',
      address: socketAddress(0),
      additional_addresses: [{ address: socketAddress(0, '::1') }],
      filter_chains: [httpFilterChain('app')],
    },
  ];
  const parent = await start(0, { flags: ['--use-dynamic-base-id', '--base-id-path', file], resources: { listeners } });
  const baseId = ['--base-id', readFileSync(file, 'utf8')];
  const more = await start(1, { flags: [...baseId, '--concurrency', '3'], resources: { listeners } });
  t.equal(await parent.ended, 0);
  const less = await start(2, { flags: [...baseId, '--concurrency', '2'], resources: { listeners } });
  t.equal(await more.ended, 0);
  t.same(listenersOf(less), listenersOf(parent));
  t.ok(await answers(t, parent.port('http')));
});

t.test('a listener of a control plane goes over when it is complete', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-hot-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'listeners.json');
  const type = 'type.googleapis.com/envoy.config.listener.v3.Listener';
  const http = { '@type': type, name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app')] };
  writeFileSync(file, JSON.stringify({ resources: [http] }));
  const { origin, start } = await family(t);
  const bootstrap = {
    node: { id: 'a', cluster: 'b' },
    dynamic_resources: { lds_config: { path_config_source: { path: file } } },
    static_resources: { clusters: [clusterAt('app', origin.port)] },
  };
  const parent = await start(0, { flags: ['--no-config-cache'], bootstrap });
  t.equal(listenersOf(parent).length, 1);
  const next = await start(1, { flags: ['--no-config-cache'], bootstrap });
  t.same(listenersOf(next), listenersOf(parent), 'a port that the kernel chose stays');
  t.equal(await parent.ended, 0);
  t.ok(await answers(t, next.port('http')));
});

function listenersOf({ log }: Sidecar): readonly string[] {
  return log.find(({ msg }) => msg === 'configuration is served')!['listeners'] as string[];
}
