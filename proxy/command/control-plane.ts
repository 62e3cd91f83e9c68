// Joins what control planes send to the process: changes to the publisher, events to statistics and the log.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { DynamicState } from '../../config/dynamic-state.ts';
import type { NameTable } from '../../config/name-table.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { OwnSecrets } from '../../xds/client/config-sources.ts';
import { needsDynamicConfiguration } from '../../xds/dynamic-need.ts';
import { staticSnapshot } from '../../xds/static-snapshot.ts';
import type { RuntimeOverrides } from '../admin/runtime-overrides.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import { type SnapshotPublisher, wholeSnapshot } from '../worker/snapshot-publisher.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { type OpenableLogs, openLogsOf } from './access-log-files.ts';
import { discoveryLog } from './discovery-log.ts';
import type { DiscoveryObservation } from './discovery-observation.ts';
import { processClock } from './process-clock.ts';

export interface ControlPlaneParts {
  readonly bootstrap: Bootstrap;
  readonly publisher: SnapshotPublisher;
  readonly overrides: RuntimeOverrides;
  readonly observation: DiscoveryObservation;
  readonly pool: Pick<WorkerPool, 'prepareListener' | 'discardListener' | 'answerDemands' | 'refuseDemand'>;
  readonly accessLogs: OpenableLogs;
  readonly drainTimeMs: number;
  /** Where accepted resources are kept for the next start; undefined is the usual place, null keeps none. */
  readonly cacheDirectory: string | null | undefined;
  /** Of a sidecar that keeps its identity itself. */
  readonly ownSecrets: OwnSecrets | undefined;
  /** Of a sidecar that answers DNS. */
  readonly onNames?: ((names: NameTable) => void) | undefined;
  readonly log: ComponentLog;
}

export interface FollowedSources extends DynamicState {
  /** Nothing is followed any more; what was sent goes on serving. */
  stop(): Promise<void>;
}

/** Without a control plane nothing was sent. */
export const noControlPlane: FollowedSources = {
  sources: () => [],
  warming: () => ({ clusters: 0, listeners: 0 }),
  resources: () => [],
  stop: async () => undefined,
};

/**
 * Begins with the bootstrap's resources, and follows its sources. Resolves when sources are followed, which is not when
 * they have answered. Throws `ConfigError` when a static resource needs what cannot be had.
 */
export async function followControlPlanes(parts: ControlPlaneParts): Promise<FollowedSources> {
  const { bootstrap, publisher } = parts;
  if (!needsDynamicConfiguration(bootstrap)) {
    publisher.update(wholeSnapshot(staticSnapshot(bootstrap)));
    publisher.ready();
    return noControlPlane;
  }
  publisher.setRuntime(bootstrap.runtime);
  const { DynamicConfiguration } = await import('../../xds/dynamic-configuration.ts');
  const { defaultCacheDirectory } = await import('../../xds/client/resource-cache.ts');
  const { cacheDirectory = defaultCacheDirectory(process.env) } = parts;
  const runtime = (): Snapshot['runtime'] => parts.overrides.flatten(bootstrap.runtimeLayers);
  const configuration = new DynamicConfiguration({
    bootstrap,
    sockets: {
      prepare: (listener, older) => {
        const reason = parts.pool.prepareListener(listener, older);
        if (reason !== undefined) parts.observation.onListenFailure();
        return reason;
      },
      discard: (name) => parts.pool.discardListener(name),
      openLogs: (listener) => openLogsOf(listener, parts.accessLogs),
    },
    drainTimeMs: parts.drainTimeMs,
    schedule: processClock.schedule,
    defer: setImmediate,
    clock: Date.now,
    random: Math.random,
    runtime,
    onRuntimeLayer: (layer, values) => {
      parts.overrides.setLayer(layer, values);
      publisher.setRuntime(runtime());
    },
    onChange: (change) => {
      publisher.update(change);
      publisher.flush();
    },
    onReady: () => publisher.ready(),
    onRefusedDemand: (name, workers, why) => parts.pool.refuseDemand(name, workers, why),
    log: discoveryLog(parts.log),
    observer: parts.observation,
    ...(cacheDirectory !== null && { cacheDirectory }),
    ...(parts.ownSecrets !== undefined && { ownSecrets: parts.ownSecrets }),
    ...(parts.onNames !== undefined && { onNames: parts.onNames }),
  });
  parts.observation.follow(configuration);
  parts.pool.answerDemands(({ kind, name }, worker) => {
    if (kind === 'demand') configuration.demand(name, worker);
    else configuration.endDemand(name, worker);
  });
  configuration.start();
  return configuration;
}

/** What is wrong, as a line for who started the process; anything else is a fault of ours and goes on up. */
export function describeConfigError(error: unknown): string {
  // By its name: a file that is loaded late has a class of its own (build/bundle.ts).
  if (error instanceof Error && error.name === 'ConfigError') return error.message;
  throw error;
}
