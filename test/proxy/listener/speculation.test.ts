// Orders in which a client and a server may speak, through a listener that looks for TLS and HTTP. Time is the test's.

import t, { type Test } from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { SILENCE_MS } from '../../../proxy/listener/speculation.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { serverFirstStats } from '../../../proxy/telemetry/server-first-stats.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import {
  assertNothingLeft,
  counted,
  open,
  permissive,
  plainTcp,
  type Scene,
  stat,
} from '../../support/server-first-scene.ts';
import { downstreamTls } from '../../support/tls-config-fixtures.ts';

interface Order {
  readonly name: string;
  readonly refuses?: boolean;
  /** Ends with both sides gone. */
  readonly play: (t: Test, scene: Scene) => Promise<void>;
  readonly counts: Readonly<Record<string, number>>;
  readonly isClassified?: boolean;
}

const orders: readonly Order[] = [
  {
    name: 'the server speaks first',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      server.write('220 hello');
      await client.until((text) => text === '220 hello');
      await client.write('EHLO');
      t.equal(await server.received(4), 'EHLO');
      server.write(' 250 ok');
      server.stream.endWriting();
      client.endWriting();
      t.equal(await client.ended(), '220 hello 250 ok');
      await settle();
    },
    counts: { openedTotal: 1, usedTotal: 1, verdictsTotal: 1 },
    isClassified: true,
  },
  {
    name: 'the server speaks first and ends at once',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      server.write('the time');
      server.stream.endWriting();
      await client.until((text) => text === 'the time');
      client.endWriting();
      t.equal(await client.ended(), 'the time');
      await settle();
    },
    counts: { openedTotal: 1, usedTotal: 1, verdictsTotal: 1 },
    isClassified: true,
  },
  {
    name: 'the client speaks before its silence counts',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS / 5);
      await client.write('\0hi');
      const server = await endpoint();
      t.equal(await server.received(3), '\0hi');
      client.endWriting();
      server.stream.endWriting();
      await client.ended();
      await settle();
    },
    counts: {},
  },
  {
    name: 'the client speaks late, for the chain that was expected',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      await client.write('\0hi');
      t.equal(await server.received(3), '\0hi');
      server.write('yes');
      server.stream.endWriting();
      client.endWriting();
      t.equal(await client.ended(), 'yes');
      await settle();
    },
    counts: { openedTotal: 1, usedTotal: 1 },
  },
  {
    name: 'the client speaks late, in pieces, for another chain; what the server says meanwhile is nobody’s',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      await client.write('GET / HT');
      await settle();
      server.write('too late');
      await settle();
      t.equal(client.text, '');
      await client.write('TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      t.match(await client.ended(), /^HTTP\/1\.1 200 /);
      client.close();
      await server.saw('end');
      server.stream.close();
      t.equal(server.text, '');
      await settle();
    },
    counts: { openedTotal: 1, unusedTotal: 1 },
  },
  {
    name: 'the client speaks in pieces, and what the server said meanwhile is not lost',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      await client.write('GET');
      await settle();
      server.write('220 hello');
      await settle();
      await client.write('\0');
      t.equal(await server.received(4), 'GET\0');
      await client.until((text) => text === '220 hello');
      server.stream.endWriting();
      client.endWriting();
      t.equal(await client.ended(), '220 hello');
      await settle();
    },
    counts: { openedTotal: 1, usedTotal: 1 },
  },
  {
    name: 'both speak at once: the client decides',
    play: async (t, { bench, pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      // The client's bytes are in the kernel before the reactor hears of the server's.
      server.write('220 hello');
      const written = client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      t.equal(bench.store.get(serverFirstStats)?.value(serverFirstStats.verdictsTotal), 0);
      await written;
      t.match(await client.ended(), /^HTTP\/1\.1 200 /);
      client.close();
      await settle();
    },
    counts: { openedTotal: 1, unusedTotal: 1 },
  },
  {
    name: 'nobody ever speaks, and the client goes in order',
    play: async (_, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      await pass(3_600_000);
      client.endWriting();
      await server.saw('end');
      server.stream.close();
      await settle();
    },
    counts: { openedTotal: 1, unusedTotal: 1 },
  },
  {
    name: 'the client resets its connection while its endpoint is waited for',
    play: async (_, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      client.reset();
      await server.saw('end');
      server.stream.close();
      await settle();
    },
    counts: { openedTotal: 1, unusedTotal: 1 },
  },
  {
    name: 'the client goes before its silence counts',
    play: async (_, { pass, client, settle }) => {
      client.endWriting();
      await settle();
      await pass(10 * SILENCE_MS);
    },
    counts: {},
  },
  {
    name: 'the server refuses: the client may still speak HTTP, and nothing is tried again',
    refuses: true,
    play: async (t, { pass, client, settle }) => {
      await pass(SILENCE_MS);
      await pass(10 * SILENCE_MS);
      await client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      t.match(await client.ended(), /^HTTP\/1\.1 200 /);
      client.close();
      await settle();
    },
    counts: { openedTotal: 1, failedTotal: 1 },
  },
  {
    name: 'the server ends without a word: a client that speaks has a connection of its own',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      (await endpoint()).stream.close();
      await settle();
      await client.write('\0hi');
      const server = await endpoint();
      t.equal(await server.received(3), '\0hi');
      client.endWriting();
      server.stream.endWriting();
      await client.ended();
      await settle();
    },
    counts: { openedTotal: 1, failedTotal: 1 },
  },
  {
    name: 'the server speaks and resets',
    play: async (t, { pass, client, endpoint, settle }) => {
      await pass(SILENCE_MS);
      const server = await endpoint();
      server.write('x');
      await client.until((text) => text === 'x');
      server.stream.reset();
      await client.ended();
      t.equal(client.outcome, 'ECONNRESET');
      await settle();
    },
    counts: { openedTotal: 1, usedTotal: 1, verdictsTotal: 1 },
    isClassified: true,
  },
];

for (const { name, refuses = false, play, counts, isClassified = false } of orders) {
  t.test(name, async (t) => {
    const scene = await open(t, permissive, { refuses });
    await play(t, scene);
    t.same(counted(scene), counts);
    t.equal(scene.classified.length, isClassified ? 1 : 0);
    await scene.settle();
    assertNothingLeft(t, scene);
  });
}

t.test('a verdict takes the wait from the client’s next connection, until the client speaks first', async (t) => {
  const scene = await open(t);
  await scene.pass(SILENCE_MS);
  (await scene.endpoint()).write('hello');
  await scene.client.until((text) => text === 'hello');
  t.matchOnly(scene.classified, [/^127\.0\.0\.1:\d+$/]);
  const second = await scene.connect();
  (await scene.endpoint()).write('again');
  await second.until((text) => text === 'again');
  t.equal(scene.classified.length, 1);
  const third = await scene.connect();
  await scene.endpoint();
  await third.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await third.until((text) => text.endsWith('http'));
  await scene.connect();
  t.match(counted(scene), { openedTotal: 3, usedTotal: 2, unusedTotal: 1 });
});

t.test('a client that speaks at once is looked at first also where a verdict is known', async (t) => {
  const scene = await open(t);
  await scene.pass(SILENCE_MS);
  (await scene.endpoint()).write('hello');
  await scene.client.until((text) => text === 'hello');
  const second = await scene.connect();
  await second.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await second.until((text) => text.endsWith('http')), /^HTTP\/1\.1 200 /);
});

t.test('nothing is opened where plain bytes go nowhere, to HTTP, or to TLS', async (t) => {
  const [httpChain, tcpChain] = permissive.filterChains!;
  const tls = { ...tcpChain!.match, transportProtocol: 'tls' as const };
  for (const [why, filterChains] of [
    ['TLS only', [{ ...tcpChain!, match: tls, tls: downstreamTls() }]],
    ['TLS whatever comes', [{ ...tcpChain!, match: plainTcp!.match, tls: downstreamTls() }]],
    ['plain only for another protocol', [{ ...tcpChain!, match: httpChain!.match }]],
    ['plain only for other destinations', [{ ...tcpChain!, match: { ...plainTcp!.match, destinationPort: 1 } }]],
    ['HTTP', [{ ...httpChain!, match: plainTcp!.match }]],
  ] as const satisfies readonly (readonly [string, Listener['filterChains']])[]) {
    const scene = await open(t, { filterChains });
    await scene.pass(SILENCE_MS);
    await scene.pass(10 * SILENCE_MS);
    t.same(counted(scene), {}, why);
    t.equal(scene.bench.store.get(clusterStats, 'app')?.value(clusterStats.upstreamCxTotal) ?? 0, 0, why);
    scene.client.close();
    await scene.settle();
    assertNothingLeft(t, scene);
  }
});

t.test('silence is not timed where no plain bytes are let through', async (t) => {
  const [httpChain, tcpChain] = permissive.filterChains!;
  const tls = { ...tcpChain!, tls: downstreamTls() };
  for (const [why, filterChains] of [
    ['TLS', [httpChain!, tls]],
    ['HTTP', [httpChain!]],
  ] as const) {
    const scene = await open(t, { filterChains });
    t.equal(scene.bench.context.http.reactor.timers.armedCount, 0, why);
    scene.client.close();
    await scene.settle();
  }
});

t.test('a circuit breaker that is open is respected without a word', async (t) => {
  const scene = await open(t);
  const cluster = scene.bench.context.http.clusters.get('app')!;
  let taken = 0;
  while (cluster.breakers.default.tryAcquireConnection()) taken++;
  await scene.pass(SILENCE_MS);
  t.same(counted(scene), {});
  while (taken-- > 0) cluster.breakers.default.releaseConnection();
});

t.test('the timeout of the filters ends a wait with an endpoint, or makes it a connection', async (t) => {
  for (const continueOnListenerFiltersTimeout of [false, true]) {
    const given = { ...permissive, listenerFiltersTimeoutMs: 1000, continueOnListenerFiltersTimeout };
    const scene = await open(t, given);
    await scene.pass(SILENCE_MS);
    const server = await scene.endpoint();
    await scene.pass(1000);
    t.equal(stat(scene, listenerStats.downstreamPreCxTimeout), 1);
    t.equal(stat(scene, listenerStats.downstreamPreCxActive), 0);
    t.equal(stat(scene, listenerStats.downstreamCxTotal), continueOnListenerFiltersTimeout ? 1 : 0);
    t.match(counted(scene), continueOnListenerFiltersTimeout ? { usedTotal: 1 } : { unusedTotal: 1 });
    if (continueOnListenerFiltersTimeout) {
      await scene.client.write('hi');
      t.equal(await server.received(2), 'hi');
    } else {
      await server.saw('end');
    }
    server.stream.close();
    scene.client.close();
    await scene.settle();
  }
});

t.test('a drain lets the silent client go and its endpoint with it, but not one whose server has spoken', async (t) => {
  const scene = await open(t);
  await scene.pass(SILENCE_MS);
  (await scene.endpoint()).write('hello');
  await scene.client.until((text) => text === 'hello');
  const silent = await scene.connect();
  const server = await scene.endpoint();
  scene.listener.drain();
  t.equal(await silent.ended(), '');
  await server.saw('end');
  server.stream.close();
  await scene.settle();
  t.equal(scene.listener.openConnections, 1);
  t.equal(scene.client.outcome, undefined);
  t.equal(scene.bench.store.get(tcpStats, 'tcp')?.value(tcpStats.downstreamCxTotal), 1);
});
