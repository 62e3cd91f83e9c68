// The process as it serves: bootstrap, workers, discovery, telemetry, admin, each part given to those that need it. The main
// thread never touches a request.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { dropFilePages } from '../../native/file-pages.ts';
import type { AdminAccessLogOptions } from '../admin/access-log.ts';
import { RuntimeOverrides } from '../admin/runtime-overrides.ts';
import { DnsDiscovery } from '../discovery/dns-discovery.ts';
import type { NamedDescriptor } from '../hot-restart/parent.ts';
import { RecentKeys } from '../listener/recent-keys.ts';
import { clusterDiscoveryStats } from '../telemetry/cluster-stats.ts';
import { DiscoveryStats } from '../telemetry/discovery-stats.ts';
import { createProcessLog, type ProcessLog } from '../telemetry/process-log.ts';
import { openConnections } from '../telemetry/process-stats.ts';
import { SnapshotStats } from '../telemetry/snapshot-stats.ts';
import type { StatsStore } from '../telemetry/stats-store.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import type { OpenListenersOptions } from '../worker/open-listeners.ts';
import { SnapshotPublisher } from '../worker/snapshot-publisher.ts';
import { WorkerPool, type WorkerPoolOptions } from '../worker/worker-pool.ts';
import { AccessLogDestinations } from './access-log-destinations.ts';
import { openStaticLogs } from './access-log-files.ts';
import { AdminInterface } from './admin-interface.ts';
import { endWithConfigError, readBootstrapOf } from './bootstrap-reading.ts';
import { Capture } from './capture.ts';
import { CertificateWarnings } from './certificate-warnings.ts';
import { type ControlPlaneParts, type FollowedSources, followControlPlanes } from './control-plane.ts';
import { DiscoveryObservation } from './discovery-observation.ts';
import { listenerFailureText, workerFailureText } from './failure-text.ts';
import { defaultConcurrency, type Flags } from './flags.ts';
import { HeapReturns, returnHeap } from './heap-return.ts';
import { collectQuietHeapsOnce } from './idle-collection.ts';
import { raiseInliningLimits } from './inlining.ts';
import { keepOptimizedCode } from './kept-code.ts';
import { Lifecycle, type LifecycleOptions } from './lifecycle.ts';
import { createMetrics } from './metrics.ts';
import { exportsMetrics, MetricsExport } from './metrics-export.ts';
import { ownAddress } from './own-address.ts';
import { processClock } from './process-clock.ts';
import { scavengeAlone } from './scavenging.ts';
import { ServerState } from './server-state.ts';
import type { Sidecar } from './sidecar.ts';
import { Succession, type SuccessionOptions } from './succession.ts';
import { Telemetry, type TelemetryOptions } from './telemetry.ts';
import { giveWayToWorkers } from './thread-priority.ts';
import { version } from './version.ts';

/** Longest wait for the first answer of DNS: what Envoy waits for a first resource by default. */
const firstResolutionMs = 15_000;

const certificateCheckMs = 60_000;
/** After the first snapshot is served: what a start allocates is garbage by then. */
const compactionDelayMs = 1000;

interface ProcessParts {
  readonly state: ServerState;
  readonly pool: WorkerPool;
  readonly log: ProcessLog;
}

function readBootstrap(flags: Flags, { state, pool, log }: ProcessParts): Bootstrap {
  const { bootstrap, warnings, document } = readBootstrapOf(flags);
  for (const warning of warnings) log.component('config').warn(`${warning.path}: ${warning.message}`);
  state.setBootstrap(bootstrap, document);
  const { maxDownstreamConnections, node } = bootstrap;
  const { region, zone } = node.locality;
  pool.identify({ id: node.id, metadata: node.metadata, region, zone });
  if (maxDownstreamConnections !== undefined) pool.limitConnections(maxDownstreamConnections);
  return bootstrap;
}

/** Returns when everything is begun; the process ends by a signal, a command, or an error that nothing can serve after. */
export function serve(flags: Flags, sidecar: Sidecar | undefined): void {
  const log = openProcessLog(flags);
  const concurrency = flags.concurrency === 0 ? defaultConcurrency() : flags.concurrency;
  const state = new ServerState({
    concurrency,
    restartEpoch: flags.restartEpoch,
    version,
    onFailsHealthCheck: (fails) => pool.setFailsHealthCheck(fails),
  });
  // Threads start while this one reads the configuration: both take about as long. They are heard when it is done.
  const pool = startWorkers({
    flags,
    log,
    state,
    inherit: (wanted) => [...succession.inherit(wanted), ...(sidecar?.inherit(wanted) ?? [])],
    onOpened: (listener, opened) => capture.onOpened(listener, opened),
    onStopping: () => capture.stopListening(),
    onNotListening: () => observation.onListenFailure(),
    onServing: () => {
      succession.onServing();
      admin.onServing();
    },
    onStats: (worker, announcement) => {
      store.accept(worker, announcement);
      succession.onStats(announcement);
    },
    onLogs: (batch) => accessLogs.write(batch),
    onLogEntries: (batch) => accessLogs.writeEntries(batch),
    onTracing: (worker, message) => telemetry.accept(worker, message),
  });
  const bootstrap = readBootstrap(flags, { state, pool, log });
  const metrics = createMetrics(bootstrap.stats, flags.maxStatSeries);
  const { store, stats } = metrics;
  const accessLogs = new AccessLogDestinations({ bootstrap, state, stats, log });
  const telemetry = openTelemetry({ bootstrap, state, stats, log, pool, exemplars: metrics.exemplars }, flags);
  const heapReturns = new HeapReturns({ returnHeap, clock: () => performance.now(), schedule: later });
  const admin = new AdminInterface({ loadServer: () => import('../admin/server.ts'), schedule: later });
  const retire = (): void => {
    admin.leave();
    capture.handOver();
    lifecycle.handOver();
  };
  const namedDescriptors = (): readonly NamedDescriptor[] => capture.descriptors;
  const succession = openSuccession(flags, { bootstrap, state, store, pool, log, retire, namedDescriptors });
  const capture = createCapture(flags, pool, succession, log);
  const observation = new DiscoveryObservation({
    stats: new DiscoveryStats(stats, store),
    snapshotStats: new SnapshotStats(stats, concurrency),
    snapshot: () => state.snapshot,
    clock: Date.now,
    onRead: (bytes) => heapReturns.onRead(bytes),
    schedule: later,
  });
  const publisher = createPublisher({ state, stats, observation, pool, log });
  const overrides = new RuntimeOverrides();
  const adminFree = succession.adminFree.then(() => bootstrap.admin && admin.reserve(bootstrap.admin.address));
  const served = { bootstrap, publisher, overrides, observation, pool, accessLogs };
  const following = follow(capture, flags, { ...served, sidecar, stats, log });
  const logs = outputsOf(accessLogs, telemetry, new MetricsExport({ metrics, bootstrap, state, pool, overrides, log }));
  const ends = { logs, saveConfiguration: async () => (await following).stop(), sidecar };
  const lifecycle = handleSignals({ flags, log, state, pool, store, succession, capture, ...ends });
  Promise.all([following, adminFree]).then(([dynamic]) => {
    if (bootstrap.admin === undefined) return;
    const calls = { shutdown: () => lifecycle.shutdown(), reopenLogs: () => lifecycle.reopenLogs() };
    const setRuntime = (values: Snapshot['runtime']): void => publisher.setRuntime(values);
    const parts = { state, dynamic, pool, log, flags, overrides, capture, setRuntime, ...calls };
    admin.open({ admin: bootstrap.admin, tracing: telemetry, ...metrics, ...parts }, adminLogs(served, state));
  }, endWithConfigError);
}

type ServedLogs = { readonly bootstrap: Bootstrap; readonly accessLogs: AccessLogDestinations };

function adminLogs({ bootstrap, accessLogs }: ServedLogs, state: ServerState): AdminAccessLogOptions | undefined {
  const logs = bootstrap.admin?.accessLogs;
  if (logs === undefined) return undefined;
  return {
    logs,
    write: (batch) => accessLogs.write(batch),
    runtime: () => state.snapshot?.runtime ?? new Map(),
    localIp: ownAddress(),
    random: Math.random,
    clock: () => performance.now(),
    wallClock: Date.now,
  };
}

function later(delayMs: number, callback: () => void): unknown {
  return setTimeout(callback, delayMs).unref();
}

function createCapture(flags: Flags, pool: WorkerPool, { inherited }: Succession, log: ProcessLog): Capture {
  return new Capture({
    choice: flags.capture,
    settingsPath: flags.captureSettingsPath,
    inherited,
    useShortcut: (maps) => pool.useShortcut(maps),
    log: log.component('main'),
  });
}

type FollowedParts = Omit<ControlPlaneParts, 'drainTimeMs' | 'cacheDirectory' | 'ownSecrets' | 'onNames' | 'log'> & {
  readonly sidecar: Sidecar | undefined;
  readonly stats: WorkerStats;
  readonly log: ProcessLog;
};

// Connections are captured before anything is served: an application that sees a ready proxy counts on it.
async function follow(
  capture: Capture,
  flags: Flags,
  { sidecar, stats, log, ...parts }: FollowedParts,
): Promise<FollowedSources> {
  openStaticLogs(parts.bootstrap, parts.accessLogs);
  sidecar?.holdOutbound(log.component('main'));
  sidecar?.answer(log.component('main')).catch(endWithConfigError);
  sidecar?.answerNames(stats, log.component('dns')).catch(endWithConfigError);
  await capture.open();
  return followControlPlanes({
    ...parts,
    drainTimeMs: flags.drainTimeMs,
    cacheDirectory: flags.keepsConfigCache ? flags.configCacheDirectory : null,
    ownSecrets: sidecar?.beginIdentity(log.component('config')),
    onNames: sidecar?.onNames,
    log: log.component('config'),
  });
}

type SuccessionParts = Pick<SuccessionOptions, 'retire' | 'namedDescriptors' | 'store'> &
  ProcessParts & { readonly bootstrap: Bootstrap };

function openSuccession(flags: Flags, { bootstrap, pool, log, ...parts }: SuccessionParts): Succession {
  // A collector has what the parent sent; told of it again, it would count it twice.
  const carriesStatistics = (flags.hotRestart?.carriesStatistics ?? false) && !exportsMetrics(bootstrap);
  return new Succession({
    ...parts,
    settings: flags.hotRestart,
    carriesStatistics,
    socketsAt: (wanted) => pool.socketsAt(wanted),
    exit: (code) => process.exit(code),
    log: log.component('main'),
  });
}

/** What is written and sent to the last before the process ends. */
function outputsOf(
  accessLogs: AccessLogDestinations,
  telemetry: Telemetry,
  metrics: MetricsExport,
): LifecycleOptions['logs'] {
  return {
    reopen: () => accessLogs.reopen(),
    close: async () => void (await Promise.all([accessLogs, telemetry, metrics].map((output) => output.close()))),
  };
}

type TelemetryParts = Omit<TelemetryOptions, 'samplingConfigPath' | 'localIp' | 'drainTimeMs'>;

function openTelemetry(parts: TelemetryParts, { samplingConfigPath, drainTimeMs }: Flags): Telemetry {
  try {
    return new Telemetry({ ...parts, samplingConfigPath, drainTimeMs, localIp: ownAddress() });
  } catch (error) {
    endWithConfigError(error);
  }
}

interface LifecycleParts extends Pick<LifecycleOptions, 'saveConfiguration' | 'logs'> {
  readonly flags: Flags;
  readonly log: ProcessLog;
  readonly state: ServerState;
  readonly pool: WorkerPool;
  readonly store: StatsStore;
  readonly succession: Succession;
  readonly capture: Capture;
  readonly sidecar: Sidecar | undefined;
}

function handleSignals({
  flags,
  log,
  state,
  pool,
  store,
  succession,
  capture,
  sidecar,
  ...ends
}: LifecycleParts): Lifecycle {
  const lifecycle = new Lifecycle({
    workers: pool,
    ...ends,
    state,
    log: log.component('main'),
    termination: sidecar?.termination,
    openConnections: () => openConnections(store),
    drainTimeMs: flags.drainTimeMs,
    parentShutdownTimeMs: flags.parentShutdownTimeMs,
    exit: (code) => {
      succession.close();
      capture.release();
      process.exit(code);
    },
    schedule: (delayMs, callback) => setTimeout(callback, delayMs),
  });
  lifecycle.handleSignals();
  sidecar?.onApplicationGone(() => lifecycle.shutdown(), log.component('main'));
  return lifecycle;
}

function compact(state: ServerState): void {
  state.compactDocument();
  returnHeap();
  dropFilePages();
}

function openProcessLog({ logLevel, componentLogLevel }: Flags): ProcessLog {
  try {
    return createProcessLog({ level: logLevel, componentLevels: componentLogLevel });
  } catch (error) {
    // The only failure there is: a level or a component that does not exist.
    process.stderr.write(`outrigger: ${(error as Error).message}\n`);
    process.exit(2);
  }
}

interface WorkerParts
  extends Pick<WorkerPoolOptions, 'onStats' | 'onLogs' | 'onLogEntries' | 'onTracing'>,
    Required<Pick<OpenListenersOptions, 'inherit' | 'onOpened' | 'onStopping'>> {
  readonly flags: Flags;
  readonly log: ProcessLog;
  readonly state: ServerState;
  /** A listener was published that cannot listen. */
  readonly onNotListening: () => void;
  /** The first snapshot is served by every worker. */
  readonly onServing: () => void;
}

function startWorkers({ flags, log, state, onServing, onNotListening, ...parts }: WorkerParts): WorkerPool {
  const { inherit, onOpened, onStopping, ...outputs } = parts;
  const main = log.component('main');
  // Each worker finds out for itself.
  const serverFirst = new RecentKeys(1024);
  const pool = new WorkerPool({
    concurrency: state.options.concurrency,
    start: {
      localIp: ownAddress(),
      logFlushIntervalMs: flags.logFlushIntervalMs,
      logFlushSizeBytes: flags.logFlushSizeBytes,
      maxStatSeries: flags.maxStatSeries,
      countsAllRequests: flags.requestMetrics,
      drainTimeMs: flags.drainTimeMs,
      drainStrategy: flags.drainStrategy,
      engine: flags.engine,
      defaultEngine: flags.defaultEngine,
    },
    ...outputs,
    listeners: { keepsSockets: flags.hotRestart !== null, inherit, onOpened, onStopping },
    onApplied: (generation, listeners) => {
      const isFirst = state.name === 'INITIALIZING';
      state.onApplied(generation, listeners);
      if (isFirst) {
        raiseInliningLimits();
        scavengeAlone();
        keepOptimizedCode();
        collectQuietHeapsOnce();
        giveWayToWorkers();
        setTimeout(() => compact(state), compactionDelayMs).unref();
      }
      const bound = listeners.map(({ name, address }) => `${name} ${address}`);
      if (isFirst) main.info({ generation, listeners: bound }, 'configuration is served');
      else main.debug({ generation }, 'a new generation is served');
      if (isFirst) onServing();
    },
    onListenFailure: (listener, failure) => {
      const text = listenerFailureText(listener, failure, state.bootstrap?.admin?.address);
      const isStatic = state.bootstrap?.listeners.some(({ name }) => name === listener) ?? false;
      if (state.name === 'INITIALIZING' && isStatic) {
        main.critical(text);
        process.exit(1);
      }
      // Of a control plane: one that was accepted, because its address was free when it came.
      main.error(text);
      onNotListening();
    },
    onWarning: (text) => main.warn(text),
    onServerFirst: (destination) => {
      if (serverFirst.add(destination)) main.info(`classified ${destination} as server-first TCP`);
    },
    onDrained: () => state.onDrained(),
    onFailure: (worker, error) => {
      main.critical(workerFailureText(worker, error));
      process.exit(1);
    },
  });
  process.once('exit', () => pool.holdBack());
  return pool;
}

interface ServingParts {
  readonly state: ServerState;
  readonly stats: WorkerStats;
  readonly observation: DiscoveryObservation;
  readonly pool: WorkerPool;
  readonly log: ProcessLog;
}

// Members that DNS finds join the snapshot of their clusters.
function createPublisher({ state, stats, observation, pool, log }: ServingParts): SnapshotPublisher {
  const warnings = new CertificateWarnings(state.certificates, log);
  setInterval(() => warnings.check(), certificateCheckMs).unref();
  const publisher = new SnapshotPublisher({
    *publish(delta, before) {
      // Workers first: of the CPU from a response of one endpoint to the worker's waking, 0.86 ms, counting was 0.14.
      const updatedInPlace = yield* pool.publish(delta);
      observation.onPublished(delta, before);
      observation.onUpdatedInPlace(updatedInPlace);
    },
    onSnapshot: (current) => {
      state.setSnapshot(current);
      warnings.check();
    },
    onDnsClusters: (clusters) => discovery.update(clusters),
    onLate: (clusters) => {
      log.component('dns').warn({ clusters }, 'clusters are served though DNS has not answered for them');
    },
    maxWaitMs: firstResolutionMs,
    schedule: processClock.schedule,
    defer: setImmediate,
    clock: () => performance.now(),
  });
  const discovery = new DnsDiscovery({
    onAssignment: (cluster, assignment) => publisher.setAssignment(cluster, assignment),
    stats: {
      block: (statName) => stats.block(clusterDiscoveryStats, statName),
      release: (block) => stats.release(block),
    },
  });
  return publisher;
}
