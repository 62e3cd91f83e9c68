import t from 'tap';
import { mergeDocuments } from '../../../xds/document/document-merge.ts';
import { treeOf } from '../../support/config-fixtures.ts';

const bootstrap = 'envoy.config.bootstrap.v3.Bootstrap';

function merged(base: string, override: string, typeName = bootstrap): unknown {
  return mergeDocuments(treeOf(base), treeOf(override), typeName);
}

t.test('messages merge field by field, whichever way they are spelled', async (t) => {
  t.same(merged('{node: {id: a, cluster: c}}', '{node: {id: b}}'), { node: { id: 'b', cluster: 'c' } });
  t.same(merged('{staticResources: {clusters: [{name: a}]}}', '{static_resources: {clusters: [{name: b}]}}'), {
    staticResources: { clusters: [{ name: 'a' }, { name: 'b' }] },
  });
});

t.test('lists are appended, maps merge by key', async (t) => {
  t.same(merged('{node_context_params: [a]}', '{node_context_params: [b]}'), { node_context_params: ['a', 'b'] });
  const config = '{typed_per_filter_config: {a: {"@type": x/A, b: 1}}}';
  const route = 'envoy.config.route.v3.Route';
  t.same(merged(config, '{typed_per_filter_config: {a: {"@type": x/B}, c: {"@type": x/C}}}', route), {
    typed_per_filter_config: { a: { '@type': 'x/B' }, c: { '@type': 'x/C' } },
  });
});

t.test('scalars, wrappers, durations and Structs are replaced', async (t) => {
  t.same(merged('{node: {metadata: {a: 1}}}', '{node: {metadata: {b: 1}}}'), { node: { metadata: { b: 1 } } });
  const cluster = 'envoy.config.cluster.v3.Cluster';
  t.same(merged('{connect_timeout: 1s}', '{connectTimeout: 2s}', cluster), { connect_timeout: '2s' });
});

t.test('a member of a oneof replaces the other members', async (t) => {
  const address = 'envoy.config.core.v3.Address';
  t.same(merged('{socketAddress: {address: a}}', '{pipe: {path: /a}}', address), { pipe: { path: '/a' } });
});

t.test('what is not an object is taken from the override, for the reader to refuse', async (t) => {
  t.same(merged('{node: 5}', '{node: {id: a}}'), { node: { id: 'a' } });
  t.same(merged('[]', '{node: {id: a}}'), { node: { id: 'a' } });
  t.same(merged('{a: 1}', '{unknown: 1}'), { a: 1, unknown: 1 });
  t.same(merged('{node: {id: a}}', '{node: null}'), { node: null }, 'null is said and then absent');
});
