import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { messageTexts } from '../../../xds/generated/descriptors.ts';
import { checkMessage } from '../../../xds/message/message-check.ts';
import { messageDescriptor } from '../../../xds/message/message-descriptor.ts';
import { decodeMessage } from '../../../xds/message/wire-message.ts';
import { supportTable } from '../../../xds/support/all-support.ts';
import { messageOf } from '../../support/config-fixtures.ts';

function problemsOf(typeName: string, yaml: string): readonly string[] {
  const problems = new Problems();
  checkMessage(messageOf(typeName, yaml), typeName, problems);
  return problems.list.map(({ path, message }) => `${path}: ${message}`);
}

const cluster = 'envoy.config.cluster.v3.Cluster';
const manager = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

t.test('every field of every message has exactly one row of support, and every row a field', async (t) => {
  t.same(Object.keys(supportTable).sort(), Object.keys(messageTexts).sort());
  for (const [name, { supported, ignored = {}, unsupported = {} }] of Object.entries(supportTable)) {
    const rows = [...supported, ...Object.keys(ignored), ...Object.keys(unsupported)];
    t.same(
      rows.sort(),
      messageDescriptor(name)!
        .fields.map((field) => field.name)
        .sort(),
      name,
    );
  }
});

t.test('a supported field has content that is known', async (t) => {
  for (const [name, { supported }] of Object.entries(supportTable)) {
    const opaque = messageDescriptor(name)!.fields.filter((field) => field.kind === 'opaque');
    t.same(
      opaque.filter((field) => supported.includes(field.name)).map((field) => field.name),
      [],
      name,
    );
  }
});

t.test('every refused field is refused when it is set', async (t) => {
  for (const [name, { unsupported = {} }] of Object.entries(supportTable)) {
    for (const [fieldName, refusal] of Object.entries(unsupported)) {
      const field = messageDescriptor(name)!.fieldsByName.get(fieldName)!;
      const problems = new Problems();
      checkMessage({ [field.key]: 'a value that is not listed' }, name, problems);
      const why = typeof refusal === 'string' ? refusal : refusal.why;
      t.ok(
        problems.list.some((problem) => problem.path === fieldName && problem.message.endsWith(why)),
        `${name}.${fieldName}`,
      );
    }
  }
});

t.test('a refused field is named with its path and what to do instead', async (t) => {
  t.same(problemsOf(cluster, '{name: a, health_checks: [{}]}'), [
    'health_checks: health_checks is not supported; active health checks are not offered yet',
  ]);
  t.same(problemsOf(cluster, '{name: a, upstream_bind_config: {freebind: true}}'), [
    'upstream_bind_config.freebind: freebind: true is not supported; bind to an address of this machine',
  ]);
});

t.test('values that change nothing are accepted', async (t) => {
  t.same(problemsOf(cluster, '{name: a, upstream_bind_config: {freebind: false}, wait_for_warm_on_init: true}'), []);
  t.same(problemsOf(cluster, '{name: a, track_timeout_budgets: false, health_checks: []}'), []);
  t.same(problemsOf(cluster, '{name: a, close_connections_on_host_health_failure: true}'), [], 'ignored');
});

t.test('rules hold for what is set, in lists, maps and extensions', async (t) => {
  t.same(problemsOf(cluster, '{name: a, connect_timeout: 0s}'), ['connect_timeout: must be more than 0s, got 0s']);
  t.same(problemsOf(cluster, '{name: a, cleanup_interval: -1s}'), ['cleanup_interval: must not be negative, got -1s']);
  const match = '{filter_chain_match: {source_ports: [1, 0]}}';
  t.same(problemsOf('envoy.config.listener.v3.FilterChain', match), [
    'filter_chain_match.source_ports[1]: must be at least 1, got 0',
  ]);
  const filter = `{name: a, typed_config: {"@type": a/${manager}, route_config: {}, max_request_headers_kb: 0}}`;
  t.same(problemsOf('envoy.config.listener.v3.Filter', filter), [
    'typed_config.max_request_headers_kb: must be more than 0, got 0',
    'typed_config.stat_prefix: stat_prefix is required',
  ]);
});

t.test('what is required and missing is named', async (t) => {
  t.same(problemsOf(cluster, '{}'), ['name: name is required']);
  t.same(problemsOf(cluster, '{name: ""}'), ['name: name is required']);
  t.same(problemsOf('envoy.config.core.v3.Address', '{}'), [': one of socket_address, pipe is required']);
  t.same(problemsOf('envoy.config.route.v3.WeightedCluster', '{}'), ['clusters: clusters is required']);
  t.same(problemsOf('envoy.config.route.v3.DirectResponseAction', '{}'), ['status: status is required']);
  t.same(problemsOf('envoy.config.core.v3.SchemeHeaderTransformation', '{}'), [], 'the oneof is not required');
});

t.test('a field that is newer than the proto files is seen on the wire, and refused', async (t) => {
  const match = 'envoy.config.route.v3.RouteMatch';
  // Fields 1 (prefix) and 16 (filter_state).
  const bytes = Uint8Array.of(0x0a, 1, 0x2f, 0x82, 1, 0);
  const problems = new Problems();
  checkMessage(decodeMessage(bytes, match, problems)!, match, problems);
  t.matchOnly(problems.list, [{ path: 'filter_state', message: /^filter_state is not supported/ }]);
});
