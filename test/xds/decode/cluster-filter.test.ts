import t from 'tap';
import { decodeClusterFilters } from '../../../xds/decode/cluster-filter.ts';
import type { Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decoded = (filters: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, filters: [${filters}]}`, (message: Cluster, problems) =>
    decodeClusterFilters(message.filters, problems.at('filters')),
  );
const metadataExchange = 'envoy.tcp.metadataexchange.config.MetadataExchange';

t.test("Istio's exchange of metadata, also as a TypedStruct", async (t) => {
  const fields = 'protocol: p, enable_discovery: true, additional_labels: [team]';
  const value = { protocol: 'p', additionalLabels: ['team'] };
  t.same(decoded(`{name: f, typed_config: {"@type": a/${metadataExchange}, ${fields}}}`), { value, problems: [] });
  const struct = `{"@type": a/udpa.type.v1.TypedStruct, type_url: a/${metadataExchange}, value: {${fields}}}`;
  t.same(decoded(`{name: f, typed_config: ${struct}}`), { value, problems: [] });
  t.same(decoded(''), { value: undefined, problems: [] });
});

t.test('it needs the protocol that stands for it, and is there once', async (t) => {
  const exchange = `{name: f, typed_config: {"@type": a/${metadataExchange}, protocol: p}}`;
  t.same(decoded(`{name: f, typed_config: {"@type": a/${metadataExchange}}}`).problems, [
    'filters[0].typed_config.protocol: the protocol of ALPN that stands for the exchange is required',
  ]);
  t.same(decoded(`${exchange}, ${exchange}`).problems, [`filters[1]: ${metadataExchange} may be there once`]);
});

t.test('any other filter is refused by its type', async (t) => {
  t.same(decoded('{name: f, typed_config: {"@type": a/b.C}}, {name: g}').problems, [
    'filters[0].typed_config: cluster filter a/b.C is not supported',
    'filters[1].typed_config: cluster filter g is not supported',
  ]);
});
