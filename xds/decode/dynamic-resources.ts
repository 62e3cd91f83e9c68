// What comes from a control plane (`config.bootstrap.v3.Bootstrap.DynamicResources`).

import type { DynamicResources } from '../../config/bootstrap.ts';
import type { ConfigSource } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  ConfigSource as ConfigSourceMessage,
  Bootstrap_DynamicResources as Message,
} from '../generated/messages.ts';
import { decodeConfigSource, decodeGrpcApi } from './config-source.ts';
import { configSourceProblem, grpcServiceProblem, type KnownSources } from './config-source-problem.ts';
import { given } from './given.ts';

export function decodeDynamicResources(
  message: Message | undefined,
  known: KnownSources,
  problems: Problems,
): DynamicResources {
  const place = problems.at('ads_config');
  const ads = message?.adsConfig && decodeGrpcApi(message.adsConfig, place);
  const problem = ads && grpcServiceProblem(ads.service, known);
  if (problem !== undefined) place.at('grpc_services').item(0).add(problem);
  const source = (field: ConfigSourceMessage | undefined, name: string) =>
    field && decodeKnownSource(field, known, problems.at(name));
  return {
    ...given('ads', ads),
    ...given('clusters', source(message?.cdsConfig, 'cds_config')),
    ...given('listeners', source(message?.ldsConfig, 'lds_config')),
  };
}

/** A source of which what it names is there. */
export function decodeKnownSource(
  message: ConfigSourceMessage,
  known: KnownSources,
  problems: Problems,
): ConfigSource | undefined {
  const source = decodeConfigSource(message, problems);
  const problem = source && configSourceProblem(source, known);
  if (problem !== undefined) problems.add(problem);
  return source;
}
