import t from 'tap';
import { JsonText } from '../../../proxy/format/format-context.ts';
import { metadataOperators } from '../../../proxy/format/metadata-operators.ts';
import type { ConnectionFacts } from '../../../proxy/http/connection-facts.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function operate(name: string, argument: string | null = null, context = finishedRequest()) {
  return metadataOperators[name]!({ name, argument, maxLength: null })(context);
}

t.test('metadata is read by namespace and path, and never from a prototype', async (t) => {
  const context = finishedRequest();
  context.info.routeMetadata = { istio: { a: { b: ['x', 1] }, text: 'é', n: 7 }, order: { b: 0, a: { y: 2, x: 1 } } };
  context.info.virtualHostMetadata = { h: { k: 'v' } };
  const connection = { listenerMetadata: { l: { k: '\x7f' } }, filterChainMetadata: { f: { k: 2 } } };
  context.info.connection = connection as unknown as ConnectionFacts;
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
    ['METADATA', 'ROUTE:order', '{"a":{"x":1,"y":2},"b":0}'],
    ['METADATA', 'VIRTUAL_HOST:h:k', 'v'],
    ['METADATA', 'LISTENER:l', '{"k":"\\u007f"}'],
    ['METADATA', 'LISTENER_FILTER_CHAIN:f:k', 2],
    ['METADATA', 'CLUSTER:c:v', 'true'],
    ['CLUSTER_METADATA', 'c', '{"v":true}'],
    ['METADATA', 'UPSTREAM_HOST:e:zone', 'z1'],
    ['UPSTREAM_METADATA', 'e:zone', 'z1'],
    ['DYNAMIC_METADATA', 'ns:k:deep', 'value'],
    ['DYNAMIC_METADATA', 'ns', '{"k":{"deep":"value"}}'],
    ['METADATA', 'DYNAMIC:ns:x', null],
  ] as const) {
    const value = operate(name, argument, context);
    t.equal(value instanceof JsonText ? value.text : value, expected, argument);
  }
});

t.test('without metadata there is nothing to say', async (t) => {
  for (const name of ['CLUSTER_METADATA', 'UPSTREAM_METADATA', 'DYNAMIC_METADATA'])
    t.equal(operate(name, 'a:b'), null, name);
});
