// Access log files that a configuration names. They are opened before it serves, as in Envoy: who asks for a log and gets
// none, because of a folder that is missing, hears so at once and not when the lines are needed.

import type { AccessLogSink } from '../../config/access-log.ts';
import type { Bootstrap } from '../../config/bootstrap.ts';
import type { Listener } from '../../config/listener.ts';
import { ConfigError, Problems } from '../../config/problems.ts';
import { adminLogSinks, logSinksOf } from '../../config/references.ts';
import { LogSinks } from '../telemetry/log-sink.ts';
import { WorkerStats } from '../telemetry/worker-stats.ts';

export interface OpenableLogs {
  /** Opens the file of a sink, or keeps the one that is open; the reason when it cannot be. */
  open(sink: AccessLogSink): string | undefined;
}

/** Opens the files of a listener that is to serve; a sentence about the first that cannot be. */
export function openLogsOf(listener: Listener, logs: OpenableLogs): string | undefined {
  return openAll(logSinksOf(listener), logs);
}

function openAll(sinks: readonly AccessLogSink[], logs: OpenableLogs): string | undefined {
  for (const sink of sinks) {
    const reason = logs.open(sink);
    if (reason === undefined) continue;
    const name = sink.kind === 'file' ? sink.path : sink.kind;
    return `access log ${name} cannot be opened: ${reason}; make its folder, let this user write there, or use /dev/stdout`;
  }
  return undefined;
}

type LoggingBootstrap = Pick<Bootstrap, 'listeners' | 'admin'>;

/** Throws `ConfigError` with every static listener whose log cannot be opened, and the admin interface. */
export function openStaticLogs({ listeners, admin }: LoggingBootstrap, logs: OpenableLogs): void {
  const problems = new Problems();
  const unopened = openAll(adminLogSinks(admin), logs);
  if (unopened !== undefined) problems.at('admin').add(unopened);
  const place = problems.at('static_resources').at('listeners');
  for (const [index, listener] of listeners.entries()) {
    const unopened = openLogsOf(listener, logs);
    if (unopened !== undefined) place.item(index).add(unopened);
  }
  if (!problems.isEmpty) throw new ConfigError('bootstrap', problems.list);
}

/** For `--mode validate`: as Envoy, files are made where they can be. */
export function validateLogs(bootstrap: LoggingBootstrap): void {
  const stats = new WorkerStats(() => undefined);
  openStaticLogs(bootstrap, new LogSinks({ stats, onWarning: () => undefined }));
}
