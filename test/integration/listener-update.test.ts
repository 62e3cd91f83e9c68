// Listeners that change under load: what their clients see of it.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as aTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Listener } from '../../config/listener.ts';
import { drainedLastRequestMs } from '../../proxy/http/connection-manager.ts';
import { listenerStats } from '../../proxy/telemetry/listener-stats.ts';
import { clusterOf, forwardTo, httpListener, managerOf, routeOf, virtualHostOf } from '../support/data-plane.ts';
import { answering } from '../support/listener-fixtures.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import { type ServedSnapshots, serveSnapshots } from '../support/served-snapshots.ts';
import { tcpListener } from '../support/tcp-proxy-fixtures.ts';

// Threads start slowly on a busy machine.
t.setTimeout(900_000);

const setOf = (...listeners: readonly Listener[]) => ({
  listeners: { set: listeners.map((each) => [each.name, each] as const), removed: [] },
});

/** One request on a connection of its own; the body, or what went wrong. */
async function ask(port: number): Promise<string> {
  for (let time = 1; ; time++) {
    const { answer, sentAfterMs } = await askOnce(port);
    // A listener that goes waits no longer for a first request. A client that stood still for so long asks again.
    const isCutForLate = sentAfterMs >= drainedLastRequestMs && /^(cut: |ECONNRESET|EPIPE)$/.test(answer);
    if (!isCutForLate || time === 20) return answer;
  }
}

async function askOnce(port: number): Promise<{ readonly answer: string; readonly sentAfterMs: number }> {
  const beganMs = performance.now();
  let sentMs = Infinity;
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', () => {
    sentMs = performance.now();
  });
  const answer = await once(socket, 'end').then(
    () => /\r\n\r\n(\w+)$/.exec(text)?.[1] ?? `cut: ${text}`,
    (error: NodeJS.ErrnoException) => error.code ?? String(error),
  );
  socket.destroy();
  return { answer, sentAfterMs: Math.min(sentMs, performance.now()) - beganMs };
}

/** Clients that connect, ask and connect again, until they are told to stop. */
function keepAsking(port: number) {
  const answers: string[] = [];
  let isOver = false;
  const run = async (): Promise<void> => {
    while (!isOver) answers.push(await ask(port));
  };
  const clients = Array.from({ length: 4 }, run);
  return {
    stop: async (): Promise<readonly string[]> => {
      isOver = true;
      await Promise.all(clients);
      return answers;
    },
  };
}

for (const reusePort of [true, false]) {
  t.test(`a listener that changes 200 times refuses and cuts nobody (reuse_port: ${reusePort})`, async (t) => {
    // Every second time it is replaced, and only its filter chain changes in between.
    const config = (step: number) =>
      answering('http', `step${step}`, { reusePort, backlog: 100 + Math.floor(step / 2) });
    const served = await serveSnapshots(t, { first: setOf(config(0)) });
    const port = served.port('http');
    const clients = keepAsking(port);
    for (let step = 1; step <= 200; step++) await served.serve(setOf(config(step)));
    const answers = await clients.stop();
    t.same(
      answers.filter((answer) => !/^step\d+$/.test(answer)),
      [],
      `${answers.length} clients`,
    );
    t.ok(answers.length > 0);
    t.equal(await ask(port), 'step200');
    t.equal(served.port('http'), port);
  });
}

for (const reusePort of [true, false]) {
  t.test(`a listener that is renamed 50 times refuses and cuts nobody (reuse_port: ${reusePort})`, async (t) => {
    const config = (step: number) => answering(`name${step}`, `step${step}`, { reusePort });
    const served = await serveSnapshots(t, { first: setOf(config(0)) });
    const port = served.port('name0');
    const clients = keepAsking(port);
    for (let step = 1; step <= 50; step++) {
      t.equal(served.pool.prepareListener(config(step)), undefined);
      await served.serve({ listeners: { ...setOf(config(step)).listeners, removed: [`name${step - 1}`] } });
    }
    const answers = await clients.stop();
    t.same(
      answers.filter((answer) => !/^step\d+$/.test(answer)),
      [],
      `${answers.length} clients`,
    );
    t.equal(served.port('name50'), port);
  });
}

t.test('a port of one socket is free for who comes right after its listener left, under any name', async (t) => {
  const first = setOf(answering('name0', 'step0', { reusePort: false }), answering('other', 'other'));
  const served = await serveSnapshots(t, { first });
  const port = served.port('name0');
  const address = { kind: 'ip', ip: '127.0.0.1', port } as const;
  for (let step = 1; step <= 30; step++) {
    served.change({ listeners: { set: [], removed: [`name${(step - 1) >> 1}`] } });
    // The removal is published, and the workers have hardly heard of it.
    await aTurn();
    const config = answering(`name${step >> 1}`, `step${step}`, { reusePort: false, address, backlog: 100 + step });
    t.equal(served.pool.prepareListener(config), undefined);
    await served.serve(setOf(config));
    t.equal(await ask(port), `step${step}`);
  }
  await served.serve({ listeners: { set: [], removed: ['name15'] } });
  t.equal(await ask(port), 'ECONNREFUSED', 'nothing is kept of the last one');
});

t.test('a port is free for who comes while its listener is still to leave, with other socket options', async (t) => {
  const first = setOf(answering('name0', 'step0', { reusePort: false }), answering('other', 'other'));
  const served = await serveSnapshots(t, { first });
  const address = { kind: 'ip', ip: '127.0.0.1', port: served.port('name0') } as const;
  // The port is one that was asked for from now on.
  await served.serve({ listeners: { set: [], removed: ['name0'] } });
  for (let step = 0; step < 18; step++) {
    const options = { address, reusePort: step % 4 > 1, freebind: step % 3 === 0, backlog: 100 + step };
    const name = `name${step >> 1}`;
    const config = answering(name, `step${step}`, options);
    t.equal(served.pool.prepareListener(config), undefined, name);
    const former = `name${(step - 1) >> 1}`;
    await served.serve({ listeners: { set: [[name, config]], removed: former === name ? [] : [former] } });
    for (let time = 0; time < 2; time++) t.equal(await ask(address.port), `step${step}`);
  }
  await served.serve({ listeners: { set: [], removed: ['name8'] } });
  t.equal(await ask(address.port), 'ECONNREFUSED', 'nothing is kept of the last one');
});

t.test('a listener moves to another address, and the former one is closed', async (t) => {
  const served = await serveSnapshots(t, { first: setOf(answering('http', 'before')) });
  const before = served.port('http');
  const moved = answering('http', 'after', { address: { kind: 'ip', ip: '127.0.0.2', port: 0 } });
  t.equal(served.pool.prepareListener(moved), undefined);
  t.equal(await ask(before), 'before', 'until the change is published');
  await served.serve(setOf(moved));
  t.equal(await ask(before), 'ECONNREFUSED');
  t.not(served.port('http'), before);
});

t.test('a taken address is refused before anything is published', async (t) => {
  const first = setOf(answering('one', 'one', { reusePort: false }), answering('other', 'other'));
  const served = await serveSnapshots(t, { first });
  const taken = { kind: 'ip', ip: '127.0.0.1', port: served.port('one') } as const;
  const refusal = served.pool.prepareListener(answering('other', 'moved', { address: taken }));
  t.match(refusal, `cannot listen on 127.0.0.1:${taken.port}: address already in use; `);
  t.equal(await ask(served.port('other')), 'other');
});

/** A request whose response never ends, through a listener that the test then changes. */
async function stuckRequest(t: Test, drainTimeMs: number) {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = () => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
  });
  const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('app'))])]);
  const cluster = clusterOf('app', [origin.port]);
  const first = {
    ...setOf(httpListener('http', manager), answering('other', 'other')),
    clusters: { set: [['app', cluster] as const], removed: [] },
  };
  const served = await serveSnapshots(t, { first, drainTimeMs });
  const client = await RawClient.open(served.port('http'));
  t.teardown(() => client.close());
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.endsWith('half'));
  return { served, client };
}

t.test('what a removed listener still has at the end of the drain time is cut', async (t) => {
  const { served, client } = await stuckRequest(t, 300);
  const passedMs = stopwatch();
  await served.serve({ listeners: { set: [], removed: ['http'] } });
  await client.ended();
  t.ok(passedMs() >= 300, 'a request under way goes on until then');
  t.equal(client.outcome, 'ECONNRESET');
  await isGone(served, 'http');
  t.equal(await ask(served.port('other')), 'other');
});

t.test('a changed filter chain lets requests under way go on, and cuts them at the end', async (t) => {
  const { served, client } = await stuckRequest(t, 300);
  const port = served.port('http');
  const passedMs = stopwatch();
  await served.serve(setOf(answering('http', 'changed')));
  t.equal(await ask(port), 'changed');
  await client.ended();
  t.ok(passedMs() >= 300, 'not before');
  t.equal(client.outcome, 'ECONNRESET');
});

/** Milliseconds from now on. */
function stopwatch(): () => number {
  const sinceMs = performance.now();
  // Two threads may read a millisecond differently.
  return () => performance.now() - sinceMs + 1;
}

async function isGone(served: ServedSnapshots, listener: string): Promise<void> {
  while (served.stats.get(listenerStats, listener) !== undefined) await new Promise((resolve) => setImmediate(resolve));
}

t.test('a TCP connection of a removed listener runs until the drain time is over', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = (added) => connection.write(added);
  });
  const first = {
    ...setOf(tcpListener()),
    clusters: { set: [['app', clusterOf('app', [origin.port])] as const], removed: [] },
  };
  const served = await serveSnapshots(t, { first, drainTimeMs: 300 });
  const client = await RawClient.open(served.port('tcp'));
  t.teardown(() => client.close());
  await client.write('before');
  await client.until((text) => text === 'before');
  const passedMs = stopwatch();
  await served.serve({ listeners: { set: [], removed: ['tcp'] } });
  await client.write(' after');
  const text = await client.until((received) => received === 'before after');
  // Workers have the machine's clock, and it may have stood still until the drain time was over.
  t.ok(text === 'before after' || passedMs() >= 300, text);
  await client.ended();
  t.ok(passedMs() >= 300, 'not before');
  if (text === 'before after') t.equal(client.outcome, 'end');
});
