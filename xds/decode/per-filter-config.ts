// What a route configuration, virtual host, route or weighted cluster sets for single HTTP filters (`typed_per_filter_config`): the policy of the
// CORS filter, whether clusters are asked for on demand, or that a filter is disabled.

import type { Problems } from '../../config/problems.ts';
import type { PerFilterConfig } from '../../config/route.ts';
import type { CorsPolicy, PerRouteConfig, RouteFilterConfig } from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { corsPolicyType, decodeCorsPolicy } from './cors.ts';
import { decodeOnDemand, onDemandRouteType } from './on-demand.ts';

const filterConfig = 'envoy.config.route.v3.FilterConfig';

const noConfigs: PerFilterConfig = {};

export function decodePerFilterConfig(
  configs: { readonly [filterName: string]: Any } | undefined,
  problems: Problems,
): PerFilterConfig {
  if (configs === undefined) return noConfigs;
  const decoded: { [filterName: string]: PerFilterConfig[string] } = {};
  for (const [name, any] of Object.entries(configs)) {
    const place = problems.item(name);
    if (any.typeName !== filterConfig) decoded[name] = { disabled: false, ...decodeOwn(any, place) };
    else {
      const { config, disabled = false } = any.message as RouteFilterConfig;
      decoded[name] = { disabled, ...(config && decodeOwn(config, place.at('config'))) };
    }
  }
  return decoded;
}

function decodeOwn(any: Any, problems: Problems): Omit<PerFilterConfig[string], 'disabled'> {
  if (any.typeName === corsPolicyType) return { cors: decodeCorsPolicy(any.message as CorsPolicy, problems) };
  if (any.typeName === onDemandRouteType) return { onDemand: decodeOnDemand(any.message as PerRouteConfig, problems) };
  problems.unsupported(
    `filter configuration ${any.typeUrl}`,
    `only ${corsPolicyType}, ${onDemandRouteType} and ${filterConfig} are`,
  );
  return {};
}
