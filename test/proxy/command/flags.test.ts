import t from 'tap';
import { defaultConcurrency, FlagError, helpText, parseFlags } from '../../../proxy/command/flags.ts';

t.test('without more than a bootstrap everything has the value that the help names', (t) => {
  t.match(parseFlags(['-c', 'bootstrap.yaml']), {
    mode: 'serve',
    configPath: 'bootstrap.yaml',
    configYaml: undefined,
    logLevel: 'info',
    componentLogLevel: '',
    concurrency: 0,
    drainTimeMs: 600_000,
    drainStrategy: 'gradual',
    logFlushIntervalMs: 1000,
    logFlushSizeBytes: 65_536,
    allowUnknownStaticFields: false,
    restartEpoch: 0,
    keepsConfigCache: true,
    configCacheDirectory: undefined,
  });
  t.end();
});

t.test('a flag is found under all its spellings', (t) => {
  for (const args of [['-c', 'x'], ['--config-path', 'x'], ['--config-path=x']])
    t.equal(parseFlags(args).configPath, 'x');
  t.equal(parseFlags(['--config-yaml={a: b=c}']).configYaml, '{a: b=c}', 'the value may hold an equals sign');
  t.equal(parseFlags(['-c', 'x', '-l', 'debug']).logLevel, 'debug');
  t.equal(parseFlags(['-c', 'x', '-l', 'warn']).logLevel, 'warning', "Envoy's other name");
  t.end();
});

t.test("what Istio's agent passes is taken", (t) => {
  const args = [
    ...['-c', 'etc/istio/proxy/envoy-rev.json', '--drain-time-s', '45', '--drain-strategy', 'immediate'],
    ...['--local-address-ip-version', 'v4', '--file-flush-interval-msec', '1000', '--disable-hot-restart'],
    ...['--allow-unknown-static-fields', '-l', 'warning', '--component-log-level', 'misc:error', '--concurrency', '2'],
    ...['--log-format', '%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v', '--skip-deprecated-logs'],
    ...['--parent-shutdown-time-s', '60', '--base-id', '1', '--use-dynamic-base-id', '--restart-epoch', '0'],
    ...['--file-flush-min-size-kb', '8', '--enable-core-dump'],
    ...['--service-node', 'sidecar~10.0.0.1', '--service-cluster', 'app', '--service-zone', 'eu-1'],
  ];
  t.match(parseFlags(args), {
    drainTimeMs: 45_000,
    drainStrategy: 'immediate',
    parentShutdownTimeMs: 60_000,
    logFlushIntervalMs: 1000,
    logFlushSizeBytes: 8192,
    allowUnknownStaticFields: true,
    logLevel: 'warning',
    componentLogLevel: 'misc:error',
    concurrency: 2,
    serviceNode: 'sidecar~10.0.0.1',
    serviceCluster: 'app',
    serviceZone: 'eu-1',
  });
  t.end();
});

t.test('a promise that would not be kept is refused', (t) => {
  t.throws(
    () => parseFlags(['-c', 'x', '--reject-unknown-dynamic-fields']),
    /is not supported: fields that are not known/,
  );
  t.equal(parseFlags(['-c', 'x', '--ignore-unknown-dynamic-fields']).mode, 'serve');
  t.end();
});

t.test('accepted configuration is kept unless that is turned off', (t) => {
  t.match(parseFlags(['-c', 'x', '--config-cache-dir', '/a']), { keepsConfigCache: true, configCacheDirectory: '/a' });
  t.equal(parseFlags(['-c', 'x', '--no-config-cache']).keepsConfigCache, false);
  t.end();
});

t.test('a file of sampling settings is named, or there is none', (t) => {
  t.equal(parseFlags(['-c', 'x', '--sampling-config', 's.yaml']).samplingConfigPath, 's.yaml');
  t.equal(parseFlags(['-c', 'x']).samplingConfigPath, undefined);
  t.throws(() => parseFlags(['-c', 'x', '--sampling-config']), /needs a value/);
  t.end();
});

t.test('exported series are bounded by default', (t) => {
  t.match(parseFlags(['-c', 'x']), { maxStatSeries: 2000, requestMetrics: false });
  t.match(parseFlags(['-c', 'x', '--max-stat-series', '50', '--request-metrics']), {
    maxStatSeries: 50,
    requestMetrics: true,
  });
  t.end();
});

t.test('help and version need no bootstrap', (t) => {
  t.equal(parseFlags(['--help']).mode, 'help');
  t.equal(parseFlags(['-h']).mode, 'help');
  t.equal(parseFlags(['--version']).mode, 'version');
  t.equal(parseFlags(['--mode', 'validate', '-c', 'x']).mode, 'validate');
  t.end();
});

t.test('levels of components are those of the log, warning in both of its spellings', (t) => {
  const of = (text: string) => parseFlags(['-c', 'x', '--component-log-level', text]).componentLogLevel;
  t.equal(of('upstream:debug,dns:warn,'), 'upstream:debug,dns:warning');
  t.equal(of(''), '');
  t.end();
});

t.test('what cannot be used is refused in one sentence', (t) => {
  for (const [args, sentence] of [
    [[], /^a bootstrap is needed: -c FILE/],
    [['-c', 'x', '--frobnicate'], /^unknown argument --frobnicate: outrigger --help lists/],
    [['-c', 'x', '--concurency=2'], /^unknown argument --concurency=2: did you mean --concurrency\? outrigger --help/],
    [['-c', 'x', 'y'], /^unknown argument y: /],
    [['x.yaml'], /^unknown argument x\.yaml: did you mean -c x\.yaml\? outrigger --help/],
    [['--config', 'x'], /^unknown argument --config: did you mean --config-path\? outrigger --help/],
    [
      ['-c', 'x', '--component-log-level', 'upsteam:debug'],
      /^--component-log-level upsteam:debug: .* did you mean upstream\?$/,
    ],
    [['-c', 'x', '--component-log-level', 'nobody:debug'], /: there is no component nobody; there are a2a, admin, /],
    [['-c', 'x', '--component-log-level', 'main:loud'], /^--component-log-level main:loud: there are trace, /],
    [['-c', 'x', '--component-log-level', 'main'], /^--component-log-level main: a component and its level are needed/],
    [['-c', 'x', '--component-log-level', 'a:b:c'], /: a component and its level are needed, such as upstream:debug$/],
    [['-c'], /^-c needs a value$/],
    [['-c', 'x', '--concurrency', '-1'], /^--concurrency -1: a whole number from 0 on is needed$/],
    [['-c', 'x', '--drain-time-s', '1.5'], /^--drain-time-s 1\.5: a whole number/],
    [['-c', 'x', '--disable-hot-restart=true'], /^--disable-hot-restart takes no value$/],
    [['-c', 'x', '--mode', 'init_only'], /^--mode init_only: serve and validate/],
    [['-c', 'x', '--drain-strategy', 'slow'], /^--drain-strategy slow: gradual or immediate$/],
    [['-c', 'x', '-l', 'loud'], /^--log-level loud: there are trace, /],
  ] as const) {
    t.throws(() => parseFlags(args), new FlagError(), args.join(' '));
    t.throws(() => parseFlags(args), { message: sentence });
  }
  t.end();
});

t.test('a socket for a successor is opened only when a flag speaks of it', (t) => {
  const of = (...args: string[]) => parseFlags(['-c', 'x', ...args]).hotRestart;
  t.equal(of(), null);
  for (const flag of ['--parent-shutdown-time-s=60', '--skip-hot-restart-on-no-parent']) t.equal(of(flag), null, flag);
  t.equal(of('--restart-epoch', '1', '--base-id', '7', '--disable-hot-restart'), null);
  t.same(of('--restart-epoch', '0'), {
    epoch: 0,
    baseId: 0,
    socketPath: '@outrigger_domain_socket',
    socketMode: 0o600,
    startsWithoutParent: false,
    carriesStatistics: true,
  });
  const all = ['--socket-path', '/run/outrigger', '--socket-mode', '0640', '--base-id-path', '/run/id', '--base-id=7'];
  t.match(of('--restart-epoch=2', ...all, '--skip-hot-restart-on-no-parent', '--skip-hot-restart-parent-stats'), {
    epoch: 2,
    baseId: 7,
    baseIdPath: '/run/id',
    socketPath: '/run/outrigger',
    socketMode: 0o640,
    startsWithoutParent: true,
    carriesStatistics: false,
  });
  t.match(of('--use-dynamic-base-id', '--base-id', '7'), { baseId: 'dynamic' });
  t.throws(() => of('--use-dynamic-base-id', '--restart-epoch', '1'), /only with --restart-epoch 0/);
  t.throws(() => of('--socket-mode', '888'), /an octal mode/);
  t.throws(() => of('--socket-path', 'relative'), /an absolute path or @name/);
  t.equal(parseFlags(['-c', 'x']).parentShutdownTimeMs, 900_000);
  t.equal(parseFlags(['--hot-restart-version']).mode, 'hot-restart-version');
  t.end();
});

t.test('the help names every flag and what has no effect', (t) => {
  const text = helpText();
  t.match(text, '-c, --config-path VALUE');
  t.match(text, '-l, --log-level VALUE');
  const withValue = [
    ...[
      'config-yaml',
      'component-log-level',
      'log-format',
      'concurrency',
      'service-node',
      'service-cluster',
      'drain-time-s',
    ],
    ...['drain-strategy', 'parent-shutdown-time-s', 'base-id', 'restart-epoch', 'local-address-ip-version', 'mode'],
    ...[
      'file-flush-interval-msec',
      'file-flush-min-size-kb',
      'engine',
      'max-stat-series',
      'capture',
      'sampling-config',
    ],
  ];
  const without = [
    ...['disable-hot-restart', 'skip-deprecated-logs', 'enable-core-dump', 'allow-unknown-static-fields', 'version'],
    ...['request-metrics', 'no-config-cache'],
  ];
  for (const name of withValue) t.match(text, new RegExp(`^  --${name} VALUE\\n {6}\\S`, 'm'), name);
  for (const name of without) t.match(text, new RegExp(`^  --${name}\\n {6}\\S`, 'm'), name);
  for (const program of ['sidecar', 'wait', 'bpf', 'iptables', 'control-plane', 'audit']) {
    t.match(text.split('\n').slice(-3).join(' '), program, 'what else there is, for who looks here first');
  }
  t.match(text, /--log-format VALUE\n {6}accepted \(no effect: log lines are JSON\)/);
  t.end();
});

t.test("workers are as many as the cgroup's quota, rounded up", (t) => {
  const of = (text: string) => defaultConcurrency(() => text);
  const processors = of('max 100000\n');
  t.ok(processors >= 1);
  t.equal(of('50000 100000\n'), 1);
  t.equal(of('100001 100000\n'), Math.min(2, processors));
  t.equal(of('99999999 100000\n'), processors, 'never more than there are processors');
  t.end();
});

t.test('without a cgroup file the processors count; another failure is not hidden', (t) => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  t.equal(
    defaultConcurrency(failing('ENOENT')),
    defaultConcurrency(() => 'max 100000'),
  );
  t.throws(() => defaultConcurrency(failing('EACCES')), { code: 'EACCES' });
  t.end();
});

t.test('capture is asked for by name, or of an agent at its socket', (t) => {
  t.same(parseFlags(['-c', 'x']).capture, { kind: 'none' });
  for (const kind of ['none', 'auto', 'ebpf', 'iptables']) {
    t.same(parseFlags(['-c', 'x', '--capture', kind]).capture, { kind });
  }
  const agent = parseFlags(['-c', 'x', '--capture', 'agent:/run/agent.sock', '--capture-settings', 'capture.yaml']);
  t.same(agent.capture, { kind: 'agent', socketPath: '/run/agent.sock' });
  t.equal(agent.captureSettingsPath, 'capture.yaml');
  for (const text of ['', 'tproxy', 'agent', 'agent:', 'agent:run/agent.sock']) {
    t.throws(() => parseFlags(['-c', 'x', '--capture', text]), /--capture .*auto, ebpf/, text);
  }
  t.throws(() => parseFlags(['-c', 'x', '--capture-settings', 'capture.yaml']), /--capture/);
  t.end();
});

t.test('an engine is for all listeners, or for those that ask for it', (t) => {
  const enginesOf = (...args: string[]) => {
    const { engine, defaultEngine } = parseFlags(['-c', 'x', ...args]);
    return [engine, defaultEngine];
  };
  t.same(enginesOf(), ['reactor', 'reactor']);
  t.same(enginesOf('--engine', 'uws'), ['uws', 'uws']);
  t.same(enginesOf('--engine', 'listener'), ['uws', 'reactor']);
  t.throws(() => enginesOf('--engine', 'nginx'), new FlagError('--engine nginx: reactor, uws or listener'));
  t.end();
});
