import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeListener } from '../../../xds/decode/listener.ts';
import { decodeWrittenListener } from '../../../xds/decode/written-listener.ts';
import type { Listener } from '../../../xds/generated/messages.ts';
import {
  alpnConfig,
  discoveringListener,
  discovery,
  inlineListener,
  tcpListener,
} from '../../support/assembly-bench.ts';
import { bootstrapOf, messageOf } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const decodeWhole = (message: Listener, problems: Problems) => decodeListener(message, new Map(), problems);

function decoded(yaml: string) {
  const problems = new Problems();
  const message = messageOf('envoy.config.listener.v3.Listener', yaml) as Listener;
  const value = decodeWrittenListener(message, decodeWhole, problems);
  return { value, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('a listener that discovers nothing is what it is', async (t) => {
  const { value, problems } = decoded(inlineListener('l', 1000));
  t.match(value, { listener: { name: 'l' }, discovered: noItems });
  t.same(problems, []);
});

t.test('one that discovers is itself with defaults, until it is filled', async (t) => {
  const fields = { f: `default_config: ${alpnConfig('a')}` };
  const { value } = decoded(discoveringListener('l', 1000, fields));
  t.match(value?.discovered, onlyItems({ name: 'f' }));
  const manager = {
    filterChains: onlyItems({ filters: onlyItems({ config: { alpnOverride: { http11: onlyItems('a') } } }) }),
  };
  t.match(value?.listener, manager);
  t.notMatch(
    value?.fill(() => 'awaited', new Problems()),
    manager,
  );
});

t.test('network filters are discovered too; what else is wrong is found at once', async (t) => {
  const type = 'type_urls: [t/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy]';
  const whole = tcpListener('l', 1000, 'c').replace(/typed_config: \{.*?\}/, discovery(type));
  t.match(decoded(whole).value?.discovered, onlyItems({ name: 'tcp' }));
  t.matchOnly(decoded(whole.replace('127.0.0.1', 'a.example')).problems, [/^address/]);
});

t.test('a filter chain says that it lacks a network filter, the default one too', async (t) => {
  const type = 'type_urls: [t/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy]';
  const whole = tcpListener('l', 1000, 'c').replace(/typed_config: \{.*?\}/, discovery(type));
  const withDefault = whole.replace(/filter_chains: \[(.*)\]\}$/, 'filter_chains: [$1], default_filter_chain: $1}');
  const { value } = decoded(withDefault);
  const missing = value?.fill(() => 'missing', new Problems());
  t.equal(missing?.filterChains[0]?.lacksFilter, true);
  t.equal(missing?.defaultFilterChain?.lacksFilter, true);
  t.notOk('lacksFilter' in value!.listener.filterChains[0]!);
});

t.test('only filters of their place may come, and none of listeners', async (t) => {
  const path = 'filter_chains\\[0\\]\\.filters\\[0\\]';
  const whole = tcpListener('l', 1000, 'c').replace(/typed_config: \{.*?\}/, discovery());
  t.matchOnly(decoded(whole).problems, [
    new RegExp(`^${path}\\.config_discovery\\.type_urls\\[0\\]: istio.* is not supported`),
  ]);
});

t.test('a static listener cannot discover', async (t) => {
  const yaml = `static_resources: {listeners: [${discoveringListener('l', 1000, { f: '' })}]}`;
  t.throws(
    () => bootstrapOf(yaml),
    /http_filters\[0\]\.config_discovery: config_discovery is not supported; only listeners of a control plane/,
  );
});
