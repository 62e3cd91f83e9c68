// Static resources may name only sources of configuration that are there: nothing would ever come from another.

import { Problems } from '../../config/problems.ts';
import type {
  Bootstrap_StaticResources,
  ConfigSource,
  FilterChain,
  HttpConnectionManager,
} from '../generated/messages.ts';
import { decodeConfigSource } from './config-source.ts';
import { configSourceProblem, type KnownSources } from './config-source-problem.ts';

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
  for (const [index, { filterChains = [], defaultFilterChain }] of (message.listeners ?? []).entries()) {
    const place = problems.at('listeners').item(index);
    for (const [position, chain] of filterChains.entries()) {
      checkFilterChain(chain, known, place.at('filter_chains').item(position));
    }
    if (defaultFilterChain !== undefined) checkFilterChain(defaultFilterChain, known, place.at('default_filter_chain'));
  }
}

const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

function checkFilterChain({ filters = [] }: FilterChain, known: KnownSources, problems: Problems): void {
  for (const [index, { typedConfig }] of filters.entries()) {
    if (typedConfig?.typeName !== managerType) continue;
    const source = (typedConfig.message as HttpConnectionManager).rds?.configSource;
    if (source === undefined) continue;
    checkSource(source, known, problems.at('filters').item(index).at('typed_config').at('rds').at('config_source'));
  }
}

/** What is wrong with the source itself was reported by its decoder. */
function checkSource(message: ConfigSource, known: KnownSources, problems: Problems): void {
  const source = decodeConfigSource(message, new Problems());
  const problem = source && configSourceProblem(source, known);
  if (problem !== undefined) problems.add(problem);
}
