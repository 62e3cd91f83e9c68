// Virtual hosts that arrive apart from their route configuration (VHDS): each is sent as `ROUTE_CONFIGURATION/DOMAIN`.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/vhds

import type { VirtualHost } from '../../config/route.ts';
import { decodeVirtualHost, defaultMaxDirectResponseBodyBytes } from '../decode/route.ts';
import type { VirtualHost as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

export const virtualHostDecoder: ResourceDecoder<VirtualHost> = makeResourceDecoder({
  messageName: 'envoy.config.route.v3.VirtualHost',
  shortName: 'vhds',
  isDecodedAhead: true,
  isSentUnderOwnName: false,
  decode: (message: Message, problems) => decodeVirtualHost(message, defaultMaxDirectResponseBodyBytes, problems),
});
