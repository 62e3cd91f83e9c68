// The composition root: arguments, bootstrap, workers, admin, signals, drain. The main thread never touches a request.

import { networkInterfaces } from 'node:os';
import { ConfigError } from '../config/problems.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { loadBootstrap } from '../xds/bootstrap-file.ts';
import { staticSnapshot } from '../xds/static-snapshot.ts';
import { AdminServer } from './admin/server.ts';
import { defaultConcurrency, FlagError, type Flags, helpText, parseFlags } from './command/flags.ts';
import { ServerState } from './command/server-state.ts';
import { version } from './command/version.ts';
import { LogSinks } from './telemetry/log-sink.ts';
import { createProcessLog, type ProcessLog } from './telemetry/process-log.ts';
import { StatsStore } from './telemetry/stats-store.ts';
import { WorkerStats } from './telemetry/worker-stats.ts';
import { WorkerPool, wholeSnapshot } from './worker/worker-pool.ts';

/** Statistics announced by this thread; workers are numbered from 0. */
const mainThread = -1;
/** MiB; see bin/outrigger for the measurement behind the size. */
const youngGenerationMib = 24;

function main(): void {
  let flags: Flags;
  try {
    flags = parseFlags(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`outrigger: ${error.message}\n`);
    process.exit(2);
  }
  switch (flags.mode) {
    case 'help':
      process.stdout.write(helpText());
      return;
    case 'version':
      process.stdout.write(`outrigger ${version}\n`);
      return;
    case 'validate':
      load(flags);
      process.stdout.write('configuration is valid\n');
      return;
    case 'serve':
      serve(flags);
  }
}

function load(flags: Flags) {
  try {
    return loadBootstrap({
      allowUnknownFields: flags.allowUnknownStaticFields,
      ...(flags.configPath === undefined ? {} : { path: flags.configPath }),
      ...(flags.configYaml === undefined ? {} : { yaml: flags.configYaml }),
      overrides: {
        ...(flags.serviceNode === undefined ? {} : { nodeId: flags.serviceNode }),
        ...(flags.serviceCluster === undefined ? {} : { nodeCluster: flags.serviceCluster }),
        ...(flags.serviceZone === undefined ? {} : { zone: flags.serviceZone }),
      },
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`outrigger: ${error.message}\n`);
    process.exit(1);
  }
}

function serve(flags: Flags): void {
  const log = createProcessLog({ level: flags.logLevel, componentLevels: flags.componentLogLevel });
  const store = new StatsStore();
  const sinks = new LogSinks({
    onWarning: (text) => log.component('file').warn(text),
    stats: new WorkerStats((message) => store.accept(mainThread, message)),
  });
  const concurrency = flags.concurrency === 0 ? defaultConcurrency() : flags.concurrency;
  const commandLine = process.argv.slice(2);
  const state = new ServerState({ concurrency, restartEpoch: flags.restartEpoch, version, commandLine });
  // Threads start while this one reads the configuration: both take about as long.
  const pool = startWorkers({ flags, log, store, sinks, state });
  const { bootstrap, warnings, document } = load(flags);
  for (const warning of warnings) log.component('config').warn(`${warning.path}: ${warning.message}`);
  const snapshot = staticSnapshot(bootstrap);
  refuseDnsClusters(snapshot);
  state.setConfiguration(bootstrap, snapshot, document);
  pool.publish(wholeSnapshot(snapshot));
  const { shutdown } = handleSignals({ flags, pool, sinks, state, log });
  if (bootstrap.admin !== undefined) {
    const buckets = bootstrap.stats.histogramBuckets;
    new AdminServer({ admin: bootstrap.admin, store, state, pool, log, shutdown, buckets }).listen();
  }
  setInterval(() => store.flushIntervals(), 5000).unref();
}

interface Parts {
  readonly flags: Flags;
  readonly log: ProcessLog;
  readonly store: StatsStore;
  readonly sinks: LogSinks;
  readonly state: ServerState;
}

function startWorkers({ flags, log, store, sinks, state }: Parts): WorkerPool {
  const main = log.component('main');
  return new WorkerPool({
    concurrency: state.options.concurrency,
    youngGenerationMib,
    start: {
      localIp: ownAddress(),
      logFlushIntervalMs: flags.logFlushIntervalMs,
      logFlushSizeBytes: flags.logFlushSizeBytes,
    },
    onStats: (worker, announcement) => store.accept(worker, announcement),
    onLogs: (batch) => sinks.write(batch),
    onApplied: (generation, listeners, failures) => {
      for (const { name, address, reason } of failures) {
        main.critical(`listener ${name} cannot listen on ${address}: ${reason}`);
      }
      if (failures.length > 0) process.exit(1);
      state.onApplied(generation, listeners);
      const bound = listeners.map(({ name, address }) => `${name} ${address}`);
      main.info({ generation, listeners: bound }, 'configuration is served');
    },
    onDrained: () => state.onDrained(),
    onFailure: (worker, error) => {
      const what = error.stack ?? error.message;
      main.critical(`worker ${worker} died and with it all its connections; the process ends: ${what}`);
      process.exit(1);
    },
  });
}

// Names are not resolved yet: a cluster that would stay empty for ever is refused instead.
function refuseDnsClusters({ clusters }: Snapshot): void {
  for (const { name, discovery } of clusters.values()) {
    if (discovery.kind !== 'strict-dns' && discovery.kind !== 'logical-dns') continue;
    process.stderr.write(
      `outrigger: cluster ${name}: ${discovery.kind} is not supported yet; give addresses in a STATIC cluster\n`,
    );
    process.exit(1);
  }
}

interface Lifecycle {
  readonly flags: Flags;
  readonly pool: WorkerPool;
  readonly sinks: LogSinks;
  readonly state: ServerState;
  readonly log: ProcessLog;
}

// SIGTERM drains and a second one ends; SIGINT ends; SIGHUP and SIGUSR1 reopen log files (Envoy reopens on SIGUSR1).
function handleSignals(life: Lifecycle): { shutdown: () => void } {
  const { flags, pool, sinks, state, log } = life;
  let isDraining = false;
  const shutdown = (): void => {
    void pool
      .stop()
      .then(() => sinks.close())
      .then(() => process.exit(0));
  };
  const drain = (): void => {
    if (isDraining) {
      shutdown();
      return;
    }
    isDraining = true;
    log
      .component('main')
      .info({ drainTimeMs: flags.drainTimeMs }, 'draining: no new connections, requests in flight are finished');
    state.startDraining(shutdown);
    pool.drain(false, true);
    setTimeout(() => {
      log.component('main').warn('the drain time is over; what is still open is closed');
      shutdown();
    }, flags.drainTimeMs);
  };
  process.on('SIGTERM', drain);
  process.on('SIGINT', shutdown);
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) {
    process.on(signal, () => {
      pool.flushLogs();
      sinks.reopen();
    });
  }
  return { shutdown };
}

/** This machine's first address that is not loopback: what Envoy puts into x-forwarded-for for loopback peers. */
function ownAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const address of addresses ?? []) if (address.family === 'IPv4' && !address.internal) return address.address;
  }
  return '127.0.0.1';
}

main();
