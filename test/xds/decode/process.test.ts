import t from 'tap';
import { defaultTextFormat } from '../../../config/format-commands.ts';
import { Problems } from '../../../config/problems.ts';
import { version } from '../../../proxy/command/version.ts';
import { decodeAdmin, decodeConnectionLimit, decodeNode, decodeStats } from '../../../xds/decode/process.ts';
import type { Admin, Node, OverloadManager, StatsConfig } from '../../../xds/generated/messages.ts';
import { decodeMessage, encodeMessage } from '../../../xds/message/wire-message.ts';
import { decodedAs, messageOf } from '../../support/config-fixtures.ts';
import { noFields } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

t.test('the command line wins over the node of the file', async (t) => {
  const yaml = '{id: i, cluster: c, locality: {region: r, zone: z, sub_zone: s}, metadata: {A: {b: [1]}}}';
  const message = messageOf('envoy.config.core.v3.Node', yaml) as Node;
  const node = {
    id: 'i',
    cluster: 'c',
    locality: { region: 'r', zone: 'z', subZone: 's' },
    metadata: { A: { b: onlyItems(1) } },
  };
  t.match(decodeNode(message, {}), node);
  const overridden = decodeNode(message, { nodeId: 'j', nodeCluster: 'd', zone: 'y' });
  t.match(overridden, { ...node, id: 'j', cluster: 'd', locality: { ...node.locality, zone: 'y' } });
  t.match(overridden.wire, { id: 'j', cluster: 'd', locality: { region: 'r', zone: 'y', subZone: 's' } });
  t.match(decodeNode(undefined, {}), {
    id: '',
    cluster: '',
    locality: { region: '', zone: '', subZone: '' },
    metadata: noFields,
  });
});

t.test('a control plane is told the whole node, and who we are', async (t) => {
  const type = 'envoy.config.core.v3.Node';
  const yaml = `{id: i, cluster: c, metadata: {A: {b: [1]}}, user_agent_name: u, user_agent_version: "1", client_features: [f],
    extensions: [{name: e, version: {version: {major_number: 1}}}], dynamic_parameters: {t: {params: {k: v}}},
    listening_addresses: [{socket_address: {address: 1.2.3.4, port_value: 5}}]}`;
  const { wire } = decodeNode(messageOf(type, yaml) as Node, {});
  const [majorNumber, minorNumber, patch] = version.split('.').map(Number);
  const problems = new Problems();
  const sent = decodeMessage(encodeMessage(wire, type), type, problems);
  t.same(problems.list, []);
  t.match(sent, {
    id: 'i',
    cluster: 'c',
    metadata: { A: { b: onlyItems(1) } },
    userAgentName: 'outrigger',
    clientFeatures: onlyItems('f', 'xds.config.supports-resource-ttl', 'xds.config.resource-in-sotw'),
    dynamicParameters: { t: { params: { k: 'v' } } },
    listeningAddresses: onlyItems({ socketAddress: { address: '1.2.3.4', portValue: 5 } }),
  });
  const built = (sent!['userAgentBuildVersion'] as { version: object }).version;
  t.same({ majorNumber: 0, minorNumber: 0, patch: 0, ...built }, { majorNumber, minorNumber, patch });
  t.notOk('userAgentVersion' in sent!, 'there is one version');
  const extensions = (sent!['extensions'] as { name: string; category?: string }[]).map(({ name }) => name);
  t.equal(extensions[0], 'e');
  const known = ['envoy.filters.network.tcp_proxy', 'envoy.filters.http.router', 'envoy.filters.listener.original_dst'];
  for (const name of known) t.equal(extensions.filter((each) => each === name).length, 1, name);
});

t.test('the admin interface has an address, and logs that go nowhere are left out', async (t) => {
  const admin = (fields: string) =>
    decodedAs('envoy.config.bootstrap.v3.Admin', `{${fields}}`, (message: Admin, problems) =>
      decodeAdmin(message, problems),
    );
  const address = 'address: {socket_address: {address: 127.0.0.1, port_value: 9901}}';
  const log = (path: string) =>
    `access_log: [{name: l, typed_config: {"@type": a/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${path}}}]`;
  const expected = { value: { address: { kind: 'ip', ip: '127.0.0.1', port: 9901 } }, problems: [] };
  t.same(admin(address), expected);
  t.same(admin(`${address}, access_log_path: /dev/null`), expected);
  t.same(admin(`${address}, ${log('/dev/null')}`), expected);
  t.same(admin(''), { value: undefined, problems: [] }, 'no interface');
  const allowed = admin(`${address}, allow_paths: [{exact: /ready}, {prefix: /stats, ignore_case: true}]`);
  t.same(allowed.value?.allowedPaths, [
    { kind: 'exact', value: '/ready', ignoreCase: false },
    { kind: 'prefix', value: '/stats', ignoreCase: true },
  ]);
  t.matchOnly(admin(`${address}, allow_paths: [{safe_regex: {regex: "("}}]`).problems, [
    /^allow_paths\[0\]\.safe_regex/,
  ]);
});

t.test('the admin interface has logs of lines, in the older field too', async (t) => {
  const admin = (fields: string) =>
    decodedAs(
      'envoy.config.bootstrap.v3.Admin',
      `{address: {pipe: {path: /a}}, ${fields}}`,
      (message: Admin, problems) => decodeAdmin(message, problems),
    );
  const logger = (fields: string) => `{name: l, typed_config: {"@type": a/envoy.extensions.access_loggers.${fields}}}`;
  const format = { kind: 'text', format: defaultTextFormat, omitEmptyValues: false };
  const file = { sink: { kind: 'file', path: '/a.log' }, format };
  t.same(admin('access_log_path: /a.log').value?.accessLogs, [file]);
  t.same(admin('access_log_path: /dev/stdout').value?.accessLogs, [{ sink: { kind: 'stdout' }, format }]);
  const both = `access_log: [${logger('file.v3.FileAccessLog, path: /b.log')}, ${logger('stream.v3.StderrAccessLog')}]`;
  t.same(admin(`${both}, access_log_path: /a.log`).value?.accessLogs, [
    { sink: { kind: 'file', path: '/b.log' }, format },
    { sink: { kind: 'stderr' }, format },
    file,
  ]);
  const service =
    'grpc.v3.HttpGrpcAccessLogConfig, common_config: {log_name: l, grpc_service: {envoy_grpc: {cluster_name: c}}}';
  t.matchOnly(admin(`access_log: [${logger(service)}]`).problems, [
    /^access_log\[0\]: an access log service .*write a file/,
  ]);
});

t.test('stats', async (t) => {
  const stats = (fields: string) =>
    decodedAs('envoy.config.metrics.v3.StatsConfig', `{${fields}}`, (message: StatsConfig, problems) =>
      decodeStats(message, problems),
    );
  t.same(stats('').value, { histogramBuckets: [], matcher: { kind: 'all' } });
  const matcher = (fields: string) => stats(`stats_matcher: {${fields}}`);
  t.same(matcher('reject_all: true').value.matcher, { kind: 'none' });
  t.same(matcher('reject_all: false').value.matcher, { kind: 'all' });
  const patterns = [
    { kind: 'prefix', value: 'a', ignoreCase: false },
    { kind: 'regex', regex: 'b.*' },
  ];
  for (const kind of ['inclusion', 'exclusion']) {
    const list = `${kind}_list: {patterns: [{prefix: a}, {safe_regex: {regex: "b.*"}}]}`;
    t.same(matcher(list), { value: { histogramBuckets: [], matcher: { kind, patterns } }, problems: [] });
    const wrong = `${kind}_list: {patterns: [{prefix: a}, {safe_regex: {regex: "("}}]}`;
    t.matchOnly(matcher(wrong).problems, [new RegExp(`^stats_matcher\\.${kind}_list\\.patterns\\[1\\]\\.safe_regex`)]);
  }
  const buckets = (match: string) => stats(`histogram_bucket_settings: [{match: ${match}, buckets: [5, 1]}]`);
  t.same(buckets('{prefix: a}').value.histogramBuckets, [{ prefix: 'a', bounds: [1, 5] }]);
  for (const match of ['{exact: a}', '{prefix: a, ignore_case: true}']) {
    t.matchOnly(
      buckets(match).problems,
      [/^histogram_bucket_settings\[0\]\.match: a matcher other than a prefix/],
      match,
    );
  }
});

t.test('the limit of downstream connections is a resource monitor, or the runtime value before it', async (t) => {
  const type = 'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig';
  const name = 'envoy.resource_monitors.global_downstream_max_connections';
  const monitor = (limit: number, monitorName = name) =>
    `{name: ${monitorName}, typed_config: {"@type": a/${type}, max_active_downstream_connections: ${limit}}}`;
  const limit = (monitors: string, runtime: ReadonlyMap<string, string> = new Map()) =>
    decodedAs(
      'envoy.config.overload.v3.OverloadManager',
      `{resource_monitors: [${monitors}]}`,
      (message: OverloadManager, problems) => decodeConnectionLimit(message, runtime, problems),
    );
  const runtime = new Map([['overload.global_downstream_max_connections', '50']]);
  t.same(limit(monitor(10), runtime), { value: 10, problems: [] });
  t.equal(decodeConnectionLimit(undefined, runtime, new Problems()), 50);
  t.matchOnly(limit(`${monitor(1)}, ${monitor(2)}`).problems, [/^resource_monitors\[1\]: there is a limit/]);
  t.strictSame(limit(monitor(1, 'other')).problems, [`resource_monitors[0].name: must be ${name}`]);
});
