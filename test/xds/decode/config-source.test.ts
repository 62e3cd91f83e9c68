import t from 'tap';
import { decodeConfigSource } from '../../../xds/decode/config-source.ts';
import type { ConfigSource } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const source = (fields: string) =>
  decodedAs('envoy.config.core.v3.ConfigSource', `{${fields}}`, (message: ConfigSource, problems) =>
    decodeConfigSource(message, problems),
  );
const service = '{envoy_grpc: {cluster_name: control}}';
const api = (type: string, more = '') =>
  source(`api_config_source: {api_type: ${type}, transport_api_version: V3, grpc_services: [${service}]${more}}`);

t.test('the aggregated stream, with the time that a resource is waited for', async (t) => {
  t.same(source('ads: {}'), { value: { kind: 'ads', initialFetchTimeoutMs: 15_000 }, problems: [] });
  t.same(source('ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3').value, {
    kind: 'ads',
    initialFetchTimeoutMs: 0,
  });
});

t.test('a file, in its newer and its older spelling', async (t) => {
  t.same(source('path_config_source: {path: /a/b.yaml, watched_directory: {path: /a}}'), {
    value: { kind: 'path', path: '/a/b.yaml', watchedDirectory: '/a', initialFetchTimeoutMs: 15_000 },
    problems: [],
  });
  t.same(source('path: /a/b.yaml').value, { kind: 'path', path: '/a/b.yaml', initialFetchTimeoutMs: 15_000 });
});

t.test('a stream of its own', async (t) => {
  t.same(api('DELTA_GRPC', ', set_node_on_first_message_only: true'), {
    value: {
      kind: 'grpc',
      initialFetchTimeoutMs: 15_000,
      api: {
        protocol: 'delta',
        service: { target: { kind: 'cluster', cluster: 'control' }, initialMetadata: [] },
        setNodeOnFirstMessageOnly: true,
      },
    },
    problems: [],
  });
  t.match(api('GRPC').value, { api: { protocol: 'state-of-the-world', setNodeOnFirstMessageOnly: false } });
  const unversioned = source(`api_config_source: {api_type: GRPC, grpc_services: [${service}]}`);
  t.equal(unversioned.value?.kind, 'grpc');
  t.same(unversioned.problems, [], 'version 3 without being named, as in Envoy');
});

t.test('what Envoy refuses is refused', async (t) => {
  const place = 'api_config_source';
  for (const type of ['REST', 'AGGREGATED_GRPC', 'AGGREGATED_DELTA_GRPC']) {
    t.matchOnly(api(type), {
      value: undefined,
      problems: [new RegExp(`^${place}\\.api_type: ${type} is not supported; write .*DELTA_GRPC`)],
    });
  }
  t.matchOnly(source(`${place}: {transport_api_version: V3, grpc_services: [${service}]}`).problems, [
    /^api_config_source\.api_type: api_type is required: DELTA_GRPC or GRPC$/,
  ]);
  t.matchOnly(source(`${place}: {api_type: GRPC, transport_api_version: V2, grpc_services: [${service}]}`).problems, [
    /^api_config_source\.transport_api_version: V2 is not supported; write V3$/,
  ]);
  t.matchOnly(source('ads: {}, resource_api_version: V2').problems, [/^resource_api_version: V2 is not supported/]);
  t.matchOnly(source(`${place}: {api_type: GRPC, grpc_services: [${service}, ${service}]}`).problems, [
    /^api_config_source\.grpc_services: must be one service/,
  ]);
  t.matchOnly(source(`${place}: {api_type: GRPC}`).problems, [/^api_config_source\.grpc_services: .*is required/]);
  t.matchOnly(api('GRPC', ', cluster_names: [c]').problems, [
    /^api_config_source\.cluster_names: .*write grpc_services/,
  ]);
});

t.test('a source that says nothing, or points to itself, is refused', async (t) => {
  t.matchOnly(source(''), { value: undefined, problems: [/^: one of path, .* is required/] });
  t.matchOnly(source('self: {}'), { value: undefined, problems: [/^self: self is not supported; name the source/] });
  t.matchOnly(source('ads: {}, authorities: [{name: a}]').problems, [/^authorities: .*xdstp/]);
});
