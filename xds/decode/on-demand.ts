// The filter that lets requests wait for virtual hosts and clusters which are asked for when they are needed
// (`extensions.filters.http.on_demand.v3`), and what routes say of it.

import type { OnDemandClusters, OnDemandFilter } from '../../config/on-demand.ts';
import type { Problems } from '../../config/problems.ts';
import type { OnDemandCds, OnDemand as OnDemandMessage, PerRouteConfig } from '../generated/messages.ts';
import { decodeConfigSource } from './config-source.ts';
import { given } from './given.ts';
import { findOnce, type WrittenFilter } from './istio-filter.ts';

const filterType = 'envoy.extensions.filters.http.on_demand.v3.OnDemand';
export const onDemandRouteType = 'envoy.extensions.filters.http.on_demand.v3.PerRouteConfig';

/** Envoy's. */
const defaultTimeoutMs = 5000;

export function isOnDemandFilter({ typedConfig }: WrittenFilter): boolean {
  return typedConfig?.typeName === filterType;
}

/** Undefined without it. `problems` is at `http_filters`. */
export function decodeOnDemandFilter(
  messages: readonly WrittenFilter[] | undefined,
  problems: Problems,
): OnDemandFilter | undefined {
  const found = findOnce(messages, [filterType], problems);
  if (found === undefined) return undefined;
  return { name: found.name, ...decodeOnDemand(found.message as OnDemandMessage, found.problems) };
}

/** Of the filter or of a route: the messages have the same fields. */
export function decodeOnDemand(
  { odcds }: OnDemandMessage | PerRouteConfig,
  problems: Problems,
): Pick<OnDemandFilter, 'clusters'> {
  return given('clusters', odcds && decodeClusters(odcds, problems.at('odcds')));
}

function decodeClusters({ source, timeout = defaultTimeoutMs }: OnDemandCds, problems: Problems): OnDemandClusters {
  const place = problems.at('source');
  const decoded = source && decodeConfigSource(source, place);
  if (source === undefined) place.add('source is required: it says where clusters come from');
  else if (decoded !== undefined && decoded.kind !== 'ads') {
    place.unsupported('clusters on demand from another source than ads', 'write ads: {}');
  }
  return { timeoutMs: timeout };
}
