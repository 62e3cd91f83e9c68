// Filters whose configuration comes apart from their listener (ECDS): where it comes from, and which types it may have.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/extension
//
// Whatever may come has to be supported: a filter that is not could protect something, and a listener without it would serve
// what it is to refuse. So a listener is refused for a type that it only allows.

import type { ConfigSource } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type { ExtensionConfigSource } from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { decodeConfigSource } from './config-source.ts';
import { given } from './given.ts';

export type FilterPlace = 'http-filter' | 'network-filter';

export interface DiscoveredFilter {
  readonly place: FilterPlace;
  /** That of the filter is that of the resource. */
  readonly name: string;
  readonly source: ConfigSource;
  /** Full names of the messages that may come. */
  readonly typeNames: readonly string[];
  /** Until one comes, or instead of one. */
  readonly fallback?: Any;
  /** The listener serves with `fallback` before anything came. */
  readonly startsWithFallback: boolean;
}

export interface WrittenFilter {
  readonly place: FilterPlace;
  readonly name?: string;
  readonly discovery: ExtensionConfigSource;
}

/** Undefined without a source that could be read. `isSupported` is about the place of the filter. */
export function decodeDiscoveredFilter(
  { place, name = '', discovery }: WrittenFilter,
  isSupported: (typeName: string) => boolean,
  problems: Problems,
): DiscoveredFilter | undefined {
  if (name === '') problems.add('a filter that is discovered needs a name: it is what is asked for');
  const typeNames = (discovery.typeUrls ?? []).map(typeNameOf);
  for (const [index, typeName] of typeNames.entries()) {
    if (!isSupported(typeName))
      problems.at('type_urls').item(index).unsupported(typeName, 'keep on Envoy what needs it');
  }
  const { defaultConfig: fallback } = discovery;
  if (fallback !== undefined && !typeNames.includes(fallback.typeName)) {
    problems.at('default_config').add(`is ${fallback.typeName}, which is not among type_urls`);
  }
  const startsWithFallback = discovery.applyDefaultConfigWithoutWarming ?? false;
  if (startsWithFallback && fallback === undefined) {
    problems.at('apply_default_config_without_warming').add('needs a default_config');
  }
  if (discovery.configSource === undefined) {
    problems.at('config_source').add('config_source is required: it says where the configuration comes from');
    return undefined;
  }
  const source = decodeConfigSource(discovery.configSource, problems.at('config_source'));
  return source && { place, name, source, typeNames, ...given('fallback', fallback), startsWithFallback };
}

function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}
