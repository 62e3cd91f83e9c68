import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import type { TraceProvider } from '../../../config/tracing.ts';
import { withTraceProvider } from '../../../xds/decode/default-trace-provider.ts';
import { manager, tcpProxy, zipkinTracer } from '../../differential-config/config-place.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';

const provider: TraceProvider = {
  kind: 'zipkin',
  name: 'fallback',
  service: { kind: 'http', cluster: 'h', uri: 'http://h/', timeoutMs: 1, headers: [] },
  encoding: 'json',
  traceId128Bit: false,
  sharedSpanContext: true,
  alsoW3c: false,
};
const listenerOf = (yaml: string) => bootstrapOf(yaml).bootstrap.listeners[0]!;
const providerName = ({ filterChains }: Listener) => {
  const filter = filterChains[0]!.filters[0]!;
  return filter.kind === 'http-connection-manager' ? filter.config.tracing?.provider?.name : undefined;
};

t.test('a connection manager that traces and names no provider gets that of the bootstrap', async (t) => {
  const listener = listenerOf(manager('tracing: {random_sampling: {value: 5}}'));
  const complete = withTraceProvider(listener, provider);
  t.equal(providerName(complete), 'fallback');
  t.match(complete.filterChains[0]!.filters[0]!.config, { tracing: { sampling: { randomPerTenThousand: 500 } } });
  t.equal(providerName(listener), undefined, 'the listener that was given is as it was');
  const inDefault = { ...listener, filterChains: [], defaultFilterChain: listener.filterChains[0]! };
  const { defaultFilterChain } = withTraceProvider(inDefault, provider);
  t.equal(providerName({ ...listener, filterChains: [defaultFilterChain!] }), 'fallback');
});

t.test('any other stays as it is', async (t) => {
  const own = listenerOf(zipkinTracer('collector_cluster: h, collector_endpoint: /x'));
  t.equal(withTraceProvider(own, provider), own);
  t.equal(providerName(own), 'p');
  for (const yaml of [manager(''), tcpProxy('cluster: c')]) {
    const listener = listenerOf(yaml);
    t.equal(withTraceProvider(listener, provider), listener);
  }
  const without = listenerOf(manager('tracing: {}'));
  t.equal(withTraceProvider(without, undefined), without);
});
