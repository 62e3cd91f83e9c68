import t from 'tap';
import { metadataOperators } from '../../../proxy/format/metadata-operators.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function operate(name: string, argument: string | null = null, context = finishedRequest()) {
  return metadataOperators[name]!({ name, argument, maxLength: null })(context);
}

t.test('metadata is read by namespace and path, and never from a prototype', async (t) => {
  const context = finishedRequest();
  context.info.routeMetadata = { istio: { a: { b: ['x', 1] }, text: 'é', n: 7 } };
  context.info.clusterMetadata = { c: { v: true } };
  context.info.endpointMetadata = { e: { zone: 'z1' } };
  context.info.dynamicMetadata = new Map([['ns', new Map<string, unknown>([['k', { deep: 'value' }]])]]);
  for (const [name, argument, expected] of [
    ['METADATA', 'ROUTE:istio:a:b', '["x",1]'],
    ['METADATA', 'ROUTE:istio:text', '\u00c3\u00a9'],
    ['METADATA', 'ROUTE:istio:n', 7],
    ['METADATA', 'ROUTE:istio:no:b', null],
    ['METADATA', 'ROUTE:istio:constructor:name', null],
    ['METADATA', 'ROUTE:constructor', null],
    ['METADATA', 'CLUSTER:c:v', 'true'],
    ['CLUSTER_METADATA', 'c', '{"v":true}'],
    ['METADATA', 'UPSTREAM_HOST:e:zone', 'z1'],
    ['UPSTREAM_METADATA', 'e:zone', 'z1'],
    ['DYNAMIC_METADATA', 'ns:k:deep', 'value'],
    ['DYNAMIC_METADATA', 'ns', '{"k":{"deep":"value"}}'],
    ['METADATA', 'DYNAMIC:ns:x', null],
  ] as const) {
    t.equal(operate(name, argument, context), expected, argument);
  }
});

t.test('without metadata there is nothing to say', async (t) => {
  for (const name of ['CLUSTER_METADATA', 'UPSTREAM_METADATA', 'DYNAMIC_METADATA'])
    t.equal(operate(name, 'a:b'), null, name);
});
