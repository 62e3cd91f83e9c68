import t from 'tap';
import { FilterChainRuntime } from '../../../proxy/listener/filter-chain-runtime.ts';
import { httpStats, listenerHttpStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { listenerOf } from '../../support/data-plane.ts';
import { answering, makeListenerBench } from '../../support/listener-fixtures.ts';
import { RawClient } from '../../support/raw-client.ts';

const tcpProxy = {
  kind: 'tcp-proxy',
  name: 'tcp',
  config: {
    statPrefix: 'mongo',
    clusters: [],
    totalWeight: 0,
    idleTimeoutMs: 0,
    maxDownstreamConnectionDurationMs: 0,
    maxConnectAttempts: 1,
    accessLogs: [],
    flushAccessLogOnConnected: false,
    accessLogFlushIntervalMs: 0,
  },
} as const;

t.test('an HTTP chain counts under its prefix and under its listener, until it is released', (t) => {
  const { context, store } = makeListenerBench(t);
  const [config] = answering('http', 'x').filterChains;
  const chain = new FilterChainRuntime(config!, { statName: '10.0.0.1_80', isOutbound: false }, context);
  t.ok(store.get(httpStats, 'test'));
  t.ok(store.get(listenerHttpStats, '10.0.0.1_80', 'test'));
  chain.release();
  t.equal(store.get(httpStats, 'test'), undefined);
  t.equal(store.get(listenerHttpStats, '10.0.0.1_80', 'test'), undefined);
  t.end();
});

t.test('a TCP chain counts under its prefix, and drains mean nothing to it', (t) => {
  const { context, store } = makeListenerBench(t);
  const chain = new FilterChainRuntime(
    listenerOf('tcp', tcpProxy).filterChains[0]!,
    { statName: 'tcp', isOutbound: false },
    context,
  );
  t.ok(store.get(tcpStats, 'mongo'));
  t.doesNotThrow(() => {
    chain.drain();
    chain.drainSome(1);
    chain.setClosesAfterResponse(true);
  });
  chain.release();
  t.equal(store.get(tcpStats, 'mongo'), undefined);
  t.end();
});

t.test('a chain that lacks a filter closes its connections at once, and counts them for its listener', async (t) => {
  const { context, store, listen, lines, flushLogs } = makeListenerBench(t);
  const idle = Promise.withResolvers<void>();
  context.onIdle = idle.resolve;
  const format = { kind: 'text', format: '%BYTES_SENT%\n', omitEmptyValues: false } as const;
  const listener = answering('http', 'never', {
    statPrefix: 'in',
    accessLogs: [{ sink: { kind: 'stdout' }, format }],
  });
  const filterChains = listener.filterChains.map((chain) => ({ ...chain, lacksFilter: true as const }));
  const { port } = listen({ ...listener, filterChains });
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  await idle.promise;
  await client.ended();
  t.equal(client.text, '');
  const stats = store.get(listenerStats, 'in')!;
  t.equal(stats.value(listenerStats.networkExtensionConfigMissing), 1);
  t.equal(stats.value(listenerStats.downstreamCxTotal), 1);
  t.equal(stats.value(listenerStats.downstreamCxActive), 0);
  flushLogs();
  t.same(lines, ['0']);
});

t.test('no server is let speak first for a chain that lacks a filter', async (t) => {
  const { context } = makeListenerBench(t);
  const [config] = listenerOf('tcp', tcpProxy).filterChains;
  const owner = { statName: 'tcp', isOutbound: false };
  t.ok(new FilterChainRuntime(config!, owner, context).plainTcp);
  t.equal(new FilterChainRuntime({ ...config!, lacksFilter: true }, owner, context).plainTcp, null);
});
