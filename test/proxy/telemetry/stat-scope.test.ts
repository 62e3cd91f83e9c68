import fc from 'fast-check';
import t from 'tap';
import { labelsOf, metricOf, scopeLabels, scopePrefix, taglessName } from '../../../proxy/telemetry/stat-scope.ts';
import { counter, defineStats } from '../../../proxy/telemetry/stats.ts';

const { scope } = defineStats('listener.{envoy_listener_address}.worker_{envoy_worker_id}', {
  total: counter('total'),
});

t.test('names stand in the prefix where the template says, colons as underscores', (t) => {
  t.equal(scopePrefix(scope, ['[::]:80', '1']), 'listener.[__]_80.worker_1.');
  t.end();
});

t.test('without what its labels say a name is that of all who have it', (t) => {
  t.equal(taglessName(scope, counter('total')), 'listener.worker_total');
  t.equal(taglessName(scope, counter('rq_2xx')), 'listener.worker_rq_xx');
  const { scope: plain } = defineStats('server', { uptime: counter('uptime') });
  t.equal(taglessName(plain, counter('uptime')), 'server.uptime');
  t.end();
});

t.test('names of ours stay as they are, Envoy’s are spelled as Envoy does', (t) => {
  const { scope: ours } = defineStats('{route}.{method}', { total: counter('total') }, { vocabulary: 'outrigger' });
  t.strictSame(labelsOf(ours, ['/a:b', 'GET']), [
    ['method', 'GET'],
    ['route', '/a:b'],
  ]);
  t.strictSame(labelsOf(scope, ['a:b', '1'])[1], ['envoy_listener_address', 'a_b']);
  t.strictSame(metricOf(ours, counter('total')), { name: 'outrigger_total', label: '' });
  t.equal(taglessName(ours, counter('total')), 'outrigger.total');
  t.end();
});

t.test('labels come innermost first and leave their place in the metric', (t) => {
  t.equal(scopeLabels(scope, ['a', '1']), 'envoy_worker_id="1",envoy_listener_address="a"');
  t.strictSame(metricOf(scope, counter('total')), { name: 'envoy_listener_worker_total', label: '' });
  t.end();
});

t.test('classes of status codes are one metric with a label', (t) => {
  const { scope } = defineStats('http.{envoy_http_conn_manager_prefix}', { ok: counter('rq_2xx') });
  t.strictSame(metricOf(scope, counter('rq_2xx')), {
    name: 'envoy_http_rq_xx',
    label: 'envoy_response_code_class="2"',
  });
  t.end();
});

t.test('dots and dashes of stat names become underscores in metrics', (t) => {
  const { scope } = defineStats('dns.cares', { total: counter('a-b.c') });
  t.equal(metricOf(scope, counter('a-b.c')).name, 'envoy_dns_cares_a_b_c');
  t.end();
});

t.test('whatever a name is, it stays one label of one line', (t) => {
  const { scope } = defineStats('cluster.{envoy_cluster_name}', { total: counter('total') });
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', '\\', '\n', '}', '{', '$&', 'a', ':') }), (name) => {
      const value = /^envoy_cluster_name="((?:[^"\\\n]|\\["\\n])*)"$/.exec(scopeLabels(scope, [name]));
      return value !== null;
    }),
  );
  t.end();
});
