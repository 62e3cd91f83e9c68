// Where metrics are sent besides being scraped (`stats_sinks` of the bootstrap).

import type { StatsOptions, StatsSink } from '../../config/bootstrap.ts';
import type { Problems } from '../../config/problems.ts';
import type { Bootstrap as Message, SinkConfig, StatsSink as SinkMessage } from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { decodeResourceDetectors, decodeTelemetryService } from './telemetry-service.ts';

/** Envoy's default. */
const defaultFlushIntervalMs = 5_000;

export function decodeStatsSinks(
  message: Message,
  problems: Problems,
): Pick<StatsOptions, 'sinks' | 'flushIntervalMs'> {
  const sinks: StatsSink[] = [];
  for (const [index, sink] of (message.statsSinks ?? []).entries()) {
    const decoded = decodeSink(sink, problems.at('stats_sinks').item(index));
    if (decoded !== undefined) sinks.push(decoded);
  }
  const { statsFlushInterval, statsFlushOnAdmin } = message;
  // Without a sink nothing is flushed: stats are summed when they are read.
  if (statsFlushOnAdmin === true && message.statsSinks !== undefined) {
    problems.at('stats_flush_on_admin').unsupported('flushing when /stats is read', 'write stats_flush_interval');
  }
  return { sinks, flushIntervalMs: statsFlushInterval ?? defaultFlushIntervalMs };
}

const openTelemetry = 'envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig';
const statsSink = {
  what: 'stats sink',
  known: [openTelemetry],
  instead: `write ${openTelemetry}, or scrape /stats/prometheus`,
} as const;

function decodeSink(message: SinkMessage, problems: Problems): StatsSink | undefined {
  if (extensionType(message, statsSink, problems) === undefined) return undefined;
  const config = message.typedConfig?.message as SinkConfig;
  const place = problems.at('typed_config');
  const resource = decodeResourceDetectors(config.resourceDetectors, place.at('resource_detectors'));
  // That one of the two is there was checked.
  const service =
    config.grpcService === undefined && config.httpService === undefined
      ? undefined
      : decodeTelemetryService(config, place);
  if (service === undefined) return undefined;
  return {
    service,
    resource,
    countersAsDeltas: config.reportCountersAsDeltas ?? false,
    histogramsAsDeltas: config.reportHistogramsAsDeltas ?? false,
    tagsAsAttributes: config.emitTagsAsAttributes ?? true,
    usesTagExtractedNames: config.useTagExtractedName ?? true,
    prefix: config.prefix ?? '',
    maxDataPointsPerRequest: config.maxDataPointsPerRequest ?? 0,
  };
}
