// The process's log in the form that what follows control planes and keeps identities writes to.

import type { DiscoveryLog } from '../../xds/client/discovery.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';

export function discoveryLog(log: ComponentLog): DiscoveryLog {
  return (level, text, facts) => log[level === 'warning' ? 'warn' : level](facts, text);
}
