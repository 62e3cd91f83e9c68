// Collectors of access logs, as a configuration names them.

import type { EnvoyLogEntries, LogDelivery } from '../../config/access-log.ts';

/** An access log service at the cluster `als`, with Envoy's defaults. */
export function entryCollector(more: Partial<LogDelivery & EnvoyLogEntries> = {}): LogDelivery & EnvoyLogEntries {
  return {
    kind: 'http-entries',
    service: { kind: 'grpc', cluster: 'als', authority: '', timeoutMs: 0, metadata: [] },
    logName: 'log',
    flushIntervalMs: 1000,
    bufferSizeBytes: 16_384,
    customTags: [],
    requestHeaders: [],
    responseHeaders: [],
    responseTrailers: [],
    ...more,
  };
}
