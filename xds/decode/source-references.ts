// Static resources may name only sources of configuration that are there: nothing would ever come from another.

import { Problems } from '../../config/problems.ts';
import type { Bootstrap_StaticResources, ConfigSource, HttpConnectionManager } from '../generated/messages.ts';
import { decodeConfigSource } from './config-source.ts';
import { configSourceProblem, type KnownSources } from './config-source-problem.ts';
import { decodeOnDemandFilter } from './on-demand.ts';
import { managerType, writtenFilters } from './written-filters.ts';

const aggregated = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;

export function checkSourceReferences(
  message: Bootstrap_StaticResources,
  known: KnownSources,
  problems: Problems,
): void {
  for (const [index, { edsClusterConfig }] of (message.clusters ?? []).entries()) {
    const source = edsClusterConfig?.edsConfig;
    if (source === undefined) continue;
    checkSource(source, known, problems.at('clusters').item(index).at('eds_cluster_config').at('eds_config'));
  }
  for (const [index, listener] of (message.listeners ?? []).entries()) {
    for (const { config, problems: place } of writtenFilters(listener, problems.at('listeners').item(index))) {
      if (config.typeName !== managerType) continue;
      const { rds, httpFilters } = config.message as HttpConnectionManager;
      if (rds?.configSource !== undefined) checkSource(rds.configSource, known, place.at('rds').at('config_source'));
      const demanded = decodeOnDemandFilter(httpFilters, new Problems())?.clusters;
      const problem = demanded && configSourceProblem(aggregated, known);
      if (problem !== undefined) place.at('http_filters').add(`clusters on demand: ${problem}`);
    }
  }
}

/** What is wrong with the source itself was reported by its decoder. */
function checkSource(message: ConfigSource, known: KnownSources, problems: Problems): void {
  const source = decodeConfigSource(message, new Problems());
  const problem = source && configSourceProblem(source, known);
  if (problem !== undefined) problems.add(problem);
}
