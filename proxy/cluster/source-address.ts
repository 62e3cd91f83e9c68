// From which address an endpoint is connected to: of the endpoint's own IP version where the cluster has one of each, as pods
// with two families have. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/address.proto#config-core-v3-bindconfig

import type { Address, IpAddress } from '../../config/address.ts';
import type { SourceAddress } from '../../config/cluster.ts';

/** Undefined is the kernel's choice. */
export function sourceAddressFor(source: SourceAddress | undefined, endpoint: Address): IpAddress | undefined {
  if (source?.kind !== 'ip') return undefined;
  const { otherFamily } = source;
  if (otherFamily === undefined || endpoint.kind !== 'ip') return source;
  return isIpv6(source) === isIpv6(endpoint) ? source : otherFamily;
}

function isIpv6({ ip }: IpAddress): boolean {
  return ip.includes(':');
}
