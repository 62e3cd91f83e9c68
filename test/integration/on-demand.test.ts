// The whole process with requests that wait for what the control plane is asked for: virtual hosts (VHDS) and clusters.

import t, { type Test } from 'tap';
import { type AskedControlPlane, startAskedControlPlane } from '../support/asked-control-plane.ts';
import type { SentResource } from '../support/discovery-messages.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import {
  askFor,
  clusterAt,
  demandingListener,
  followingBootstrap,
  hostSaying,
  odcds,
  routesNamed,
  vhds,
  virtualHost,
} from '../support/on-demand-mesh.ts';
import { pause } from '../support/pause.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';

t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

const byHeader =
  'virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster_header: x-cluster}}]}]';

interface Scene {
  readonly controlPlane: AskedControlPlane;
  readonly sidecar: Sidecar;
  readonly port: number;
}

async function start(t: Test, listener: SentResource, routes: SentResource, concurrency = 1): Promise<Scene> {
  const { controlPlane, port } = await startAskedControlPlane(t);
  controlPlane.offered.set('Listener', [listener]);
  controlPlane.answers.set('routes', routes);
  const flags = ['--no-config-cache', '--concurrency', String(concurrency)];
  const sidecar = await startSidecar(t, { bootstrap: followingBootstrap(port), flags });
  return { controlPlane, sidecar, port: sidecar.port('web') };
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error('did not come about in 30 s');
    await pause();
  }
}

/** What `/xds` comes to say. */
async function reads(sidecar: Sidecar, text: RegExp): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const shown = await sidecar.admin('/xds');
    if (text.test(shown)) return;
    if (Date.now() > deadline) throw new Error(`in 30 s it came to no more than ${shown}`);
    await pause();
  }
}

t.test('a request waits for the virtual host of its authority, which is asked for once', async (t) => {
  const { controlPlane, port, sidecar } = await start(t, demandingListener({}), routesNamed('routes', vhds));
  const waiting = [1, 2, 3].map(() => askFor(port, { host: 'A.example' }));
  await until(() => controlPlane.asked.includes('+VirtualHost routes/a.example'));
  t.match(await sidecar.admin('/xds'), /on demand: 1 virtual host \(1 waiting\)/);
  controlPlane.send('VirtualHost', [hostSaying('a', 'first', 'a.example')]);
  t.same(await Promise.all(waiting), ['200 a', '200 a', '200 a']);
  t.equal(await askFor(port, { host: 'a.example' }), '200 a');
  t.same(
    controlPlane.asked.filter((text) => text.includes('VirtualHost')),
    ['+VirtualHost routes/a.example'],
  );
  t.match(await sidecar.admin('/xds'), /on demand: 1 virtual host \(1 present\)/);
});

t.test('a host that the control plane does not know is answered 404, however that is said', async (t) => {
  const { controlPlane, port } = await start(t, demandingListener({}), routesNamed('routes', vhds));
  controlPlane.answers.set('routes/removed', null);
  controlPlane.answers.set('routes/void', { name: 'routes/void', aliases: ['routes/void'], isHeartbeat: true });
  controlPlane.answers.set('routes/other', { ...hostSaying('x', 'y', 'y'), aliases: ['routes/other'] });
  for (const host of ['removed', 'void', 'other']) t.match(await askFor(port, { host }), /^404/, host);
});

t.test(
  'a body waits with its client and is forwarded whole; a virtual host may lead to a cluster that is asked for',
  async (t) => {
    let received = 0;
    const origin = await startHttpOrigin(t, (incoming, response) => {
      incoming.on('data', (part: Buffer) => {
        received += part.length;
      });
      incoming.on('end', () => response.end(`got ${received}`));
    });
    const { controlPlane, port } = await start(t, demandingListener({ fields: odcds }), routesNamed('routes', vhds));
    const route = '{match: {prefix: /}, route: {cluster: wanted}}';
    controlPlane.answers.set('routes/a', virtualHost('a', ['a'], route));
    const answer = askFor(port, { host: 'a', body: 'x'.repeat(3_000_000) });
    await until(() => controlPlane.asked.includes('+Cluster wanted'));
    controlPlane.send('Cluster', [clusterAt('wanted', origin)]);
    t.equal(await answer, '200 got 3000000');
  },
);

t.test('a request waits for its cluster; what does not exist or come in time is answered 503', async (t) => {
  const origin = await startNamedOrigin(t, 'origin');
  const listener = demandingListener({ fields: `${odcds.slice(0, -1)}, timeout: 1s}` });
  const { controlPlane, port } = await start(t, listener, routesNamed('routes', byHeader), 2);
  controlPlane.answers.set('there', clusterAt('there', origin));
  controlPlane.answers.set('missing', null);
  t.equal(await askFor(port, { cluster: 'there' }), '200 origin');
  t.match(await askFor(port, { cluster: 'missing' }), /^503/);
  t.match(await askFor(port, { cluster: 'late' }), /^503/);
  controlPlane.send('Cluster', [clusterAt('late', origin)]);
  // It may take longer than the filter waits.
  let answer = '503';
  for (let asked = 0; asked < 1000 && answer.startsWith('503'); asked++) {
    answer = await askFor(port, { cluster: 'late' });
  }
  t.equal(answer, '200 origin', 'what came later serves whoever asks next');
  t.same(
    controlPlane.asked.filter((text) => text.endsWith(' late')),
    ['+Cluster late'],
  );
  t.match(await askFor(port, {}), /^503/, 'no header that names a cluster: nothing to ask for');
});

t.test('a client that leaves while it waits leaves the subscription to those who come after it', async (t) => {
  const { controlPlane, port, sidecar } = await start(t, demandingListener({}), routesNamed('routes', vhds));
  const leaving = new AbortController();
  const answer = askFor(port, { host: 'a' }, leaving.signal);
  await until(() => controlPlane.asked.includes('+VirtualHost routes/a'));
  leaving.abort();
  t.equal(await answer, 'gone');
  await reads(sidecar, /on demand: 1 virtual host \(1 unanswered\)/);
  controlPlane.send('VirtualHost', [hostSaying('late', 'a', 'a')]);
  t.equal(await askFor(port, { host: 'a' }), '200 late');
  t.same(
    controlPlane.asked.filter((text) => text.includes('VirtualHost')),
    ['+VirtualHost routes/a'],
  );
});

t.test('a control plane that is away is asked when it is back', async (t) => {
  const { controlPlane, port } = await start(t, demandingListener({}), routesNamed('routes', vhds));
  controlPlane.stop();
  const answer = askFor(port, { host: 'a' });
  controlPlane.answers.set('routes/a', hostSaying('late', 'a', 'a'));
  await controlPlane.start();
  t.equal(await answer, '200 late');
});

t.test('routes that change amid a wait are those that count', async (t) => {
  const { controlPlane, port } = await start(t, demandingListener({}), routesNamed('routes', vhds));
  const answer = askFor(port, { host: 'a' });
  await until(() => controlPlane.asked.includes('+VirtualHost routes/a'));
  const direct = '{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: written}}}';
  const hosts = `virtual_hosts: [{name: a, domains: [a], routes: [${direct}]}]`;
  controlPlane.send('RouteConfiguration', [routesNamed('routes', `${hosts}, ${vhds}`)]);
  t.equal(await answer, '200 written');
});

t.test('a host that nobody answers waits for as long as the stream may be idle', async (t) => {
  const listener = demandingListener({ manager: 'stream_idle_timeout: 1s' });
  const { controlPlane, port } = await start(t, listener, routesNamed('routes', vhds));
  t.match(await askFor(port, { host: 'a' }), /^504/);
  t.ok(controlPlane.asked.includes('+VirtualHost routes/a'));
});

t.test('one client that asks for endless names is refused, and makes room for others', async (t) => {
  const { controlPlane, port, sidecar } = await start(t, demandingListener({}), routesNamed('routes', vhds));
  const leaving = new AbortController();
  const waiting: Promise<string>[] = [];
  for (let index = 0; index < 1024; index++) waiting.push(askFor(port, { host: `h${index}` }, leaving.signal));
  await until(() => controlPlane.asked.length >= 1024);
  t.match(await askFor(port, { host: 'one-more' }), /^503 as many names as may be are waited for/);
  controlPlane.answers.set('routes/other', hostSaying('room', 'other', 'other'));
  t.equal(await askFor(port, { host: 'other', from: '127.0.0.2' }), '200 room');
  t.match(await Promise.race(waiting), /^503 this client waited for more names than others/);
  leaving.abort();
  await Promise.all(waiting);
  await reads(sidecar, /on demand: 1025 virtual hosts \(1 present, 1024 unanswered\)/);
  controlPlane.answers.set('routes/one-more', hostSaying('room', 'one-more', 'one-more'));
  t.equal(await askFor(port, { host: 'one-more' }), '200 room');
});
