// The TCP proxy (`extensions.filters.network.tcp_proxy.v3`).

import type { TcpProxy } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import type { TcpProxy as Message } from '../generated/messages.ts';
import { decodeAccessLogs } from './access-log.ts';

/** Envoy's default of `idle_timeout`. */
const hourMs = 3_600_000;

export function decodeTcpProxy(message: Message, problems: Problems): TcpProxy | undefined {
  const clusters = decodeClusters(message);
  const accessLogs = decodeAccessLogs(message.accessLog, problems.at('access_log'));
  const options = decodeLogOptions(message, problems);
  if (clusters.length === 0) return undefined;
  return {
    statPrefix: message.statPrefix ?? '',
    clusters,
    totalWeight: clusters.reduce((sum, cluster) => sum + cluster.weight, 0),
    idleTimeoutMs: message.idleTimeout ?? hourMs,
    maxDownstreamConnectionDurationMs: message.maxDownstreamConnectionDuration ?? 0,
    maxConnectAttempts: message.maxConnectAttempts ?? 1,
    accessLogs,
    ...options,
  };
}

function decodeClusters(message: Message): TcpProxy['clusters'] {
  if (message.cluster !== undefined) return [{ name: message.cluster, weight: 1 }];
  return (message.weightedClusters?.clusters ?? []).map(({ name = '', weight = 0 }) => ({ name, weight }));
}

function decodeLogOptions(message: Message, problems: Problems) {
  const options = message.accessLogOptions;
  for (const older of ['accessLogFlushInterval', 'flushAccessLogOnConnected'] as const) {
    if (options === undefined || message[older] === undefined) continue;
    problems.at('access_log_options').add('may not be set together with the older fields of the same meaning');
  }
  return {
    flushAccessLogOnConnected: options?.flushAccessLogOnConnected ?? message.flushAccessLogOnConnected ?? false,
    accessLogFlushIntervalMs: options?.accessLogFlushInterval ?? message.accessLogFlushInterval ?? 0,
  };
}
