// What Envoy of Istio counts of metadata in front of the bytes of connections (`proxy/istio/tcp-exchange.ts`).

import { counter, defineStats } from './stats.ts';

export const metadataExchangeStats = defineStats('metadata_exchange', {
  alpnProtocolFound: counter('alpn_protocol_found'),
  alpnProtocolNotFound: counter('alpn_protocol_not_found'),
  /** The peer began with something else. */
  initialHeaderNotFound: counter('initial_header_not_found'),
  /** What the peer told could not be read, or was too long. */
  headerNotFound: counter('header_not_found'),
  metadataAdded: counter('metadata_added'),
});
