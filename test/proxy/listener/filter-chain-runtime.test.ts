import t from 'tap';
import { FilterChainRuntime } from '../../../proxy/listener/filter-chain-runtime.ts';
import { httpStats, listenerHttpStats } from '../../../proxy/telemetry/http-stats.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { listenerOf } from '../../support/data-plane.ts';
import { answering, makeListenerBench } from '../../support/listener-fixtures.ts';

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
