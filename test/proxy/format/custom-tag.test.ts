import t from 'tap';
import type { CustomTag } from '../../../config/tracing.ts';
import { compileCustomTag } from '../../../proxy/format/custom-tag.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function tagValue(source: CustomTag['source'], context = finishedRequest()): string | number | null {
  return compileCustomTag({ source })(context);
}

t.test('a literal is itself, as bytes that end no line', async (t) => {
  t.equal(tagValue({ kind: 'literal', value: 'a' }), 'a');
  t.equal(tagValue({ kind: 'literal', value: 'é' }), Buffer.from('é').toString('latin1'));
  t.equal(tagValue({ kind: 'literal', value: 'a\nb' }), 'a\\x0ab');
});

t.test('the environment is read once, when the configuration arrives', async (t) => {
  process.env['OUTRIGGER_TAG_TEST'] = 'blue';
  const read = compileCustomTag({
    source: { kind: 'environment', name: 'OUTRIGGER_TAG_TEST', defaultValue: 'x' },
  });
  delete process.env['OUTRIGGER_TAG_TEST'];
  t.equal(read(finishedRequest()), 'blue');
  t.equal(tagValue({ kind: 'environment', name: 'OUTRIGGER_TAG_TEST', defaultValue: 'x' }), 'x');
  t.equal(tagValue({ kind: 'environment', name: 'OUTRIGGER_TAG_TEST', defaultValue: '' }), null);
});

t.test('a header that is missing gives the default, and no tag without one', async (t) => {
  t.equal(tagValue({ kind: 'request-header', name: 'user-agent', defaultValue: 'x' }), 'curl "8"');
  t.equal(tagValue({ kind: 'request-header', name: ':path', defaultValue: 'x' }), '/new?q');
  t.equal(tagValue({ kind: 'request-header', name: 'x-none', defaultValue: 'x' }), 'x');
  t.equal(tagValue({ kind: 'request-header', name: 'x-none', defaultValue: '' }), null);
  const connection = { ...finishedRequest(), request: null };
  t.equal(tagValue({ kind: 'request-header', name: 'user-agent', defaultValue: 'x' }, connection), 'x');
});

t.test('metadata is followed by its path, and its own properties only', async (t) => {
  const context = finishedRequest();
  const metadata = { istio: { labels: { app: 'shop' }, port: 80, on: true } };
  context.info.routeMetadata = metadata;
  context.info.endpointMetadata = { istio: { workload: 'w' } };
  context.info.dynamicMetadata = new Map([['filter', new Map([['key', 'v']])]]);
  const read = (of: 'request' | 'route' | 'cluster' | 'endpoint', namespace: string, ...path: string[]) =>
    tagValue({ kind: 'metadata', of, namespace, path, defaultValue: 'x' }, context);
  t.equal(read('route', 'istio', 'labels', 'app'), 'shop');
  t.equal(read('route', 'istio', 'port'), 80);
  t.equal(read('route', 'istio', 'on'), 'true');
  t.equal(read('route', 'istio', 'labels'), '{"app":"shop"}');
  t.equal(read('endpoint', 'istio', 'workload'), 'w');
  t.equal(read('request', 'filter', 'key'), 'v');
  t.equal(read('cluster', 'istio', 'workload'), 'x');
  t.equal(read('route', 'istio', 'constructor'), 'x');
  t.equal(read('route', 'constructor', 'name'), 'x');
});

t.test('a format that says nothing makes no tag', async (t) => {
  t.equal(tagValue({ kind: 'format', format: '%REQ(:METHOD)% %RESPONSE_CODE%' }), 'POST 200');
  t.equal(tagValue({ kind: 'format', format: '%REQ(X-NONE)%' }), null);
});
