import t, { type Test } from 'tap';
import type { AccessLog } from '../../../config/access-log.ts';
import type { Address } from '../../../config/address.ts';
import type { FilterChain, FilterChainMatch, InspectorFilter, Listener } from '../../../config/listener.ts';
import { makeSharedLimit } from '../../../proxy/listener/shared-limit.ts';
import { httpInspectorStats, tlsInspectorStats } from '../../../proxy/telemetry/listener-filter-stats.ts';
import { listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { helloBytes, inRecords } from '../../support/client-hellos.ts';
import { answering, type ListenerBench, makeListenerBench } from '../../support/listener-fixtures.ts';
import { RawClient } from '../../support/raw-client.ts';

const tlsInspector: InspectorFilter = {
  kind: 'tls-inspector',
  maxClientHelloBytes: 65_536,
  closesOnParsingErrors: false,
};
const httpInspector: InspectorFilter = { kind: 'http-inspector' };
const format = {
  kind: 'text',
  format: '%FILTER_CHAIN_NAME% %REQUESTED_SERVER_NAME%\n',
  omitEmptyValues: false,
} as const;
const accessLogs: readonly AccessLog[] = [{ sink: { kind: 'stdout' }, format }];

/** Answers every request with its name. */
function chain(name: string, match: Partial<FilterChainMatch> = {}): FilterChain {
  const [plain] = answering(name, name).filterChains;
  return { ...plain!, name, match: { ...plain!.match, ...match } };
}

const byProtocol = [
  chain('http', { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1', 'h2c'] }),
  chain('istio', { transportProtocol: 'tls', applicationProtocols: ['istio'] }),
  chain('exact', { serverNames: ['a.example'] }),
  chain('wildcard', { serverNames: ['*.example'] }),
];

function inspecting(given: Partial<Listener> = {}): Listener {
  return {
    ...answering('in', '', { statPrefix: 'in' }),
    listenerFilters: [tlsInspector, httpInspector],
    listenerFiltersTimeoutMs: 0,
    filterChains: byProtocol,
    defaultFilterChain: chain('default'),
    accessLogs,
    ...given,
  };
}

async function open(t: Test, port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  return client;
}

function stat(bench: ListenerBench, index: number): number {
  return bench.store.get(listenerStats, 'in')!.value(index);
}

/** What the listener's log says of a connection that sent this and was ended by the client. */
async function logged(t: Test, bench: ListenerBench, port: number, bytes: Buffer): Promise<string> {
  const idle = Promise.withResolvers<void>();
  bench.context.onIdle = idle.resolve;
  const client = await open(t, port);
  await client.write(bytes.toString('latin1'));
  client.endWriting();
  await idle.promise;
  bench.flushLogs();
  return bench.lines.splice(0).join('\n').trimEnd();
}

t.test('the first bytes choose the filter chain', async (t) => {
  const bench = makeListenerBench(t);
  const { port } = bench.listen(inspecting());
  const hello = (serverName: string, ...protocols: readonly string[]) =>
    inRecords(helloBytes({ serverName, protocols }));
  t.equal(await logged(t, bench, port, Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')), 'http -');
  t.equal(await logged(t, bench, port, Buffer.from('GET / HTTP/1.0\r\n\r\n')), 'default -');
  t.equal(await logged(t, bench, port, Buffer.from('\0')), 'default -');
  t.equal(await logged(t, bench, port, inRecords(helloBytes({ protocols: ['h2', 'istio'] }))), 'istio -');
  t.equal(await logged(t, bench, port, inRecords(helloBytes({ protocols: ['http/1.1'] }))), 'default -');
  t.equal(await logged(t, bench, port, hello('a.example', 'istio')), 'exact a.example');
  t.equal(await logged(t, bench, port, hello('B.Example', 'h2')), 'wildcard b.example');
  t.equal(await logged(t, bench, port, hello('other.test', 'h2')), 'default other.test');
  t.equal(bench.store.get(tlsInspectorStats)!.value(tlsInspectorStats.tlsFound), 5);
  t.equal(bench.store.get(tlsInspectorStats)!.value(tlsInspectorStats.sniFound), 3);
  t.equal(bench.store.get(httpInspectorStats)!.value(httpInspectorStats.httpNotFound), 1);
});

t.test('a request that comes in pieces is answered whole, and waiting is no connection yet', async (t) => {
  const bench = makeListenerBench(t);
  const { listener, port } = bench.listen(inspecting());
  const client = await open(t, port);
  for (const piece of ['GET ', '/ HTTP', '/1.1\r']) {
    await client.write(piece);
    t.equal(listener.openConnections, 1);
    t.equal(stat(bench, listenerStats.downstreamPreCxActive), 1);
    t.equal(stat(bench, listenerStats.downstreamCxTotal), 0);
  }
  await client.write('\nHost: a\r\n\r\n');
  t.match(await client.until((text) => text.endsWith('\r\n\r\nhttp')), /^HTTP\/1\.1 200 /);
  t.equal(stat(bench, listenerStats.downstreamPreCxActive), 0);
  t.equal(stat(bench, listenerStats.downstreamCxActive), 1);
});

t.test('a request line larger than the kernel keeps for those who do not read arrives too', async (t) => {
  const bench = makeListenerBench(t);
  const { port } = bench.listen(inspecting({ filterChains: [chain('http', { applicationProtocols: ['http/1.1'] })] }));
  const client = await open(t, port);
  await client.write(`GET /${'a'.repeat(65_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  // That is more than the connection manager takes: the chain was chosen, and has read it.
  t.match(await client.ended(), /^HTTP\/1\.1 431 /);
  t.equal(stat(bench, listenerStats.downstreamPreCxTimeout), 0);
});

t.test('a client that leaves while it is waited for is counted and logged, and gives back its place', async (t) => {
  const bench = makeListenerBench(t);
  const limit = makeSharedLimit(1);
  const { listener, port } = bench.listen(inspecting(), { limit });
  for (const [leave, counted] of [
    [(client: RawClient) => client.endWriting(), listenerStats.downstreamListenerFilterRemoteClose],
    [(client: RawClient) => client.reset(), listenerStats.downstreamListenerFilterError],
  ] as const) {
    const idle = Promise.withResolvers<void>();
    bench.context.onIdle = idle.resolve;
    const client = await open(t, port);
    while (listener.openConnections === 0) await client.write('');
    leave(client);
    await idle.promise;
    t.equal(stat(bench, counted), 1);
    bench.flushLogs();
    t.same(bench.lines.splice(0), ['- -']);
  }
  t.equal(new Int32Array(limit.memory)[0], 0);
  t.equal(stat(bench, listenerStats.downstreamPreCxActive), 0);
  t.equal(stat(bench, listenerStats.downstreamCxTotal), 0);
});

t.test('those that wait are within the limits of connections', async (t) => {
  const bench = makeListenerBench(t);
  const { port } = bench.listen(inspecting(), { limit: makeSharedLimit(1) });
  const waiting = await open(t, port);
  await waiting.write('GET');
  const second = await open(t, port);
  t.equal(await second.ended(), '');
  t.equal(stat(bench, listenerStats.downstreamCxOverflow), 1);
});

t.test('who ends after a part of something has sent something else', async (t) => {
  const bench = makeListenerBench(t);
  const { port } = bench.listen(inspecting());
  t.equal(await logged(t, bench, port, Buffer.from('GET / HTT')), 'default -');
  t.equal(await logged(t, bench, port, Buffer.from('\x16\x03')), 'default -');
});

t.test('a client that stays silent is closed after the timeout', async (t) => {
  const bench = makeListenerBench(t);
  const { port } = bench.listen(inspecting({ listenerFiltersTimeoutMs: 5 }));
  t.equal(await (await open(t, port)).ended(), '');
  t.equal(stat(bench, listenerStats.downstreamPreCxTimeout), 1);
  t.equal(stat(bench, listenerStats.downstreamCxTotal), 0);
});

t.test('or goes on as a connection of plain bytes', async (t) => {
  const bench = makeListenerBench(t);
  const plain = chain('plain', { transportProtocol: 'raw_buffer' });
  const options = { listenerFiltersTimeoutMs: 5, continueOnListenerFiltersTimeout: true, filterChains: [plain] };
  const { port } = bench.listen(inspecting(options));
  const client = await open(t, port);
  while (stat(bench, listenerStats.downstreamCxTotal) === 0) await client.write('');
  t.equal(stat(bench, listenerStats.downstreamPreCxTimeout), 1);
  t.equal(stat(bench, listenerStats.downstreamPreCxActive), 0);
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await client.until((text) => text.endsWith('plain')), /^HTTP\/1\.1 200 /);
});

t.test('what a filter refuses is closed without a word', async (t) => {
  const bench = makeListenerBench(t);
  const strict = { ...tlsInspector, maxClientHelloBytes: 300, closesOnParsingErrors: true };
  const { port } = bench.listen(inspecting({ listenerFilters: [strict] }));
  const large = await open(t, port);
  await large.write(inRecords(helloBytes({ serverName: 'a'.repeat(255) })).toString('latin1'));
  await large.ended();
  t.equal(bench.store.get(tlsInspectorStats)!.value(tlsInspectorStats.clientHelloTooLarge), 1);
  const plain = await open(t, port);
  await plain.write('GET / HTTP/1.1\r\n\r\n');
  t.equal(await plain.ended(), '');
  t.equal(bench.store.get(tlsInspectorStats)!.value(tlsInspectorStats.tlsNotFound), 0);
  t.equal(stat(bench, listenerStats.downstreamCxTotal), 0);
});

t.test('a filter that is disabled for the port a connection was headed to does not look', async (t) => {
  const bench = makeListenerBench(t);
  const original: Address = { kind: 'ip', ip: '10.1.2.3', port: 3306 };
  bench.context.originalDestination = () => original;
  const disabledFor = { kind: 'destination-port', firstPort: 3306, endPort: 3307 } as const;
  const disabled = [
    { ...tlsInspector, disabledFor },
    { ...httpInspector, disabledFor },
  ];
  const after = bench.listen(inspecting({ listenerFilters: [{ kind: 'original-dst' }, ...disabled] }));
  const client = await open(t, after.port);
  while (stat(bench, listenerStats.downstreamCxTotal) === 0) await client.write('');
  t.equal(stat(bench, listenerStats.downstreamPreCxActive), 0);
  const before = bench.listen(
    inspecting({ statPrefix: 'before', listenerFilters: [...disabled, { kind: 'original-dst' }] }),
  );
  const waiting = await open(t, before.port);
  while (before.listener.openConnections === 0) await waiting.write('');
  t.equal(bench.store.get(listenerStats, 'before')!.value(listenerStats.downstreamPreCxActive), 1);
});

t.test('a drain lets go of clients that have sent nothing, its end of all', async (t) => {
  const bench = makeListenerBench(t);
  const { listener, port } = bench.listen(inspecting());
  const silent = await open(t, port);
  const sending = await open(t, port);
  await sending.write('GET');
  while (listener.openConnections < 2) await silent.write('');
  listener.drain();
  t.equal(await silent.ended(), '');
  await sending.write(' / HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await sending.ended();
  t.match(answer, /\r\nconnection: close\r\n/);
  t.match(answer, /\r\n\r\nhttp$/);
  const last = await open(t, port);
  await last.write('GET');
  while (stat(bench, listenerStats.downstreamPreCxActive) === 0) await last.write('');
  listener.closeConnections();
  t.equal(await last.ended(), '');
  t.equal(stat(bench, listenerStats.downstreamPreCxActive), 0);
});

t.test('many that wait are served in the order in which their bytes come', async (t) => {
  const bench = makeListenerBench(t);
  const { listener, port } = bench.listen(inspecting());
  const clients = await Promise.all(Array.from({ length: 20 }, () => open(t, port)));
  while (listener.openConnections < 20) await clients[0]!.write('');
  for (const client of clients.reverse()) {
    await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => text.endsWith('http'));
  }
  t.equal(stat(bench, listenerStats.downstreamCxTotal), 20);
  t.equal(stat(bench, listenerStats.downstreamPreCxActive), 0);
});
