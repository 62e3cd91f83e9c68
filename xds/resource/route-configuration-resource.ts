// Route configurations (RDS).

import type { RouteConfiguration } from '../../config/route.ts';
import { decodeRouteConfiguration } from '../decode/route.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

export const routeConfigurationDecoder: ResourceDecoder<RouteConfiguration> = makeResourceDecoder({
  messageName: 'envoy.config.route.v3.RouteConfiguration',
  shortName: 'rds',
  decode: decodeRouteConfiguration,
});
