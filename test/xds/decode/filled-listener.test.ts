import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { type FillingOf, filledListener, lacksFilter } from '../../../xds/decode/filled-listener.ts';
import { decodeListener } from '../../../xds/decode/listener.ts';
import type { HttpConnectionManager, Listener } from '../../../xds/generated/messages.ts';
import { alpnConfig, discoveringListener, discovery, tcpListener } from '../../support/assembly-bench.ts';
import { messageOf } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const messageOfListener = (yaml: string) => messageOf('envoy.config.listener.v3.Listener', yaml) as Listener;
const http = messageOfListener(discoveringListener('l', 1000, { f: '' }));
const tcp = messageOfListener(tcpListener('l', 1000, 'c').replace(/typed_config: \{.*?\}/, discovery()));
const alpn = messageOf('envoy.config.core.v3.TypedExtensionConfig', `{name: f, typed_config: ${alpnConfig('a')}}`);

function filled(listener: Listener, filling: ReturnType<FillingOf>) {
  const problems = new Problems();
  const decoded = decodeListener(
    filledListener(listener, () => filling),
    new Map(),
    problems,
  );
  if (!problems.isEmpty) throw new Error(JSON.stringify(problems.list));
  const { kind, config } = decoded!.filterChains[0]!.filters.at(-1)!;
  return { kind, ...config };
}

t.test('what came stands where it was discovered', async (t) => {
  const config = alpn['typedConfig'] as ReturnType<FillingOf>;
  t.match(filled(http, config), { alpnOverride: { http11: onlyItems('a') }, routes: { routes: { name: 'l' } } });
});

t.test('in place of what is awaited nothing is done, and all else is there', async (t) => {
  t.match(filled(http, 'awaited'), { kind: 'http-connection-manager', httpFilters: onlyItems({ kind: 'router' }) });
  t.notOk('alpnOverride' in filled(http, 'awaited'));
  t.match(filled(tcp, 'awaited'), { kind: 'tcp-proxy' });
});

t.test('where something is missing requests get 500 and connections are closed', async (t) => {
  t.match(filled(http, 'missing'), {
    routes: {
      routes: {
        virtualHosts: onlyItems({
          domains: onlyItems('*'),
          routes: onlyItems({ match: { path: { value: '/' } }, action: { status: 500 } }),
        }),
      },
    },
  });
  t.match(filled(tcp, 'missing'), { clusters: onlyItems({ name: 'configuration of the filter "missing"' }) });
});

t.test(
  'a chain lacks a filter where a network filter is missing, not where one is awaited, or one of HTTP',
  async (t) => {
    const lacks = (listener: Listener, filling: ReturnType<FillingOf>) =>
      filledListener(listener, () => filling).filterChains?.map(lacksFilter);
    t.same(lacks(tcp, 'missing'), [true]);
    t.same(lacks(tcp, 'awaited'), [false]);
    t.same(lacks(http, 'missing'), [false], 'requests are answered');
  },
);

t.test('… also where the router is missing, and in the default filter chain', async (t) => {
  const { filterChains, ...rest } = http;
  const chain = filterChains![0]!;
  const manager = chain.filters![0]!.typedConfig!;
  const message = manager.message as HttpConnectionManager;
  const withoutRouter = { ...message, httpFilters: message.httpFilters!.slice(0, 1) };
  const filters = [{ name: 'http', typedConfig: { ...manager, message: withoutRouter } }];
  const listener = { ...rest, filterChains: [{ ...chain, filters }] };
  t.match(filled(listener, 'missing'), {
    httpFilters: onlyItems({ kind: 'router' }),
    routes: { routes: { virtualHosts: onlyItems({ domains: onlyItems('*') }) } },
  });
  const filledDefault = filledListener({ ...rest, defaultFilterChain: { filters } }, () => 'missing');
  t.match(filledDefault.defaultFilterChain, {
    filters: onlyItems({
      typedConfig: { message: { routeConfig: { virtualHosts: onlyItems({ domains: onlyItems('*') }) } } },
    }),
  });
});
