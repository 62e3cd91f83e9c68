// What a client does in either protocol: connections, time, and peers that misbehave.

import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType, listenerType, type Protocol } from '../../support/discovery-messages.ts';

const protocols: readonly Protocol[] = ['delta', 'state-of-the-world'];
const types = [clusterType, endpointType, listenerType];

function started(protocol: Protocol, options: Parameters<typeof playedClient>[2] = {}) {
  const played = playedClient(protocol, types, options);
  played.client.subscribe(clusterType, '*', 0);
  played.client.start();
  return { ...played, stream: played.transport.last, clusters: played.consumers.get(clusterType)! };
}

for (const protocol of protocols) {
  t.test(`${protocol}: the node is in the first message of each stream only`, async (t) => {
    const { client, stream, time, transport } = started(protocol);
    client.subscribe(endpointType, 'a', 0);
    time.endTurn();
    stream.respond({ type: clusterType, nonce: 'n1' });
    t.same(
      stream.requests.map(({ node }) => node),
      ['me', '', ''],
    );
    stream.end();
    time.advance(30_000);
    t.same(
      transport.last.requests.map(({ node }) => node),
      ['me', ''],
    );
  });

  t.test(`${protocol}: the node is in every message where that is asked for`, async (t) => {
    const { stream } = started(protocol, { setNodeOnFirstMessageOnly: false });
    stream.respond({ type: clusterType, nonce: 'n1' });
    t.same(
      stream.requests.map(({ node }) => node),
      ['me', 'me'],
    );
  });

  t.test(`${protocol}: changes of one turn travel in one request of each type`, async (t) => {
    const { client, stream, time } = started(protocol);
    stream.take();
    for (const name of ['a', 'b', 'b', 'c']) client.subscribe(endpointType, name, 0);
    client.subscribe(listenerType, '*', 0);
    client.unsubscribe(endpointType, 'c');
    t.same(stream.take(), []);
    time.endTurn();
    const requests = stream.take();
    t.same(
      requests.map(({ type, subscribe, names }) => [type, subscribe ?? names]),
      [
        [endpointType, ['a', 'b']],
        [listenerType, undefined],
      ],
    );
  });

  t.test(`${protocol}: a name that is in a response twice is refused, and the others apply`, async (t) => {
    const { stream, clusters } = started(protocol);
    stream.take();
    const resources = [{ name: 'a' }, { name: 'b' }, { name: 'a' }];
    stream.respond({ type: clusterType, nonce: 'n1', resources });
    t.equal(stream.take()[0]?.error, 'a: is in the response more than once');
    t.same(clusters.take(), ['+b@']);
  });

  t.test(`${protocol}: a resource of another type than its response is refused`, async (t) => {
    const { stream, clusters } = started(protocol);
    stream.take();
    const resources = [{ name: 'a', type: listenerType }, { name: 'b' }];
    stream.respond({ type: clusterType, nonce: 'n1', resources });
    const who = protocol === 'delta' ? 'a' : 'resources[0]';
    t.equal(stream.take()[0]?.error, `${who}: is a ${listenerType}, and was sent as a ${clusterType}`);
    t.same(clusters.take(), ['+b@']);
  });

  t.test(`${protocol}: bytes that are no response end the stream, and the client comes back`, async (t) => {
    const { stream, transport, time, client, clusters } = started(protocol);
    stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a' }] });
    stream.respondBytes(Uint8Array.of(0x0a, 200));
    t.ok(stream.isCancelled);
    t.match(client.status().connection, { kind: 'waiting', lastError: /cannot be read/ });
    t.same(clusters.take(), ['+a@'], 'what is held is kept');
    time.advance(500);
    t.equal(transport.streams.length, 2);
  });

  t.test(`${protocol}: a name that does not come within its time is absent, once`, async (t) => {
    const { client, stream, consumers, time } = started(protocol);
    const endpoints = consumers.get(endpointType)!;
    client.subscribe(endpointType, 'comes', 15_000);
    client.subscribe(endpointType, 'late', 15_000);
    client.subscribe(endpointType, 'let go', 15_000);
    client.subscribe(endpointType, 'waits for ever', 0);
    time.endTurn();
    time.advance(10_000);
    stream.respond({ type: endpointType, nonce: 'n1', resources: [{ name: 'comes' }] });
    client.unsubscribe(endpointType, 'let go');
    time.advance(4999);
    t.same(endpoints.take(), ['+comes@']);
    time.advance(1);
    t.same(endpoints.take(), ['?late']);
    time.advance(1_000_000);
    t.same(endpoints.take(), []);
    stream.respond({ type: endpointType, nonce: 'n2', resources: [{ name: 'late' }] });
    t.same(endpoints.take(), ['+late@'], 'it may come later');
  });

  t.test(`${protocol}: a type of which nothing comes is absent as a whole, also without a connection`, async (t) => {
    const { client, consumers, time, transport, clusters } = started(protocol);
    client.subscribe(listenerType, '*', 15_000);
    transport.last.end();
    time.advance(15_000);
    t.same(consumers.get(listenerType)!.take(), ['?*']);
    t.same(clusters.take(), []);
  });

  t.test(`${protocol}: any response of a type ends the wait for it, even an empty one`, async (t) => {
    const { client, stream, consumers, time } = started(protocol);
    client.subscribe(listenerType, '*', 15_000);
    time.endTurn();
    stream.respond({ type: listenerType, nonce: 'n1' });
    time.advance(15_000);
    t.same(consumers.get(listenerType)!.take(), []);
    t.equal(consumers.get(listenerType)!.updates, 1, 'and is told');
  });

  t.test(`${protocol}: a resource with a time to live goes when it is not renewed`, async (t) => {
    const { stream, time, clusters, transport } = started(protocol);
    const lasting = { isWrapped: true, version: '1' };
    const send = (resources: readonly { name: string; ttlMs?: number; isHeartbeat?: boolean }[]) =>
      stream.respond({ type: clusterType, nonce: 'n', resources: resources.map((r) => ({ ...lasting, ...r })) });
    send([{ name: 'a', ttlMs: 5000 }, { name: 'b', ttlMs: 5000 }, { name: 'c' }]);
    clusters.take();
    time.advance(4000);
    send([{ name: 'a', ttlMs: 5000, isHeartbeat: true }]);
    t.same(clusters.take(), ['~a']);
    time.advance(1000);
    t.same(clusters.take(), ['-b']);
    stream.end();
    time.advance(4000);
    t.same(clusters.take(), ['-a'], 'also without a connection');
    transport.last.respond({
      type: clusterType,
      nonce: 'n',
      resources: [{ name: 'a', ttlMs: 1000, ...lasting }, { name: 'c' }],
    });
    transport.last.respond({ type: clusterType, nonce: 'n', resources: [{ name: 'a' }, { name: 'c' }] });
    clusters.take();
    time.advance(100_000);
    t.same(clusters.take(), [], 'and stays when it comes without one');
  });

  t.test(`${protocol}: a refused resource does not renew what is held`, async (t) => {
    const { stream, time, clusters } = started(protocol);
    const a = { name: 'a', version: '1', ttlMs: 5000, isWrapped: true };
    stream.respond({ type: clusterType, nonce: 'n1', resources: [a] });
    clusters.refuses.set('a', [{ path: '', message: 'no' }]);
    time.advance(4000);
    stream.respond({ type: clusterType, nonce: 'n2', resources: [{ ...a, version: '2' }] });
    time.advance(1000);
    t.same(clusters.take(), ['+a@1', '-a']);
  });

  t.test(`${protocol}: status says what was acknowledged, refused, held and received`, async (t) => {
    const { stream, client, clusters, time } = started(protocol);
    t.same(client.status().connection, { kind: 'connecting' });
    clusters.onTold = () => time.advance(3);
    stream.respond({ type: clusterType, version: '1', nonce: 'n1', controlPlane: 'cp', resources: [{ name: 'a' }] });
    clusters.refuses.set('b', [{ path: '', message: 'no' }]);
    stream.respond({ type: clusterType, version: '2', nonce: 'n2', resources: [{ name: 'a' }, { name: 'b' }] });
    const { types, ...source } = client.status();
    t.same(source, {
      name: 'ads',
      target: 'a test',
      protocol,
      connection: { kind: 'connected', sinceMs: 1_000_000, controlPlane: 'cp' },
    });
    const { bytesReceived, ...status } = types[0]!;
    t.ok(bytesReceived > 100);
    t.same(status, {
      typeUrl: clusterType,
      isWildcard: true,
      subscribed: [],
      heldCount: 1,
      version: '2',
      responses: 2,
      lastApplyMs: 3,
      lastAck: { version: '1', atMs: 1_000_003 },
      lastNack: { version: '2', atMs: 1_000_006, text: 'b: no' },
    });
  });

  t.test(`${protocol}: an observer is told what is to be counted`, async (t) => {
    const seen: unknown[] = [];
    const { stream, client, time, clusters } = started(protocol, {
      observer: {
        onConnection: ({ kind }) => seen.push(kind),
        onFailure: (source) => seen.push(`failure of ${source}`),
        onSubscribe: (_type, name) => seen.push(`+${name}`),
        onUnsubscribe: (_type, name) => seen.push(`-${name}`),
        onResponse: ({ names, removed, refused, version, isWhole, hasNamed }) => {
          const says = [...names, ...removed.map((name) => `-${name}`)];
          seen.push([version, says, refused.map(({ name }) => name), { isWhole, hasNamed }]);
        },
        onFetchTimeout: (_type, name) => seen.push(name),
      },
    });
    clusters.refuses.set('b', [{ path: '', message: 'no' }]);
    stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }, { name: 'b' }] });
    client.subscribe(endpointType, 'a', 10);
    client.subscribe(endpointType, 'a', 10);
    time.endTurn();
    time.advance(10);
    stream.respond({ type: endpointType, version: '2', nonce: 'n2', resources: [{ name: 'a' }] });
    client.unsubscribe(endpointType, 'a');
    client.unsubscribe(endpointType, 'a');
    stream.end();
    t.same(seen, [
      '+*',
      'connecting',
      'connected',
      ['1', ['a', 'b'], ['b'], { isWhole: true, hasNamed: false }],
      '+a',
      'a',
      ['2', ['a'], [], { isWhole: false, hasNamed: true }],
      '-a',
      'waiting',
      'failure of ads',
    ]);
  });

  t.test(`${protocol}: a peer that does not read gets no more changes until it does`, async (t) => {
    const { stream, client, time } = started(protocol);
    stream.take();
    stream.pending = 65;
    for (let i = 0; i < 1000; i++) {
      client.subscribe(endpointType, `name ${i}`, 0);
      time.endTurn();
    }
    time.advance(1000);
    t.same(stream.take(), []);
    t.equal(time.waits.length, 1, 'one timer waits for it');
    stream.pending = 0;
    time.advance(100);
    const requests = stream.take();
    t.equal(requests.length, 1, 'all of it is one request');
    t.equal((requests[0]?.subscribe ?? requests[0]?.names)?.length, 1000);
  });

  t.test(`${protocol}: a peer that pushes and does not read the answers is given up`, async (t) => {
    const { stream, client } = started(protocol);
    stream.pending = 1025;
    stream.respond({ type: clusterType, nonce: 'n1' });
    t.ok(stream.isCancelled);
    t.match(client.status().connection, { kind: 'waiting', lastError: /does not read/ });
  });

  t.test(`${protocol}: nothing happens after stop`, async (t) => {
    const { stream, client, time, transport, clusters } = started(protocol);
    client.subscribe(endpointType, 'a', 1000);
    const resources = [{ name: 'a', ttlMs: 1000, isWrapped: true }];
    stream.respond({ type: clusterType, nonce: 'n1', resources });
    clusters.take();
    stream.take();
    client.stop();
    t.ok(stream.isCancelled && transport.isClosed);
    stream.respond({ type: clusterType, nonce: 'n2' });
    stream.end();
    time.advance(100_000);
    t.same([clusters.take(), stream.take(), time.waits, transport.streams.length], [[], [], [], 1]);
  });
}

t.test('what is subscribed to before the start is asked for in the order of the consumers', async (t) => {
  const { client, transport } = playedClient('delta', types);
  for (const type of [...types].reverse()) client.subscribe(type, 'a', 0);
  t.equal(transport.streams.length, 0);
  client.start();
  t.same(
    transport.last.take().map(({ type }) => type),
    types,
  );
});

t.test('refusals, late resources and lost streams are warnings', async (t) => {
  const { stream, clusters, client, time, logged } = started('delta');
  clusters.refuses.set('a', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a' }] });
  client.subscribe(endpointType, 'a', 10);
  client.subscribe(listenerType, '*', 20);
  time.advance(20);
  stream.end();
  t.same(
    logged.filter((line) => line.startsWith('warning')),
    [
      'warning refused resources; what was accepted of them before, if anything, stays in use',
      'warning a resource did not come within its initial_fetch_timeout; what needs it goes on without it',
      'warning nothing came within the initial_fetch_timeout; the start goes on without it',
      'warning the stream to the control plane ended; what was accepted, if anything, stays in use',
    ],
  );
});

t.test('a consumer may stop the client while it is told', async (t) => {
  const { stream, clusters, client } = started('delta');
  stream.take();
  clusters.onTold = () => client.stop();
  stream.respond({ type: clusterType, nonce: 'n1' });
  t.same(stream.take(), []);
});

t.test('a control plane that thinks of endless types cannot fill the log', async (t) => {
  const { stream, logged } = started('delta');
  for (let index = 0; index < 100; index++) stream.respond({ type: `type.googleapis.com/t.T${index}`, nonce: 'n' });
  t.equal(logged.filter((line) => line.startsWith('warning passed over')).length, 32);
});

t.test('a type without a consumer cannot be subscribed to', async (t) => {
  const { client } = started('delta');
  t.throws(() => client.subscribe('type.googleapis.com/a.B', 'a', 0), { message: /ads has no consumer of .*a\.B/ });
});

t.test('a mesh of ten thousand clusters is one response and one answer', async (t) => {
  const { stream, clusters, client, time } = started('delta');
  stream.take();
  const resources = Array.from({ length: 10_000 }, (_, i) => ({ name: `c${i}`, text: 'x'.repeat(1000) }));
  stream.respond({ type: clusterType, nonce: 'n1', resources });
  for (let turn = 0; turn < 3; turn++) time.endTurn();
  t.equal(clusters.held.size, 10_000);
  t.same(stream.take(), [{ type: clusterType, nonce: 'n1' }]);
  t.ok(client.status().types[0]!.bytesReceived > 10_000_000);
});

t.test('a peer that reads is not given up for the answers to what waited behind a large response', async (t) => {
  const { client, transport, time, consumers } = playedClient('delta', types);
  client.subscribe(clusterType, '*', 0);
  client.start();
  const stream = transport.last;
  consumers.get(clusterType)!.prepare = function* slowStep() {
    time.nowMs += 10;
    yield;
  };
  // As a connection does: what is sent in a turn is under way at its end.
  stream.send = () => void stream.pending++;
  const resources = [{ name: 'a', text: 'x'.repeat(40_000) }];
  stream.respond({ type: clusterType, nonce: 'n', resources });
  for (let i = 0; i < 1100; i++) stream.respond({ type: clusterType, nonce: `n${i}` });
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.equal(stream.pending, 1 + 1100, 'all are answered');
  for (let i = 0; i < 1023; i++) stream.respond({ type: clusterType, nonce: `later ${i}` });
  t.notOk(stream.isCancelled);
  stream.pending = 1024;
  stream.respond({ type: clusterType, nonce: 'one more' });
  t.ok(stream.isCancelled, 'once it had read those, as many as ever');
});

t.test('a type that no other refers to does not wait behind a large response, nor that for it', async (t) => {
  const { client, transport, time, consumers } = playedClient('delta', types);
  const [clusters, endpoints] = [consumers.get(clusterType)!, consumers.get(endpointType)!];
  Object.assign(endpoints.type, { isApart: true });
  client.subscribe(clusterType, '*', 0);
  client.subscribe(endpointType, 'a', 0);
  client.start();
  const stream = transport.last;
  stream.take();
  clusters.prepare = function* slowStep() {
    time.nowMs += 10;
    yield;
  };
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'c', text: 'x'.repeat(40_000) }] });
  stream.respond({ type: endpointType, nonce: 'n2', resources: [{ name: 'a' }] });
  t.same([endpoints.take(), clusters.take()], [['+a@'], []]);
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(clusters.take(), ['+c@']);
  t.same(stream.take(), [
    { type: endpointType, nonce: 'n2' },
    { type: clusterType, nonce: 'n1' },
  ]);
});
