// Extensions: a name and a typed configuration. What an extension is, is decided by the type of its configuration, as
// Envoy does. One that is not known is refused by name: skipping a filter could open what it protects.

import type { Problems } from '../../config/problems.ts';
import type { Any } from '../message/message-descriptor.ts';
import { nearestName } from '../message/nearest-name.ts';
import { type FilterPlace, inertFilters } from '../support/inert-filters.ts';

/** A message with `name` and `typed_config`, the usual form of an extension point. */
export interface Extension {
  readonly name?: string;
  readonly typedConfig?: Any;
  /** Of filters: it comes apart from what names it. */
  readonly configDiscovery?: object;
}

export interface ExpectedExtension<T extends string> {
  /** The extension point, such as `network filter`. */
  readonly what: string;
  readonly known: readonly T[];
  /** What to write in place of those that are not known; their list otherwise. */
  readonly instead?: string;
}

/**
 * The full name of the extension's message, when it is one of `known`; undefined otherwise (recorded).
 */
export function extensionType<T extends string>(
  extension: Extension,
  expected: ExpectedExtension<T>,
  problems: Problems,
): T | undefined {
  const any = extension.typedConfig;
  if (any === undefined && extension.configDiscovery !== undefined) {
    const instead = 'only listeners of a control plane can have it, in their own filters: write typed_config';
    problems.at('config_discovery').unsupported('config_discovery', instead);
    return undefined;
  }
  if (any === undefined) {
    const example = `"@type": type.googleapis.com/${expected.known[0]}`;
    problems.at('typed_config').add(`typed_config is required: it says which ${expected.what} this is (${example})`);
    return undefined;
  }
  const type = expected.known.find((name) => name === any.typeName);
  if (type === undefined) {
    const place = problems.at('typed_config');
    place.forgetBelow();
    place.unsupported(`${expected.what} ${any.typeUrl}`, hint(any, expected));
  }
  return type;
}

const inertPlaces = new Map(inertFilters.map(({ type, places }) => [type, places]));

/** Whether this is a filter that is accepted and has no effect yet: it is not carried any further. */
export function isInertFilter({ typedConfig }: Extension, place: FilterPlace): boolean {
  return typedConfig !== undefined && inertPlaces.get(typedConfig.typeName)?.includes(place) === true;
}

function hint(any: Any, expected: ExpectedExtension<string>): string {
  // Full names are long and much alike: a third of their letters would be another filter.
  const meant = nearestName(any.typeName, expected.known, 3);
  if (meant !== undefined) return `did you mean ${meant}?`;
  if (expected.instead !== undefined) return expected.instead;
  return expected.known.length === 1 ? `only ${expected.known[0]} is` : `supported are ${expected.known.join(', ')}`;
}
