import t from 'tap';
import { checkClusterFilters } from '../../../xds/decode/cluster-filter.ts';
import type { Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const problemsOf = (filters: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, filters: [${filters}]}`, (message: Cluster, problems) =>
    checkClusterFilters(message.filters, problems.at('filters')),
  ).problems;
const metadataExchange = 'envoy.tcp.metadataexchange.config.MetadataExchange';

t.test("Istio's exchange of metadata is accepted, also as a TypedStruct", async (t) => {
  t.same(problemsOf(`{name: f, typed_config: {"@type": a/${metadataExchange}, protocol: istio-peer-exchange}}`), []);
  const struct = `{"@type": a/udpa.type.v1.TypedStruct, type_url: a/${metadataExchange}, value: {protocol: p}}`;
  t.same(problemsOf(`{name: f, typed_config: ${struct}}`), []);
});

t.test('any other filter is refused by its type', async (t) => {
  t.same(problemsOf('{name: f, typed_config: {"@type": a/b.C}}, {name: g}'), [
    'filters[0].typed_config: cluster filter a/b.C is not supported',
    'filters[1].typed_config: cluster filter g is not supported',
  ]);
});
