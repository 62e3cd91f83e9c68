import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { ConfigError } from '../../../config/problems.ts';
import { openLogsOf, openStaticLogs, validateLogs } from '../../../proxy/command/access-log-files.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';

/** One listener whose logs go to a file of its own, of its connection manager, of its TCP proxy, and of its default chain. */
function listenerWith(own: string, manager: string, proxy: string, last: string): Listener {
  const log = (path: string) =>
    `access_log: [{name: f, typed_config: {"@type": t/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: "${path}"}}]`;
  const http = `{name: h, typed_config: {"@type": t/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: p, route_config: {name: r}, http_filters: [{name: r, typed_config: {"@type": t/envoy.extensions.filters.http.router.v3.Router}}], ${log(manager)}}}`;
  const tcp = (path: string) =>
    `{name: t, typed_config: {"@type": t/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c, ${log(path)}}}`;
  const { bootstrap } = bootstrapOf(`
static_resources:
  clusters: [{name: c}]
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: 1}}
    ${log(own)}
    filter_chains:
    - {filter_chain_match: {destination_port: 1}, filters: [${http}]}
    - {filter_chain_match: {destination_port: 2}, filters: [${tcp(proxy)}]}
    default_filter_chain: {filters: [${tcp(last)}]}
`);
  return bootstrap.listeners[0]!;
}

t.test('every log of a listener is opened, wherever it is configured', async (t) => {
  const opened: string[] = [];
  const listener = listenerWith('/own', '/manager', '/proxy', '/default');
  const open = (failing?: string) =>
    openLogsOf(listener, {
      open: (sink) => {
        const path = sink.kind === 'file' ? sink.path : sink.kind;
        opened.push(path);
        return path === failing ? 'EACCES: permission denied' : undefined;
      },
    });
  t.equal(open(), undefined);
  t.same(opened, ['/own', '/manager', '/proxy', '/default']);
  t.equal(
    open('/proxy'),
    'access log /proxy cannot be opened: EACCES: permission denied; make its folder, let this user write there, or use /dev/stdout',
  );
});

t.test('all static listeners whose log cannot be opened are named at once', async (t) => {
  const listeners = [
    listenerWith('a', 'b', 'c', 'd'),
    listenerWith('e', 'f', 'g', 'h'),
    listenerWith('i', 'j', 'a', 'x'),
  ];
  const open = (sink: { kind: string; path?: string }) =>
    'ax'.includes(sink.path!) ? 'EISDIR: it is a folder' : undefined;
  t.throws(() => openStaticLogs({ listeners }, { open }), {
    name: 'ConfigError',
    problems: [
      { path: 'static_resources.listeners[0]', message: /^access log a cannot be opened: EISDIR/ },
      { path: 'static_resources.listeners[2]', message: /^access log a cannot be opened: EISDIR/ },
    ],
  });
});

t.test('validation makes the files that can be made, as Envoy does', async (t) => {
  const folder = t.testdir();
  const paths = ['a', 'b', 'c', 'd'].map((name) => join(folder, name)) as [string, string, string, string];
  validateLogs({ listeners: [listenerWith(...paths)] });
  t.same(paths.map(existsSync), [true, true, true, true]);
  const missing = join(folder, 'missing', 'x');
  t.throws(() => validateLogs({ listeners: [listenerWith(missing, 'b', 'c', 'd')] }), ConfigError);
});

t.test('logs of the admin interface are opened too', async (t) => {
  const { bootstrap } = bootstrapOf(
    'admin: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}, access_log_path: /no/such/folder/a.log}',
  );
  const asked: unknown[] = [];
  const open = (sink: unknown) => {
    asked.push(sink);
    return 'ENOENT: no such file or directory';
  };
  t.throws(() => openStaticLogs(bootstrap, { open }), {
    name: 'ConfigError',
    problems: [{ path: 'admin', message: /^access log \/no\/such\/folder\/a\.log cannot be opened: ENOENT/ }],
  });
  t.same(asked, [{ kind: 'file', path: '/no/such/folder/a.log' }]);
});
