// A worker on this thread, spoken to as the main thread does.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import t, { type Test } from 'tap';
import type { AccessLog } from '../../../config/access-log.ts';
import type { Listener } from '../../../config/listener.ts';
import type { SnapshotChange } from '../../../config/snapshot.ts';
import { signalEventFd } from '../../../native/event-fd.ts';
import { openListener } from '../../../proxy/listener/listener-opening.ts';
import { makeSharedLimit } from '../../../proxy/listener/shared-limit.ts';
import { Generations, makeGenerationMemory } from '../../../proxy/worker/generations.ts';
import type { FromWorker, ListenerPlacement, ToWorker, WorkerStart } from '../../../proxy/worker/messages.ts';
import { Worker } from '../../../proxy/worker/worker.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { forwardTo, httpListener, managerOf, routeOf, virtualHostOf } from '../../support/data-plane.ts';
import { packedClusters } from '../../support/packed-clusters.ts';
import { RawClient } from '../../support/raw-client.ts';
import { retryPolicy } from '../../support/route-fixtures.ts';
import { reference, trustSecret, upstreamTls } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const start: Omit<WorkerStart, 'generations'> = {
  workerIndex: 0,
  ticketSeed: new Uint8Array(32),
  localIp: '127.0.0.1',
  logFlushIntervalMs: 5,
  logFlushSizeBytes: 65_536,
  maxStatSeries: 2000,
  countsAllRequests: false,
  drainTimeMs: 400,
  drainStrategy: 'immediate',
};

async function startWorker(t: Test) {
  const { port1, port2 } = new MessageChannel();
  const heard: FromWorker[] = [];
  let wake = Promise.withResolvers<void>();
  port1.on('message', (message: FromWorker) => {
    heard.push(message);
    wake.resolve();
    wake = Promise.withResolvers();
  });
  /** The next message of this kind that was not taken yet. */
  const take = async <K extends FromWorker['kind']>(kind: K): Promise<Extract<FromWorker, { kind: K }>> => {
    for (;;) {
      const index = heard.findIndex((message) => message.kind === kind);
      if (index >= 0) return heard.splice(index, 1)[0] as Extract<FromWorker, { kind: K }>;
      await wake.promise;
    }
  };
  const clock = () => performance.now();
  const memory = makeGenerationMemory(1);
  const generations = new Generations(memory);
  const worker = new Worker({
    start: { ...start, generations: memory },
    port: port2,
    clock,
    wallClock: Date.now,
    random: Math.random,
    maxSleepMs: 1,
  });
  const stopped = new Promise<void>((resolve) => worker.run(resolve));
  const { wakeUpDescriptor } = await take('started');
  const send = (message: ToWorker): void => {
    port1.postMessage(message);
    signalEventFd(wakeUpDescriptor);
  };
  t.teardown(async () => {
    send({ kind: 'stop' });
    await stopped;
    port1.close();
  });
  /** Returns the port of the last listener. */
  const serve = async (
    generation: number,
    listeners: readonly Listener[],
    removed: readonly string[] = [],
    also: Partial<SnapshotChange> = {},
  ) => {
    let port = 0;
    const placements: [string, ListenerPlacement][] = [];
    for (const listener of listeners) {
      const opened = openListener(listener, 1);
      if ('reason' in opened) throw new Error(opened.reason);
      placements.push([listener.name, { kind: 'open', sockets: { descriptors: opened.descriptors[0]! } }]);
      port = Number(opened.addresses[0]?.split(':')[1]);
    }
    const nothing = { set: [], removed: [] };
    const set = listeners.map((each): [string, Listener] => [each.name, each]);
    const delta = {
      generation,
      listeners: { set, removed },
      clusters: nothing,
      assignments: nothing,
      secrets: nothing,
    };
    generations.publish(generation, generations.published);
    send({ kind: 'snapshot', delta: { ...delta, ...also }, routes: nothing, placements });
    t.equal((await take('applied')).generation, generation);
    t.same(generations.applied, [generation]);
    return port;
  };
  return { send, take, serve, heard };
}

const logToStdout: AccessLog = {
  sink: { kind: 'stdout' },
  format: { kind: 'text', format: '%REQ(:path)%\n', omitEmptyValues: false },
};

/** Answers everything itself with this body. */
function answering(name: string, body: string, given: Partial<Listener> = {}): Listener {
  const action = { kind: 'direct-response', status: 200, body: Buffer.from(body) } as const;
  const manager = managerOf([virtualHostOf([routeOf('/', action)])], { accessLogs: [logToStdout] });
  return { ...httpListener(name, manager), ...given };
}

async function ask(client: RawClient, path = '/'): Promise<string> {
  client.text = '';
  await client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return client.until((text) => /\r\n\r\n./.test(text));
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('error', () => resolve(true));
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
}

t.test('a listener that is replaced lets its connections go, and the new one serves', async (t) => {
  const { serve } = await startWorker(t);
  const before = await serve(1, [answering('http', 'old')]);
  const client = await RawClient.open(before);
  t.teardown(() => client.close());
  t.match(await ask(client), /old$/);
  const after = await serve(2, [answering('http', 'new')]);
  await client.ended();
  t.equal(client.outcome, 'end');
  t.ok(await isRefused(before));
  const other = await RawClient.open(after);
  t.teardown(() => other.close());
  t.match(await ask(other), /new$/);
});

t.test('the stats of a removed listener disappear when its last connection is gone', async (t) => {
  const { serve, take } = await startWorker(t);
  const port = await serve(1, [answering('http', 'x')]);
  const client = await RawClient.open(port);
  await ask(client);
  await serve(2, [], ['http']);
  t.ok(await isRefused(port));
  client.close();
  const { announcements } = await take('stats');
  t.equal(announcements[0]!.kind, 'chunk');
  t.ok(
    announcements.some(({ kind }) => kind === 'block'),
    'and all that was made with it',
  );
  for (;;) if ((await take('stats')).announcements.some(({ kind }) => kind === 'release')) break;
  t.pass('released');
});

t.test('lines of access logs leave by the interval, when asked for, and at the end', async (t) => {
  const { serve, take, send } = await startWorker(t);
  const client = await RawClient.open(await serve(1, [answering('http', 'x')]));
  t.teardown(() => client.close());
  await ask(client, '/one');
  const { batch } = await take('logs');
  t.equal(Buffer.from(batch.bytes).toString(), '/one\n');
  t.equal(batch.cause, 'interval');
  await ask(client, '/two');
  send({ kind: 'flush-logs' });
  t.equal(Buffer.from((await take('logs')).batch.bytes).toString(), '/two\n');
});

t.test('a drain is answered when the last connection is gone', async (t) => {
  const { serve, take, send, heard } = await startWorker(t);
  const tcp = answering('http', 'x');
  const port = await serve(1, [tcp]);
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  await client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
  send({ kind: 'drain', inboundOnly: false, stopAccepting: true });
  while (!(await isRefused(port)));
  t.notOk(
    heard.some(({ kind }) => kind === 'drained'),
    'a request is in flight',
  );
  client.close();
  await take('drained');
});

t.test('a drain of inbound listeners leaves the others alone', async (t) => {
  const { serve, send } = await startWorker(t);
  const inbound = await serve(1, [answering('in', 'in', { trafficDirection: 'inbound' })]);
  const outbound = await serve(2, [answering('out', 'out', { trafficDirection: 'outbound' })]);
  send({ kind: 'drain', inboundOnly: true, stopAccepting: true });
  while (!(await isRefused(inbound)));
  const client = await RawClient.open(outbound);
  t.teardown(() => client.close());
  t.match(await ask(client), /out$/);
});

t.test('the limit of the process holds from the first listener on', async (t) => {
  const { serve, send } = await startWorker(t);
  const limit = makeSharedLimit(1);
  send({ kind: 'limit-connections', limit });
  const port = await serve(1, [answering('http', 'x')]);
  const first = await RawClient.open(port);
  t.teardown(() => first.close());
  await ask(first);
  const second = connect(port, '127.0.0.1');
  second.on('error', () => undefined);
  await once(second, 'close');
  t.equal(new Int32Array(limit.memory)[0], 1);
});

t.test('members that left with a large change are let go, though nobody asks for their cluster', async (t) => {
  const { serve, send } = await startWorker(t);
  const origin = createServer((_, response) => response.end('from the origin'));
  origin.keepAliveTimeout = 0;
  const connections: Socket[] = [];
  origin.on('connection', (socket) => connections.push(socket));
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  t.teardown(() => origin.close());
  const { port } = origin.address() as AddressInfo;
  // More than are taken in at once, and the one that is used is the last.
  const names = Array.from({ length: 600 }, (_, index) => `c${index}`);
  const push = (ip: string): void => {
    for (let from = 0; from < names.length; from += 32) {
      const some = names.slice(from, from + 32);
      const assignment = makeAssignment([makeLocality([makeEndpoint(ip, { port })])]);
      const clusters = some.map((name) => makeCluster({ name }));
      const members = some.map((name) => [name, assignment] as const);
      send({ kind: 'snapshot-part', part: packedClusters(clusters, members) });
    }
  };
  push('127.0.0.1');
  const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('c599'))])]);
  const client = await RawClient.open(await serve(1, [httpListener('http', manager)]));
  t.teardown(() => client.close());
  t.match(await ask(client), /from the origin$/);
  const closed = once(connections[0]!, 'close');
  push('127.0.0.2');
  await serve(2, []);
  await closed;
  t.equal(connections.length, 1);
});

t.test('a removed secret serves until the clusters that used it have what takes its place', async (t) => {
  const { serve, send } = await startWorker(t);
  const authority = Authority.make(t.testdir({}), 'root');
  const { certificateChain, privateKey } = authority.issue();
  const held = Promise.withResolvers<ServerResponse>();
  let requests = 0;
  const origin = createTlsServer({ cert: certificateChain, key: privateKey }, (_, response) => {
    if (requests++ === 0) held.resolve(response);
    else response.end('from the origin');
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  t.teardown(() => {
    origin.closeAllConnections();
    origin.close();
  });
  const { port } = origin.address() as AddressInfo;
  const assignment = makeAssignment([makeLocality([makeEndpoint('127.0.0.1', { port })])]);
  // With slow start all of them are in use: to take them in are hundreds of turns, and the one that is asked for is the last.
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };
  const loadBalancer = { ...makeCluster().loadBalancer, policy: { kind: 'round-robin', slowStart } } as const;
  const names = Array.from({ length: 3200 }, (_, index) => `c${index}`);
  const push = (secret: string): void => {
    const tls = upstreamTls({ certificates: [], validation: { secret: reference(secret) } });
    for (let from = 0; from < names.length; from += 32) {
      const some = names.slice(from, from + 32);
      const clusters = some.map((name) => makeCluster({ name, loadBalancer, transport: { kind: 'tls', tls } }));
      const members = some.map((name) => [name, assignment] as const);
      send({ kind: 'snapshot-part', part: packedClusters(clusters, members) });
    }
  };
  const secret = (name: string) =>
    [name, trustSecret(name, { roots: { kind: 'pem', pem: authority.certificate } })] as const;
  push('old');
  const retry = retryPolicy({ retryOn: ['reset'], numRetries: 1, backoffBaseMs: 1, backoffMaxMs: 1 });
  const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('c3199', { retryPolicy: retry }))])]);
  const secrets = { set: [secret('old')], removed: [] };
  const client = await RawClient.open(await serve(1, [httpListener('http', manager)], [], { secrets }));
  t.teardown(() => client.close());
  const answer = ask(client);
  const { socket } = await held.promise;
  push('new');
  await serve(2, [], [], { secrets: { set: [secret('new')], removed: ['old'] } });
  socket?.destroy();
  t.match(await answer, /from the origin$/);
  t.equal(requests, 2);
});
