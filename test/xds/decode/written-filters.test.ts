import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { tcpProxyType, writtenFilters } from '../../../xds/decode/written-filters.ts';

const filter = (name: string) => ({
  name,
  typedConfig: { typeUrl: `a/${tcpProxyType}`, typeName: tcpProxyType, message: { statPrefix: name } },
});

function placesOf(listener: Parameters<typeof writtenFilters>[0]): readonly string[] {
  const problems = new Problems();
  for (const { config, problems: place } of writtenFilters(listener, problems.at('listener'))) {
    place.add(String((config.message as { statPrefix: string }).statPrefix));
  }
  return problems.list.map(({ path, message }) => `${path} ${message}`);
}

t.test('filters come in the order of the file, those of the default chain last, each with its place', async (t) => {
  const listener = {
    defaultFilterChain: { filters: [filter('d')] },
    filterChains: [{ filters: [filter('a'), filter('b')] }, {}, { filters: [{ name: 'bare' }, filter('c')] }],
  };
  t.same(placesOf(listener), [
    'listener.filter_chains[0].filters[0].typed_config a',
    'listener.filter_chains[0].filters[1].typed_config b',
    'listener.filter_chains[2].filters[1].typed_config c',
    'listener.default_filter_chain.filters[0].typed_config d',
  ]);
});

t.test('a listener without filter chains has none', async (t) => {
  t.same(placesOf({}), []);
});
