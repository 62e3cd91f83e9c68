// The service behind a cluster: what Istio says of it, else the cluster's own name.

import type { Cluster } from '../../config/cluster.ts';

/**
 * The host of the first of `metadata.istio.services`, else the fourth part of a name that Istio gave
 * (`outbound|9080|v1|reviews.shop.svc.cluster.local`), else the name.
 */
export function serviceNameOf({ name, metadata }: Pick<Cluster, 'name' | 'metadata'>): string {
  const services = metadata['istio']?.['services'];
  const first: unknown = Array.isArray(services) ? services[0] : undefined;
  if (typeof first === 'object' && first !== null && 'host' in first && typeof first.host === 'string') {
    return first.host;
  }
  const parts = name.split('|');
  return parts.length === 4 && parts[3] !== '' ? parts[3]! : name;
}
