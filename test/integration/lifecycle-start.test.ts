// How the process says that it cannot start.

import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

t.test('a port that is taken is a sentence and exit code 1', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const listeners = [{ name: 'http', address: socketAddress(port), filter_chains: [httpFilterChain('app')] }];
  const bootstrap = { static_resources: { listeners, clusters: [clusterAt('app', 1)] } };
  const sidecar = await startSidecar(t, { bootstrap, isReady: false });
  t.equal(await sidecar.ended, 1);
  t.match(sidecar.log.at(-1)!.msg, `listener http cannot listen on 127.0.0.1:${port}: `);
});

t.test(
  'an access log that cannot be opened is named with the way out and exit code 1, at validation too',
  async (t) => {
    const path = `${t.testdir()}/missing/access.log`;
    const type = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';
    const logging = { access_log: [{ name: 'file', typed_config: { '@type': type, path } }] };
    const listener = { name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app')], ...logging };
    const bootstrap = { static_resources: { listeners: [listener], clusters: [clusterAt('app', 1)] } };
    for (const flags of [[], ['--mode', 'validate']]) {
      const sidecar = await startSidecar(t, { bootstrap, flags, isReady: false });
      t.equal(await sidecar.ended, 1);
      t.same(
        sidecar.log.map(({ msg }) => msg),
        [
          'outrigger: bootstrap: 1 problem',
          `  static_resources.listeners[0]: access log ${path} cannot be opened: ENOENT: no such file or directory; make its folder, let this user write there, or use /dev/stdout`,
        ],
      );
    }
  },
);

t.test('a command line that cannot be used is one line and exit code 2', async (t) => {
  for (const [flags, line] of [
    [['--log-level', 'loud'], /^outrigger: --log-level loud: there are trace, debug/],
    [['--component-log-level', 'nobody:debug'], /^outrigger: .*nobody/],
    [['--mode', 'validate', '--component-log-level', 'nobody:debug'], /^outrigger: .*nobody/],
    [['--concurrency', 'x'], /^outrigger: --concurrency x: a whole number from 0 on is needed$/],
  ] as const) {
    const sidecar = await startSidecar(t, { bootstrap: {}, flags, isReady: false });
    t.equal(await sidecar.ended, 2);
    t.equal(sidecar.log.length, 1);
    t.match(sidecar.log[0]!.msg, line);
  }
});

t.test('an engine that cannot be loaded is one line and exit code 1, before anything is begun', async (t) => {
  const folder = t.testdir({ 'uWebSockets.js': { 'index.js': 'throw new Error("`GLIBC_9.99\' not found");' } });
  const flags = ['--engine', 'uws'];
  const before = `export NODE_PATH=${folder}`;
  const sidecar = await startSidecar(t, { bootstrap: {}, flags, before, isReady: false });
  t.equal(await sidecar.ended, 1);
  t.equal(sidecar.log.length, 1);
  t.match(sidecar.log[0]!.msg, /^outrigger: uWebSockets\.js needs glibc 9\.99, this system has \d/);
});
