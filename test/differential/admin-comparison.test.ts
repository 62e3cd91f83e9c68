// The admin interface beside Envoy's, with the same bootstrap and after the same request: what each method is answered, the
// lines of /clusters, the options of /server_info and the names of all statistics. A name that one of them alone has is
// explained here, and in docs/differences-from-envoy.md.

import { request } from 'node:http';
import { join, relative } from 'node:path';
import t, { type Test } from 'tap';
import { programFile } from '../support/program-file.ts';
import { allTo, bootstrap, cluster, httpListener } from './bootstrap.ts';
import { findEnvoy } from './envoy-binary.ts';
import { exchange } from './exchange.ts';
import { type ProxyName, ProxyProcess } from './proxy-process.ts';
import { hello, RecordingOrigin } from './recording-origin.ts';

t.setTimeout(900_000);

/** What Envoy alone has, and why. */
const onlyEnvoys: readonly (readonly [RegExp, string])[] = [
  [/^(http|listener)\.admin\./, 'admin requests are not counted'],
  [/^(workers|main_thread|server\.(main_thread|worker_\d+))\.watchdog_/, 'a worker that dies ends the process'],
  [
    /^(cluster\.[^.]+\.lb_|cluster\.[^.]+\.default\.total_match_count$)/,
    'subsets and zone aware routing are not counted',
  ],
  [/http3|0_?rtt|upstream_cx_preconnect|upstream_queue_overloaded/, 'features that are not here'],
  [/^cluster\.[^.]+\.http1\./, 'the codec towards endpoints has no counters of its own'],
  [
    /^cluster\.[^.]+\.(assignment_|update_|membership_change$|version$|warming_state$)/,
    'a static cluster is not updated',
  ],
  [
    /^(http\.async-client|thread_local_cluster_manager|dns\.cares|overload|envoy\.overload_actions)\b/,
    'parts of Envoy',
  ],
  [/^http\.[^.]+\.tracing\./, 'without a provider nothing is traced'],
  [/^listener_manager\.workers_pinned$/, 'not counted'],
  [
    /^server\.(compilation_settings|dropped_stat_flushes|envoy_|stats_recent_lookups|wip_protos)/,
    'of the program that Envoy is',
  ],
];

/** What outrigger alone has: zeros that Envoy shows once they are more, and a generation that it shows with hot restarts. */
const onlyOurs =
  /^cluster\.[^.]+\.((internal|external|retry)\.)?upstream_rq_(\dxx|completed|time)$|^http\.[^.]+\.cors\.|^server\.hot_restart_generation$/;

/** Both run without hot restart, where these say nothing. */
const ofHotRestart = /^(base_id|use_dynamic_base_id|socket_|skip_hot_restart_)/;

const changing = ['healthcheck/fail', 'healthcheck/ok', 'logging', 'reset_counters', 'drain_listeners', 'quitquitquit'];
const asked = [
  ...[...changing, 'reopen_logs', 'runtime_modify'].flatMap((path) => [
    `GET /${path}`,
    `PUT /${path}`,
    `DELETE /${path}`,
  ]),
  ...['stats', 'ready', 'clusters', 'nothing'].flatMap((path) => [`GET /${path}`, `POST /${path}`, `PUT /${path}`]),
  ...['POST /logging', 'POST /logging?level=nope', 'POST /logging?nobody=info', 'POST /runtime_modify?a=b'],
  ...['GET /stats?format=nope', 'GET /stats?type=nope', 'GET /stats?filter=(', 'GET /clusters?filter=('],
  ...['POST /healthcheck/fail', 'GET /ready', 'POST /healthcheck/ok', 'GET /ready', 'POST /reset_counters'],
  ...['POST /drain_listeners?skip_exit', 'POST /drain_listeners', 'GET /ready', 'POST /reopen_logs'],
];

const envoy = findEnvoy();
if ('missing' in envoy) t.pass('the comparison with Envoy', { skip: envoy.missing });
else {
  const { path } = envoy;
  // Of the whole file: a path of a socket has a hundred bytes.
  const directory = t.testdir({});
  t.test('the admin interface is as Envoy has it', (t) => compareAdmin(t, path, directory));
}

async function compareAdmin(t: Test, envoyPath: string, directory: string): Promise<void> {
  const origin = await RecordingOrigin.start();
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
    return origin.stop();
  });
  const config = bootstrap([httpListener('main', allTo('app'))], [cluster('app', [origin.port])]);
  const start = (name: ProxyName, command: readonly string[], isReady: readonly RegExp[]) =>
    ProxyProcess.start({ name, command, isReady, bootstrap: config, directory: join(directory, name), started });
  const ours = [process.execPath, programFile('proxy/main.ts')];
  const proxies = [
    await start('envoy', [envoyPath], [/starting main dispatch loop/]),
    await start('outrigger', ours, [/configuration is served/, /admin interface is listening/]),
  ] as const;
  for (const proxy of proxies) {
    origin.expect([{ onEnd: hello }], false);
    const send = ['GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'];
    await exchange(proxy.port('main'), { send, expects: 1, isTcp: false, halfCloses: false });
  }
  const [theirs, own] = await Promise.all(proxies.map((proxy) => readPages(proxy)));
  t.same(own!.clusterLines, theirs!.clusterLines);
  t.same(
    [...theirs!.options].filter((option) => !own!.options.has(option) && !ofHotRestart.test(option)),
    [],
  );
  const missing = [...theirs!.names].filter((name) => !own!.names.has(name));
  t.same(
    missing.filter((name) => !onlyEnvoys.some(([pattern]) => pattern.test(name))),
    [],
  );
  for (const [pattern, why] of onlyEnvoys)
    t.ok(
      missing.some((name) => pattern.test(name)),
      why,
    );
  t.same(
    [...own!.names].filter((name) => !theirs!.names.has(name) && !onlyOurs.test(name)),
    [],
  );
  for (const call of asked) {
    const [inEnvoy, here] = await Promise.all(
      proxies.map(({ name }) => statusOf(join(directory, name, 'admin.sock'), call)),
    );
    t.equal(here, inEnvoy, call);
  }
}

async function readPages(proxy: ProxyProcess) {
  const stats = await proxy.admin('GET', '/stats');
  const info = JSON.parse(await proxy.admin('GET', '/server_info'));
  const lines = (await proxy.admin('GET', '/clusters')).trimEnd().split('\n');
  return {
    names: new Set([...stats.matchAll(/^([^:\s]+): /gm)].map(([, name]) => name!)),
    clusterLines: lines.sort(),
    options: new Set(Object.keys(info.command_line_options)),
  };
}

function statusOf(path: string, call: string): Promise<number | undefined> {
  const [method, target] = call.split(' ');
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: relative('', path), method, path: target, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    asking.on('error', reject);
    asking.end();
  });
}
