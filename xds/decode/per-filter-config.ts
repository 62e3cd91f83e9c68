// What a virtual host, route or weighted cluster sets for single HTTP filters (`typed_per_filter_config`).
//
// The router, the only filter there is yet, has no such configuration: what can be said is that a filter is disabled.

import type { Problems } from '../../config/problems.ts';
import type { PerFilterConfig } from '../../config/route.ts';
import type { RouteFilterConfig } from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';

const filterConfig = 'envoy.config.route.v3.FilterConfig';

const noConfigs: PerFilterConfig = {};

export function decodePerFilterConfig(
  configs: { readonly [filterName: string]: Any } | undefined,
  problems: Problems,
): PerFilterConfig {
  if (configs === undefined) return noConfigs;
  const decoded: { [filterName: string]: { disabled: boolean } } = {};
  for (const [name, any] of Object.entries(configs)) {
    if (any.typeName !== filterConfig) {
      problems.item(name).unsupported(`filter configuration ${any.typeUrl}`, `only ${filterConfig} is`);
      continue;
    }
    const { config, disabled = false } = any.message as RouteFilterConfig;
    if (config !== undefined) problems.item(name).at('config').unsupported(`filter configuration ${config.typeUrl}`);
    decoded[name] = { disabled };
  }
  return decoded;
}
